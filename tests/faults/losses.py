"""Find the cells that count losses, and their gains between two samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bpftop.model.families import FAMILIES, LINK_COLUMNS
from bpftop.model.readings import pair_readings
from bpftop.model.sample import Key, Sample

# All counters of the stack are losses but these: a counter that is added to stack_counters is one until it stands here.
HARMLESS = frozenset(
    (
        *(
            "IpInReceives",
            "IpForwDatagrams",
            "IpInDelivers",
            "IpOutRequests",
            "IpOutTransmits",
            "Ip6OutTransmits",
            "IpReasmReqds",
        ),
        *("IcmpInMsgs", "IcmpOutMsgs", "TcpActiveOpens", "TcpPassiveOpens", "TcpInSegs", "TcpOutSegs"),
        *("UdpInDatagrams", "UdpOutDatagrams", "TcpExtTCPOrigDataSent", "TcpExtSyncookiesRecv"),
        *("Ip6InReceives", "Ip6InDelivers", "Ip6OutForwDatagrams", "Ip6OutRequests", "Ip6ReasmReqds"),
        *("IpReasmOKs", "Ip6ReasmOKs", "TcpExtTCPToZeroWindowAdv", "TcpExtTCPFromZeroWindowAdv"),
        *("TcpExtTCPOFOQueue", "TcpExtTCPDSACKOldSent", "TcpExtTCPDSACKOfoSent", "TcpExtTCPWinProbe"),
        *("Icmp6InMsgs", "Icmp6OutMsgs", "Udp6InDatagrams", "Udp6OutDatagrams"),
    )
)
COLUMNS = {
    "links": tuple(c for c in LINK_COLUMNS if c.endswith(("_errors", "_dropped", "_nohandler")) or c == "collisions"),
    "qdiscs": ("drops",),
    "nic": ("count",),
    "xdp_exceptions": ("packets",),
    "xdp_redirect_errors": ("packets",),
    "snmp": ("count",),
    "snmp6": ("count",),
    "netstat": ("count",),
    "xfrm": ("count",),
    "udp_sockets": ("drops",),
    "conntrack_events": ("invalid", "insert_failed", "drop", "early_drop"),
    "drops": ("packets",),
    "softnet": ("dropped", "flow_limit_count"),
    "neighbours": ("table_fulls", "unresolved_discards"),
}
"""Family -> the columns that count losses."""


@dataclass(frozen=True)
class Gain:
    """Return the gain of one cell."""

    family: str
    key: Key
    column: str
    count: int

    def __str__(self) -> str:
        return f"{self.family}{list(self.key)}.{self.column} +{self.count}"


def gains(before: Sample, after: Sample) -> Iterator[Gain]:
    """Yield every cell that grew between two samples: counters by their gain, gauges by their values."""
    for name, reading in after.readings.items():
        family = FAMILIES[reading.family]
        earlier = before.readings.get(name)
        paired = pair_readings(earlier, reading)
        if earlier is None or paired is None:
            continue
        rows = paired.gains()
        if family.kind == "gauge":
            rows = {key: _risen(earlier.totals.get(key), row) for key, row in reading.totals.items()}
        for key, row in rows.items():
            for column, gained in zip(family.columns, row, strict=True):
                if gained:
                    yield Gain(reading.family, key, column, gained)


def _risen(old: tuple[int | None, ...] | None, new: tuple[int | None, ...]) -> tuple[int | None, ...]:
    if old is None:
        return tuple(None for _ in new)
    return tuple(None if a is None or b is None else max(0, b - a) for a, b in zip(old, new, strict=True))


def is_loss(gain: Gain) -> bool:
    return gain.column in COLUMNS.get(gain.family, ()) and gain.key[-1:] != () and gain.key[-1] not in HARMLESS


def lost(before: Sample, after: Sample) -> list[Gain]:
    """Return the losses that moved."""
    return [gain for gain in gains(before, after) if is_loss(gain)]
