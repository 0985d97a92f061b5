"""The counting programs: one object per interface and direction, and its maps as readings."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache, lru_cache
from itertools import groupby, product
from typing import TYPE_CHECKING

from bpftop.collect.bpf.counter_object import counter_constants, counter_object, shrunk
from bpftop.hooks.attach_facts import LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import COLUMNS, CounterMap, CounterValues, possible_cpus
from bpftop.kernel.bpf.program import Program
from bpftop.model.protocols import REFLECTION_PORTS
from bpftop.model.sample import (
    CAST_LABELS,
    FLAG_LABELS,
    FRAGMENT_LABELS,
    L3_LABELS,
    SIZE_LABELS,
    Direction,
    Key,
    Reading,
    reading_key,
)

if TYPE_CHECKING:
    from bpftop.kernel.bpf.flow_table import FlowKnobs

_NOOPS = {"count_xdp": "noop_xdp", "count_xdp_frags": "noop_xdp_frags", "count_tc": "noop_tc"}


def breakdown_cells() -> list[tuple[str, Key]]:
    """Return family and key of every cell that ``bpftop_fold_breakdowns`` numbers, in its order (kernel/bpf/fold.c)."""
    cells: list[tuple[str, Key]] = [("joint", key) for key in product(L3_LABELS, CAST_LABELS, SIZE_LABELS)]
    cells += [("tcp_flags", (flag,)) for flag in FLAG_LABELS]
    cells += [("udp_ports", (port,)) for port in REFLECTION_PORTS]
    cells += [("fragments", (part,)) for part in FRAGMENT_LABELS]
    cells += [("vlans", (tags,)) for tags in (1, 2)]
    cells += [("icmp_types", (name, kind)) for name in ("icmp", "icmpv6") for kind in range(256)]
    return cells


BREAKDOWN_CELLS = breakdown_cells()
_FAMILIES = tuple(dict.fromkeys(family for family, _ in BREAKDOWN_CELLS))
_NO_CELLS = array("Q")
"""The values of all readings without rows: most interfaces have no fragments, tags and resets."""


_Part = tuple[str, bytes, tuple[Key, ...], "array[int]"]
"""Family, numbers of the active rows (native u32s), keys and values of a reading."""

_NO_ROWS: dict[str, _Part] = {family: (family, b"", (), _NO_CELLS) for family in _FAMILIES}
"""The parts of readings without rows: one object for 300 interfaces."""


class PacketCounter:
    """A loaded counting program with its own maps, not attached to anything.

    ``link_layer`` is ``ip`` for links whose frames begin with the IP header (tun, wireguard). ``loaded`` is the object
    of these arguments if it is loaded already. Raises KernelError.
    """

    def __init__(
        self,
        program: ProgramName,
        direction: Direction,
        link_layer: LinkLayer = "ethernet",
        loaded: BpfObject | None = None,
    ) -> None:
        self.direction = direction
        self._object = loaded or counter_object(program, direction, link_layer)
        self.source: tuple[ProgramName, Mapping[str, int]] = (program, counter_constants(direction, link_layer))
        self._counters = CounterMap(self.map_fd, possible_cpus())
        self._last: tuple[str, CounterValues] | None = None  # label and counters of the reading before
        self._parts: dict[str, _Part] = {}  # name of a reading -> its parts
        self._protocols: Reading | None = None  # the newest reading of protocols

    @property
    def program(self) -> Program:
        return self._object.program

    @property
    def map_fd(self) -> int:
        """Return the file descriptor of the map that the program counts into. This object owns it."""
        return self._object.map_fd("counters")

    @property
    def batch(self) -> bool:
        """Return True if one batch call reads the map; kernels before 5.13 need single look-ups."""
        return self._counters.batch

    def read(self, label: str, epoch: int) -> dict[str, Reading]:
        """Return the program's families under ``reading_key(family, label, direction)``. Raises KernelError."""
        start_ns = time.monotonic_ns()
        counted = self._counters.read()
        end_ns = time.monotonic_ns()
        read_ns = (start_ns + end_ns) // 2
        if self._last is None or self._last != (label, counted):  # of 300 interfaces, most are idle
            self._last = label, counted
            parts = self._families(label, counted)
            self._parts = {reading_key(part[0], label, self.direction): part for part in parts}
        readings = {
            name: Reading(family, read_ns, 0, epoch, keys, values)
            for name, (family, _, keys, values) in self._parts.items()
        }
        # One read for all families: its cost is counted once, with the protocols.
        name, (family, _, keys, values) = next(iter(self._parts.items()))
        known, cost_ns = self._protocols, end_ns - start_ns
        if known is not None and known.values is values and known.epoch == epoch:  # and shares the sums over the CPUs
            protocols = known.read_again_at(read_ns, cost_ns)
        else:
            protocols = Reading(family, read_ns, cost_ns, epoch, keys, values)
        readings[name] = self._protocols = protocols
        return readings

    def _families(self, label: str, counted: CounterValues) -> Iterator[_Part]:
        """Yield the parts of each reading, the protocols first."""
        yield self._part("protocols", label, counted.protocol_numbers, counted.protocol_values)
        for family, start, stop, part in _spans(counted.cell_numbers):  # contiguous in the struct: each one is a slice
            if start == stop:
                yield _NO_ROWS[family]
            else:
                yield self._part(family, label, part, counted.cell_values[start * COLUMNS : stop * COLUMNS])

    def close(self) -> None:
        self._object.close()

    def with_flows(self, knobs: FlowKnobs) -> BpfObject:
        """Load the same program with a table of flows on this program's maps, so that it can replace this program.

        Raises KernelError.
        """
        program, constants = self.source
        return flows_object(program, constants, knobs, {"counters": self.map_fd})

    def packet_cost_ns(self) -> float:
        """Measure the ns that counting adds to a packet: a copy against an empty program, the least of test runs.

        The copy has its own maps, so the counters do not change. Raises BpftopError.
        """
        program, constants = self.source
        return _cost_ns(program, tuple(constants.items()))

    def _part(self, family: str, label: str, active: bytes, values: array[int]) -> _Part:
        """Return a part with the keys of the active rows: the same object while the set of rows is unchanged."""
        known = self._parts.get(reading_key(family, label, self.direction))
        if known is not None and known[1] == active:
            return family, known[1], known[2], values
        numbers = memoryview(active).cast("I")
        parts = ((number,) if family == "protocols" else BREAKDOWN_CELLS[number][1] for number in numbers)
        return family, active, tuple((label, self.direction, *part) for part in parts), values


