"""The columns of the tables of flows and of groups of flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address

from bpftop.model.escaping import escaped_text
from bpftop.model.units import UNKNOWN, pct, spark
from bpftop.render.columns import Column, clipped
from bpftop.render.flows.flow_pairs import FlowPair, PairBy
from bpftop.render.flows.flow_readings import FlowOwner
from bpftop.render.flows.flow_table import TREND_CELLS, FlowRow


def _end_text(end: Callable[[FlowRow], str]) -> Callable[[FlowRow, int], str]:
    """Return a function that formats an end or a group. Long addresses keep both ends: neighbours differ there."""

    def text(row: FlowRow, width: int) -> str:
        name = escaped_text(end(row))
        return name if len(name) <= width else f"{name[: width // 2 - 1]}…{name[width // 2 - width :]}"

    return text


def _order(end: tuple[str, int]) -> str:
    """Return a sort key: other texts first, then IPv4 and IPv6 addresses by their numbers, then ports."""
    member, port = end
    try:
        address = ip_address(member)
    except ValueError:
        return member
    return f"~{address.version}{address.packed.hex()}{port:05}"


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


def processes_text(pair: FlowPair) -> str:
    """Return ``nginx[812], sshd[77]``, the processes of a group."""
    return escaped_text(", ".join(sorted(pair.owners)))


def milliseconds(time_us: float | None) -> str:
    """Format µs: ``0.12``, ``8.31``, ``120``."""
    if time_us is None:
        return UNKNOWN
    return f"{time_us / 1000:.{2 if time_us < 10_000 else 0}f}"


_FLOWS = "bpftop's flow table, which its program fills while flows are counted"
_TCP = "the kernel's socket of the flow (sock_diag, tcp_info)"

INTERFACE: Column[FlowRow] = Column(
    "interface", "Interface", "", 11, "The interface that counted the flow.",
    lambda r: r.pair.interface, lambda r, width: clipped(r.pair.interface, width), gap=0, left=True, look="name",
    source=_FLOWS,
)  # fmt: skip

_AMOUNTS: tuple[Column[FlowRow], ...] = (
    Column("rx_bits_per_sec", "RX b/s", "bits/s", 8, "Received bits per second: L2 bytes without FCS, times 8.",
          lambda r: r.pair.rx.bits_per_sec, source=_FLOWS),
    Column("tx_bits_per_sec", "TX b/s", "bits/s", 8, "Sent bits per second.",
          lambda r: r.pair.tx.bits_per_sec, source=_FLOWS),
    Column("bytes", "bytes", "bytes", 8, "Bytes of both directions since flows are counted.",
          lambda r: r.pair.bytes, rank=3, source=_FLOWS),
    Column("share", "share", "%", 6, "Share of the bits per second of both directions; with the last row, which is all "
           "others, the shares add up to 100 %.",
          lambda r: r.pair.share, form=pct, rank=2, source=_FLOWS),
    Column("trend", "last ticks", "bits/s", TREND_CELLS + 2, "Bits per second in each of the last ticks, of the flows "
           "that were among the busiest; each row has its own scale.",
          lambda r: None, lambda r, width: spark(r.trend, width), rank=6, gap=2, look="trend", sortable=False,
          source=_FLOWS),
    Column("packets_per_sec", "pps", "packets/s", 8, "Packets per second of both directions.",
          lambda r: r.pair.packets_per_sec, rank=5, source=_FLOWS),
)  # fmt: skip
_PROTOCOL: Column[FlowRow] = Column(
    "protocol", "proto", "", 7, "IP protocol.",
    lambda r: r.pair.protocol, lambda r, width: clipped(r.pair.protocol, width), gap=1, left=True, rank=4,
    look="muted", source=_FLOWS,
)  # fmt: skip

FLOW_COLUMNS: tuple[Column[FlowRow], ...] = (
    Column("remote", "Other side", "", 21, "Address, or its name (`n`), and port of the other side. Fragments after "
           "the first, and all but TCP and UDP, have no port.",
          lambda r: _order(r.pair.remote), _end_text(lambda r: r.called(r.pair.remote) or r.member), gap=0, left=True,
          stretch=26, look="name", source=_FLOWS),
    Column("local", "This host", "", 20, "Address and port of this host.",
          lambda r: _order(r.pair.local), _end_text(lambda r: r.called(r.pair.local)), gap=1, left=True, stretch=20,
          rank=1, look="name", source=_FLOWS),
    *_AMOUNTS[:4],
    _PROTOCOL,
    *_AMOUNTS[4:],
    Column("age", "age", "s, m or h", 6, "How long ago the flow was first seen since flows are counted.",
          lambda r: r.pair.age_ns, form=age_text, rank=7, source=_FLOWS),
    Column("process", "process", "", 24, "Process of the flow on this host, and its container or systemd unit. Empty: "
           "no socket here, or not among the 50 flows with most bytes.",
          lambda r: owner_text(r.pair.owner), lambda r, width: clipped(owner_text(r.pair.owner), width), rank=8, gap=2,
          left=True, stretch=24, look="name", source="the kernel's socket of the flow (sock_diag), and its process in "
          "/proc"),
    Column("rtt", "RTT ms", "ms", 8, "Smoothed round-trip time of the TCP connection.",
          lambda r: None if r.pair.owner is None else r.pair.owner.rtt_us, form=milliseconds, rank=9,
          source=_TCP),
    Column("resent", "resent", "/s", 8, "Segments that this host sent again, per second.",
          lambda r: None if r.pair.owner is None else r.pair.owner.retransmits_per_sec, rank=10,
          source=_TCP),
    Column("user", "user", "", 10, "Owner of the socket, which is known without any privilege.",
          lambda r: "" if r.pair.owner is None else r.pair.owner.user,
          lambda r, width: clipped("" if r.pair.owner is None else escaped_text(r.pair.owner.user), width), rank=11,
          gap=2, left=True, source="the kernel's socket of the flow (sock_diag)"),
    Column("limit", "limited by", "", 16, "What limited the connection in the last interval: the application, which "
           "had no more to send, the receive window of the other side, the send buffer, or the network.",
          lambda r: None if r.pair.owner is None else r.pair.owner.limit, form=lambda limit: limit or UNKNOWN, rank=12,
          gap=2, left=True, source=_TCP),
    Column("min_rtt", "min RTT", "ms", 8, "Smallest round-trip time of the last minutes.",
          lambda r: None if r.pair.owner is None else r.pair.owner.min_rtt_us, form=milliseconds, rank=13, source=_TCP),
    Column("delivery_rate", "delivers", "bits/s", 9, "The rate at which the other side last confirmed what was sent.",
          lambda r: None if r.pair.owner is None else r.pair.owner.delivery_rate_bits_per_sec, rank=14, source=_TCP),
    Column("cwnd", "cwnd", "segments", 7, "Congestion window: how many segments may be under way.",
          lambda r: None if r.pair.owner is None else r.pair.owner.cwnd, rank=15, source=_TCP),
    Column("resent_total", "resent all", "segments", 11, "Segments that this host sent again since it connected.",
          lambda r: None if r.pair.owner is None else r.pair.owner.retransmits, rank=15, source=_TCP),
    Column("lost", "lost", "segments", 6, "Segments that are taken for lost now.",
          lambda r: None if r.pair.owner is None else r.pair.owner.lost, rank=15, source=_TCP),
)  # fmt: skip

_TITLES: Mapping[PairBy, str] = {
    "address": "Address of the other side",
    "port": "Port of the service",
    "process": "Process",
    "container": "Container or unit",
}


def group_columns(by: PairBy) -> tuple[Column[FlowRow], ...]:
    """Return the columns of a grouping."""
    if by == "flow":
        return FLOW_COLUMNS
    processes: Column[FlowRow] = Column(
        "processes", "processes", "", 26, "Processes of the group's flows on this host, as far as they are known.",
        lambda r: processes_text(r.pair), lambda r, width: clipped(processes_text(r.pair), width), rank=7, gap=2,
        left=True, stretch=24, look="name", source="the kernel's sockets of the flows (sock_diag), and /proc",
    )  # fmt: skip
    return (
        Column("member", _TITLES[by], "", 30, "What the flows have in common.",
              lambda r: _order((r.pair.name, 0)), _end_text(lambda r: r.member), gap=0, left=True, stretch=24,
              look="name", source=_FLOWS),
        *_AMOUNTS,
        Column("flows", "flows", "number", 7, "Flows of the group among the busiest.",
              lambda r: r.pair.flows, form=str, rank=4, source=_FLOWS),
        *(() if by == "process" else (processes,)),
    )  # fmt: skip
