"""The columns of the tables of flows and of groups of flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address

from bpftop.model.escaping import escaped_text
from bpftop.model.units import UNKNOWN, pct
from bpftop.render.columns import Column, clipped, share_text
from bpftop.render.flows.flow_rows import FlowLine, FlowOwner, GroupBy


def _address_text(address: Callable[[FlowLine], str]) -> Callable[[FlowLine, int], str]:
    """Return a function that formats an address or its name. Long addresses keep both ends: neighbours differ there."""

    def text(row: FlowLine, width: int) -> str:
        name = row.called(address(row))
        if len(name) <= width or name != address(row):
            return clipped(name, width)
        return f"{name[: width // 2 - 1]}…{name[width // 2 - width :]}"

    return text


def _order(member: str) -> str:
    """Return a sort key: other texts first, then IPv4 and IPv6 addresses by their numbers."""
    try:
        address = ip_address(member)
    except ValueError:
        return member
    return f"~{address.version}{address.packed.hex()}"


def _port(number: int) -> str:
    """Format a port; 0 is no port, and empty."""
    return str(number or "")


def age_text(age_ns: int | None) -> str:
    """Format an age: ``12 s``, ``3 m``, ``2 h``."""
    if age_ns is None:
        return UNKNOWN
    seconds = age_ns // 10**9
    if seconds < 100:
        return f"{seconds} s"
    return f"{seconds // 60} m" if seconds < 6000 else f"{seconds // 3600} h"


def owner_text(owner: FlowOwner | None) -> str:
    """Return ``nginx[812] docker 0123456789ab``; empty where no socket here belongs to the flow."""
    return "" if owner is None else escaped_text(" ".join(filter(None, (owner.name, owner.service))))


def milliseconds(time_us: float | None) -> str:
    """Format µs: ``0.12``, ``8.31``, ``120``."""
    if time_us is None:
        return UNKNOWN
    return f"{time_us / 1000:.{2 if time_us < 10_000 else 0}f}"


_FLOWS = "bpftop's flow table, which its program fills while flows are counted"

INTERFACE: Column[FlowLine] = Column(
    "interface", "Interface", "", 11, "The interface that counted the flow.",
    lambda r: r.interface, lambda r, width: clipped(r.interface, width), gap=0, left=True, look="name", source=_FLOWS,
)  # fmt: skip

_RATES: tuple[Column[FlowLine], ...] = (
    Column("packets_per_sec", "pps", "packets/s", 8, "Packets per second.",
          lambda r: r.packets_per_sec, source=_FLOWS),
    Column("bits_per_sec", "bit/s", "bits/s", 8, "Bits per second: L2 bytes without FCS, times 8.",
          lambda r: r.bits_per_sec, rank=1, source=_FLOWS),
)  # fmt: skip

FLOW_COLUMNS: tuple[Column[FlowLine], ...] = (
    Column("saddr", "Source", "", 16, "Source address, or its name (`n`).",
          lambda r: _order(r.saddr), _address_text(lambda r: r.saddr), gap=0, left=True, stretch=24, look="name",
          source=_FLOWS),
    Column("sport", "port", "number", 6, "Source port. Empty: fragments after the first, and all but TCP and UDP.",
          lambda r: r.sport, form=_port, rank=3, source=_FLOWS),
    Column("daddr", "Destination", "", 17, "Destination address, or its name.",
          lambda r: _order(r.daddr), _address_text(lambda r: r.daddr), gap=1, left=True, stretch=24, look="name",
          source=_FLOWS),
    Column("dport", "port", "number", 6, "Destination port.", lambda r: r.dport, form=_port, source=_FLOWS),
    Column("protocol", "proto", "", 7, "IP protocol.",
          lambda r: r.protocol, lambda r, width: clipped(r.protocol, width), gap=1, left=True, rank=2,
          look="muted", source=_FLOWS),
    *_RATES,
    Column("share", "share", "%", 6, "Share of all packets of the direction (`t` changes it).",
          lambda r: r.share, form=pct, rank=4, source=_FLOWS),
    Column("age", "age", "s, m or h", 6, "How long ago the flow was first seen since flows are counted.",
          lambda r: r.age_ns, form=age_text, rank=5, source=_FLOWS),
    Column("process", "process", "", 24, "Process of the flow on this host, and its container or systemd unit. Empty: "
           "no socket here, or not among the 50 flows with most bytes.",
          lambda r: owner_text(r.owner), lambda r, width: clipped(owner_text(r.owner), width), rank=6, gap=2, left=True,
          stretch=24, look="name", source="the kernel's socket of the flow (sock_diag), and its process in /proc"),
    Column("rtt", "RTT", "ms", 8, "Smoothed round-trip time of the TCP connection.",
          lambda r: None if r.owner is None else r.owner.rtt_us, form=milliseconds, rank=7,
          source="the kernel's socket of the flow (sock_diag, tcp_info)"),
    Column("resent", "resent", "/s", 8, "Segments that this host sent again, per second.",
          lambda r: None if r.owner is None else r.owner.retransmits_per_sec, rank=8,
          source="the kernel's socket of the flow (sock_diag, tcp_info)"),
)  # fmt: skip

_TITLES: Mapping[GroupBy, str] = {
    "source": "Source",
    "destination": "Destination",
    "destination_port": "Destination port",
    "process": "Process",
    "service": "Container or unit",
}


def group_columns(by: GroupBy) -> tuple[Column[FlowLine], ...]:
    """Return the columns of a grouping."""
    if by == "flow":
        return FLOW_COLUMNS
    return (
        Column("member", _TITLES[by], "", 22, "What the flows have in common.",
              lambda r: _order(r.member), _address_text(lambda r: r.member), gap=0, left=True, stretch=24, look="name",
              source=_FLOWS),
        *_RATES,
        Column("share", "share", "%", 19, "Share of all packets of the direction.",
              lambda r: r.share, lambda r, width: share_text(r.share, width), rank=2, gap=2,
              left=True, look="bar", source=_FLOWS),
    )  # fmt: skip
