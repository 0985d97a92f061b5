"""Two samples of a made-up machine, with round numbers: one second, two CPUs, an interface that a program counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bpftop.export.snapshot.document import json_text
from bpftop.history.analyzer import Analyzer
from bpftop.model.derive import derive_snapshot
from bpftop.model.families import LINK_COLUMNS
from bpftop.model.sample import DIRECTIONS, Direction, Hook, Interface, Key, Reading, Sample, reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.rules.table import chosen
from tests import samples
from tests.tui.fake_source import FakeSource

WALL_NS = 1_764_126_764 * 10**9 + 123_456_789  # 2025-11-26T03:12:44.123Z
MONO_NS = 7 * 10**9

HOOKS: Mapping[Direction, Hook] = {
    "rx": Hook("xdp", "native", 41, 9.25, True),
    "tx": Hook("tcx", None, 42, 14.0, True),
}
ETH0 = samples.interface(driver="veth", mtu=1500, counting_since_ns=WALL_NS - 10**9, hooks=HOOKS)
OBSERVED = samples.interface("lo", 1, mtu=65536, notices=("Only rtnetlink totals of lo.",))

TCP, UDP, ICMP = 6, 17, 1
FIRST = {TCP: ((100, 0), (6_000, 0)), UDP: ((0, 10), (0, 1_000))}
"""Protocol -> packets per CPU, bytes per CPU."""
SECOND = {TCP: ((1_100, 0), (66_000, 0)), UDP: ((0, 260), (0, 26_000)), ICMP: ((1, 0), (98, 0))}

_NOTHING = (0, 0)
_CELLS: Mapping[str, Mapping[Key, tuple[tuple[int, int], tuple[int, int]]]] = {
    "joint": {
        ("ipv4", "unicast", "<=64"): ((100, 6_000), (1_100, 66_000)),
        ("ipv4", "broadcast", "65-127"): ((10, 1_000), (261, 26_098)),
    },
    "tcp_flags": {("syn",): (_NOTHING, (100, 6_000)), ("other",): ((100, 6_000), (1_000, 60_000))},
    "udp_ports": {(53,): (_NOTHING, (3, 300))},
    "icmp_types": {("icmp", 8): (_NOTHING, (1, 98))},
    "fragments": {},
    "vlans": {(1,): (_NOTHING, (4, 400))},
}
"""Family -> cell -> packets and bytes of the first and of the second sample."""


def moment(*interfaces: Interface, host: str = "web-17", unavailable: Mapping[str, str] | None = None) -> Snapshot:
    """Return a snapshot of one second of these interfaces; without any, of eth0."""
    return derive_snapshot(*pair(*interfaces, host=host, unavailable=unavailable))


def parsed(snapshot: Snapshot) -> dict[str, Any]:
    """Return the document of a snapshot as a reader gets it."""
    document: dict[str, Any] = json.loads(json_text(snapshot))
    return document


def busy(cpus: int = 2) -> Snapshot:
    """Six seconds of a made-up machine with some 20 protocols, losses and findings."""
    analyzer = Analyzer(chosen())
    for sample in FakeSource(cpus=cpus, count=6).samples():
        analyzer.push(sample)
    assert analyzer.snapshot is not None
    return analyzer.snapshot


def pair(
    *interfaces: Interface, host: str = "web-17", unavailable: Mapping[str, str] | None = None
) -> tuple[Sample, Sample]:
    watched = interfaces or (ETH0,)
    return _sample(0, watched, host, unavailable or {}), _sample(1, watched, host, unavailable or {})


def _sample(tick: int, interfaces: tuple[Interface, ...], host: str, unavailable: Mapping[str, str]) -> Sample:
    mono_ns = MONO_NS + tick * 10**9
    readings: dict[str, Reading] = {}
    for one in interfaces:
        counts = [
            50 + 10 * tick,
            5_000 + 1_000 * tick,
            20 + 5 * tick,
            2_000 + 500 * tick,
            *[0] * (len(LINK_COLUMNS) - 4),
        ]
        _put(readings, "links", ((one.label,),), counts, mono_ns, one.label)
        for direction in DIRECTIONS:
            if one.hooks:
                _counted(readings, one.label, direction, tick, mono_ns)
    _put(readings, "self", ((),), [12_000_000 * tick, 84_000 * tick], mono_ns)
    _put(readings, "self_memory", ((),), [38 << 20], mono_ns)
    return samples.sample(
        mono_ns / 1e9, seq=tick, host=host, wall_ns=WALL_NS + (tick - 1) * 10**9, cpus=2, interfaces=interfaces,
        readings=readings, unavailable=unavailable,
    )  # fmt: skip


def _counted(readings: dict[str, Reading], label: str, direction: Direction, tick: int, mono_ns: int) -> None:
    table = (FIRST, SECOND)[tick]
    keys = tuple((label, direction, number) for number in table)
    values = [value for columns in table.values() for column in columns for value in column]
    _put(readings, "protocols", keys, values, mono_ns, label, direction)
    for family, cells in _CELLS.items():
        counted = {key: counts[tick] for key, counts in cells.items() if counts[tick] != _NOTHING}
        cell_keys: tuple[Key, ...] = tuple((label, direction, *key) for key in counted)
        _put(readings, family, cell_keys, [v for counts in counted.values() for v in counts], mono_ns, label, direction)


def _put(
    readings: dict[str, Reading], family: str, keys: tuple[Key, ...], values: list[int], mono_ns: int, *where: str
) -> None:
    readings[reading_key(family, *where)] = samples.packed(family, keys, values, read_ns=mono_ns)
