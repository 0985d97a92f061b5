"""Suites of bodies: each body runs many times inside one run of a BPF program, and the bodies take turns.

The cost of a body is the time of its program minus the time of a program with an empty body in the same round. The
programs are in ``bpf_objects/bench_*.bpf.c``; each returns the number of bodies that it ran.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.check import KernelError
from bpftop.kernel.measure.contend import Request
from bpftop.kernel.measure.program_object import BenchObject
from bpftop.measure.conditions import bench_cpus, permitted
from bpftop.measure.programs.costs import ProgramRow, Skipped, SuiteProgress, SuiteTable, cost
from bpftop.measure.programs.frames import NUMBER_AT, request_packet
from bpftop.measure.programs.rounds import run_rounds
from bpftop.measure.programs.test_run_windows import contend, undisturbed

Harness = Literal["xdp", "tc", "raw_tp"]
"""How a program repeats its body: by a number of rounds in the packet (xdp) or in the context (raw_tp), or by the
kernel's repeat count (tc). A repeat count costs XDP milliseconds, and raw_tp refuses it."""

ROUNDS = 9
TURN_NS = 300_000  # a test run: short, so that few are disturbed; long against the 2 µs of the call
ALONE_NS, CROWDED_NS = 8_000_000, 16_000_000  # of a body in a round

_BODIES = 32  # BENCH_BODIES of bench.bpf.h
_MOST_ROUNDS: Mapping[Harness, int] = {"xdp": 4096, "raw_tp": 4096, "tc": 100_000}  # BENCH_ROUNDS_MAX; tc: no limit
_FIRST_ROUNDS = 16
_RAW_TP_ARGUMENTS = 12


class Entrant:
    """A loaded program of the bench. ``run`` is the number of bodies that it has run."""

    def __init__(self, program: Program, harness: Harness = "xdp", burst: bytes = b"") -> None:
        self.program = program
        self.run = 0
        self._harness, self._burst = harness, burst
        self._rounds = _FIRST_ROUNDS

    def warm_up(self, cpus: Sequence[int], stop: Stop) -> None:
        """Fill maps and caches, and choose the number of rounds of a turn. Raises KernelError, Stopped."""
        self.times_ns(cpus, TURN_NS, stop)
        body_ns = median(self.times_ns(cpus, TURN_NS, stop))
        self._rounds = max(1, min(_MOST_ROUNDS[self._harness], round(TURN_NS / max(body_ns, 0.01) / _BODIES)))

    def times_ns(self, cpus: Sequence[int], window_ns: int, stop: Stop) -> list[float]:
        """Run the program on all these CPUs for a window, and return the time of a body in each turn.

        Raises KernelError, and Stopped if ``stop`` is set.
        """
        request = self._request()
        turns = contend(self.program, request, cpus, window_ns, stop)
        for each in turns:
            for turn in each:
                if not turn.retval:
                    raise BpftopError(f"the program {self.program.name} of the bench did nothing; reinstall bpftop")
                self.run += turn.retval * request.runs
        # With a repeat count of 1 the kernel reports the time of the run alone, without the system call.
        exact = self._harness == "xdp"
        return [(turn.duration_ns if exact else turn.ns) / (turn.retval * request.runs) for turn in undisturbed(turns)]

    def _request(self) -> Request:
        if self._harness == "raw_tp":
            arguments = (self._rounds, *[0] * (_RAW_TP_ARGUMENTS - 1))
            context = b"".join(argument.to_bytes(8, "little") for argument in arguments)
            return Request(context=context, repeat=0, number_at=8)
        packet = request_packet(self._rounds, self._burst)
        return Request(packet, repeat=self._rounds if self._harness == "tc" else 1, number_at=NUMBER_AT)


Key = tuple[str, str]
"""An object (``bpf_objects/NAME.bpf.c``) and one of its programs."""


@dataclass(frozen=True)
class Body:
    """A contestant: the body of a program, compared with an ``empty`` body. ``obstacle`` returns why not to run it."""

    name: str
    what: str
    key: Key
    empty: Key
    harness: Harness = "xdp"
    obstacle: Callable[[], str] = str


Costs = Mapping[str, float]
"""Contestant -> ns of a body above an empty body. Skipped contestants are missing."""


