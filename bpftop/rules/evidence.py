"""Words for evidence: numbers with their limits, and sockets."""

from __future__ import annotations

from bpftop.model.sample import Key
from bpftop.model.units import pct, si
from bpftop.rules.rule import Limit


def per_s(value: float, what: str = "") -> str:
    """Return a rate, as ``1.24 k/s SYN``."""
    return f"{si(value)}/s{f' {what}' if what else ''}"


def compare(what: str, value: float, limit: Limit) -> str:
    """Return a value beside its limit, as ``ListenOverflows 840/s; limit 1/s (netdata tcp_listen)``."""
    source = f" ({limit.source})" if limit.source else ""
    return f"{what} {number(value, limit.unit)}; limit {number(limit.raised, limit.unit)}{source}"


def number(value: float, unit: str) -> str:
    """Return a number with the unit of a limit."""
    if unit == "share":
        return f"{100 * value:.1f} %" if 0 < value < 0.1 else pct(value)
    if unit == "/s":
        return f"{si(value)}/s"
    if unit == "x":
        return f"{value:.1f} times"
    return f"{si(value)} {unit}".strip()


def socket(key: Key) -> str:
    """Return the name of a row of udp_sockets or listen_sockets, as ``10.0.0.1:53 of dnsmasq[812]``."""
    version, address, port, _, process = key
    where = f"[{address}]:{port}" if version == 6 else f"{address}:{port}"
    return f"{where} of {process}" if process else where
