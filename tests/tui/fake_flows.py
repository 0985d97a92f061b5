"""Made-up flows of a server: deterministic, with every kind of row that the pane tells apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bpftop.model.sample import Direction, Interface, Key, Reading, reading_key
from tests.samples import SECOND_NS, packed

# source, destination, ports, protocol -> packets per second, mean bytes, age in seconds
FLOWS: Sequence[tuple[str, str, int, int, int, int, int, int]] = (
    ("203.0.113.77", "198.18.0.1", 40001, 443, 6, 310_000, 66, 14),
    ("203.0.113.78", "198.18.0.1", 61234, 443, 6, 120_000, 1200, 340),
    ("2001:db8:85a3:1234:5678:8a2e:370:7334", "2001:db8::1", 51515, 443, 6, 9_000, 900, 7_300),
    ("198.51.100.9", "198.18.0.1", 53, 33000, 17, 52_000, 410, 90),
    ("198.51.100.10", "198.18.0.1", 53, 33001, 17, 800, 380, 61),
    ("10.1.2.3", "198.18.0.1", 0, 0, 1, 40, 98, 12),
    ("fe80::1", "ff02::1", 0, 0, 58, 2, 86, 100),
    ("10.1.2.4", "198.18.0.1", 0, 0, 17, 900, 1400, 5),
    ("192.0.2.200", "198.18.0.1", 0, 0, 47, 2_400, 420, 3_600),
    *((f"192.0.2.{n}", "198.18.0.1", 20_000 + n, 22, 6, 600 - 9 * n, 120, n) for n in range(1, 60)),
)
OWNERS: Mapping[int | str, tuple[Key, Sequence[int]]] = {
    443: (("nginx", 812, "www-data", "docker 0123456789ab", ""), (0, 12_400, 8_100, 0, 10, 1_000_000, 1)),
    22: (("ssh\x1b[31md", 77, "root", "ssh.service", ""), (0, 310, 200, 0, 10, 9_000, 4)),
}
"""Port -> labels and cells of the socket; one of the processes has a hostile name."""
_PREFIXES = {6: "TCP", 17: "UDP", 1: "ICMP", 58: "ICMPv6", 47: "GRE"}


def flow_readings(
    one: Interface, direction: Direction, tick: int, mono_ns: int, sample_1_in: int
) -> dict[str, Reading]:
    """Return the families of one direction; TX is RX with the ends exchanged, at a quarter of the rate."""
    rows: dict[Key, tuple[int, int]] = {}
    members: dict[Key, tuple[int, int]] = {}
    where, ages = (one.label, direction), []
    for saddr, daddr, sport, dport, number, pps, size, age_s in FLOWS:
        if direction == "tx":
            saddr, daddr, sport, dport, pps = daddr, saddr, dport, sport, pps // 4
        flow: Key = (*where, saddr, daddr, sport, dport, number)
        rows[flow] = (pps, pps * size)
        ages.append(age_s * SECOND_NS)
        port = f"{_PREFIXES[number]} {dport}" if dport else _PREFIXES[number]
        for by, member in (("source", saddr), ("destination", daddr), ("destination_port", port)):
            key: Key = (*where, by, member)
            packets, total = members.get(key, (0, 0))
            members[key] = (packets + pps, total + pps * size)
    gauges = [12_345, 65_536, 678, sample_1_in, 3_140_000, 19]
    readings = (
        _counted("flows", rows, tick, mono_ns),
        _counted("flow_groups", members, tick, mono_ns),
        packed("flow_ages", tuple(rows), ages, read_ns=mono_ns, epoch=1),
        packed("flow_table", (where,), gauges, read_ns=mono_ns, epoch=1),
    )
    named = {flow: OWNERS[port] for flow in rows for port in flow[4:6] if port in OWNERS}
    sockets = {(*flow, *owner): cells for flow, (owner, cells) in named.items()}
    sent = {flow: (3 * (tick + 1), 3 * tick) for flow, (_, cells) in named.items() if cells[1]}
    then = packed("flow_retransmits", tuple(sent), (each for _, each in sent.values()), read_ns=mono_ns - SECOND_NS)
    names = (
        packed("flow_sockets", tuple(sockets), (cell for cells in sockets.values() for cell in cells), read_ns=mono_ns),
        packed("flow_retransmits", tuple(sent), (each for each, _ in sent.values()), read_ns=mono_ns, previous=then),
    )
    return {reading_key(reading.family, *where): reading for reading in (*readings, *names)}


def top_flow_readings(
    one: Interface, direction: Direction, tick: int, mono_ns: int, sample_1_in: int
) -> dict[str, Reading]:
    """Return the families of a summary, of the flows that are busiest."""
    readings = flow_readings(one, direction, tick, mono_ns, sample_1_in)
    return {name: reading for name, reading in readings.items() if reading.family in ("flows", "flow_table")}


def _counted(family: str, rows: dict[Key, tuple[int, int]], tick: int, mono_ns: int) -> Reading:
    """Return a reading with a second's packets more than the reading before, which is its ``previous``."""
    cells = [cell for row in rows.values() for cell in row]
    keys = tuple(rows)
    then = packed(family, keys, (cell * tick for cell in cells), read_ns=mono_ns - SECOND_NS, epoch=1)
    return packed(family, keys, (cell * (tick + 1) for cell in cells), read_ns=mono_ns, epoch=1, previous=then)