@dataclass(frozen=True)
class BodySuite:
    """Bodies, and the conclusion from their costs.

    ``verdict`` may raise KeyError for a skipped contestant. ``together``: load objects as a whole, so that their
    programs share maps; else each program has maps of its own, and the kernel can refuse a single program. ``remarks``
    returns a remark for some of the rows.
    """

    name: str
    title: str
    bodies: tuple[Body, ...]
    verdict: Callable[[Costs], str]
    together: bool = False
    unit: str = "body"
    remarks: Callable[[Costs], Mapping[str, str]] = field(default=lambda _: {})

    @property
    def expected_s(self) -> float:
        return (ALONE_NS * ROUNDS / 1e9 + 0.015) * (len(self.bodies) + 1)

    def contestants(self) -> Iterator[tuple[str, str]]:
        """Yield name and description of each possible row."""
        for body in self.bodies:
            yield body.name, body.what

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        return run_rounds(_BodyRace(self), ROUNDS, stop)


class _BodyRace:
    """A run of a suite."""

    def __init__(self, suite: BodySuite) -> None:
        self._suite = suite
        self._entrants: dict[Key, Entrant] = {}
        self._times: dict[Key, list[float]] = {}
        self._refused: dict[Key, str] = {}

    def load(self, stack: ExitStack, stop: Stop) -> None:
        wanted: dict[Key, Harness] = {}
        for body in self._suite.bodies:
            if reason := body.obstacle():
                self._refused[body.key] = reason
            else:
                wanted[body.empty] = wanted[body.key] = body.harness
        for group in self._groups(list(wanted)):
            try:
                loaded = permitted(BenchObject, group[0][0], () if self._suite.together else (group[0][1],))
            except KernelError as error:
                self._refused.update(dict.fromkeys(group, str(error)))
                continue
            stack.callback(loaded.close)
            for key in group:
                self._entrants[key] = Entrant(loaded.programs[key[1]], wanted[key])
                self._times[key] = []
        for key, entrant in list(self._entrants.items()):
            try:
                entrant.warm_up(bench_cpus()[:1], stop)
            except KernelError as error:  # the program loads, but this kernel does not test-run its type
                del self._entrants[key]
                self._refused[key] = str(error)

    def _groups(self, keys: list[Key]) -> list[list[Key]]:
        if not self._suite.together:
            return [[key] for key in keys]
        return [[key for key in keys if key[0] == name] for name in dict.fromkeys(name for name, _ in keys)]

    def round(self, stop: Stop) -> None:
        cpu = bench_cpus()[:1]
        times_ns = {key: median(each.times_ns(cpu, ALONE_NS, stop)) for key, each in self._entrants.items()}
        for key, ns in times_ns.items():
            self._times[key].append(ns)

    def table(self, partial: bool) -> SuiteTable:
        suite = self._suite
        measured = [body for body in suite.bodies if self._times.get(body.key) and self._times.get(body.empty)]
        rows = tuple(
            ProgramRow(body.name, body.what, (cost(1, self._times[body.key], self._times[body.empty]),))
            for body in measured
        )
        skipped = tuple(Skipped(body.name, reason) for body in suite.bodies if (reason := self._reason(body)))
        costs = {row.name: row.ns for row in rows}
        remarks = suite.remarks(costs)
        rows = tuple(replace(row, remark=remarks.get(row.name, "")) for row in rows)
        return SuiteTable(
            suite.name,
            suite.title,
            suite.unit,
            rows,
            suite.bodies[0].name,
            "" if partial else verdict(suite.verdict, costs, skipped),
            skipped,
            self._taken_off(),
            partial=partial,
        )

    def _reason(self, body: Body) -> str:
        return self._refused.get(body.key) or self._refused.get(body.empty, "")

    def _taken_off(self) -> str:
        keys = dict.fromkeys(body.empty for body in self._suite.bodies)
        empty = [f"{median(self._times[key]):.2f} ns" for key in keys if self._times.get(key)]
        return f"an empty body: {', '.join(empty)}" if empty else ""


def verdict(make: Callable[[Costs], str], costs: Costs, skipped: Sequence[Skipped]) -> str:
    """Return the sentence, or why there is no verdict."""
    try:
        return make(costs)
    except KeyError:
        return f"No verdict: this kernel refused {', '.join(each.name for each in skipped)}."