@lru_cache(maxsize=64)  # interfaces have few different sets of active cells, and keep them
def _spans(active: bytes) -> tuple[tuple[str, int, int, bytes], ...]:
    """Return family, first and last+1 position among the active cells, and their numbers, for every family."""
    cells = memoryview(active).cast("I")
    spans = {family: (family, 0, 0, b"") for family in _FAMILIES}
    at = 0
    for family, group in groupby(cells, key=lambda cell: BREAKDOWN_CELLS[cell][0]):
        count = sum(1 for _ in group)
        spans[family] = (family, at, at + count, active[4 * at : 4 * (at + count)])
        at += count
    return tuple(spans.values())


def flows_object(
    program: ProgramName, constants: Mapping[str, int], knobs: FlowKnobs, shared: Mapping[str, int] | None = None
) -> BpfObject:
    """Load a counting program with a table of flows. Raises KernelError."""
    constants = {**constants, **knobs.constants}
    name = "thin_flows" if knobs.sample_1_in > 1 else "flows"
    loaded = BpfObject(name, program, constants, shared=shared, max_entries={"flows": knobs.buckets})
    return shrunk(loaded, ("flows", ".bss"))


@cache  # the same for every interface
def flows_cost_ns(program: ProgramName, constants: tuple[tuple[str, int], ...], sample_1_in: int) -> float:
    """Measure the ns that the table of flows adds to a packet: copies of both programs, the least of several test runs.

    The packets belong to flows that are in the table. Raises BpftopError.
    """
    from bpftop.kernel.bpf.flow_table import FlowKnobs

    knobs = dict(constants)
    with (
        closing(BpfObject("counter", program, knobs)) as plain,
        closing(flows_object(program, knobs, FlowKnobs(128, sample_1_in))) as counting,
    ):
        return _difference_ns(counting.program, plain.program, bare=bool(knobs["link_is_ip"]))


@cache  # the same for every interface
def _cost_ns(program: ProgramName, constants: tuple[tuple[str, int], ...]) -> float:
    with (
        closing(BpfObject("noop", _NOOPS[program])) as noop,
        closing(BpfObject("counter", program, dict(constants))) as counting,
    ):
        return _difference_ns(counting.program, noop.program, bare=bool(dict(constants)["link_is_ip"]))


def _difference_ns(program: Program, baseline: Program, bare: bool) -> float:
    """Measure with the most common packets of most machines, with or (``bare``) without the Ethernet header."""
    from bpftop.kernel.measure.frames import ETHERNET_BYTES, FRAMES

    frames = [FRAMES[name][ETHERNET_BYTES if bare else 0 :] for name in ("UDP", "TCP", "SYN")]
    return max(0.0, sum(_least_ns(program, frame) - _least_ns(baseline, frame) for frame in frames) / len(frames))


def _least_ns(program: Program, frame: bytes) -> int:
    return min(program.test_run(frame, 10_000).duration_ns for _ in range(3))
