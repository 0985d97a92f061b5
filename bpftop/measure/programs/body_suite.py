"""Suites of bodies: each body runs many times inside one run of a BPF program, and the bodies take turns.

The cost of a body is the time of its program minus the time of a program with an empty body in the same round. The
programs are in ``bpf_objects/bench_*.bpf.c``; each returns the number of bodies that it ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.measure.frames import NUMBER_AT, request_packet
from bpftop.kernel.measure.timed_runs import Request
from bpftop.kernel.return_code import KernelError
from bpftop.measure.machine import bench_cpus
from bpftop.measure.programs.concurrent_runs import run_on_cpus, undisturbed
from bpftop.measure.programs.costs import ProgramRow, Skipped
from bpftop.measure.programs.loading import load_object
from bpftop.measure.programs.suite import Contestant, Costs, Suite

Harness = Literal["xdp", "tc", "raw_tp"]
"""Ways in which a program repeats its body: by a number of rounds in the packet (xdp) or in the context (raw_tp), or
by the kernel's repeat count (tc). A repeat count costs XDP milliseconds, and raw_tp refuses it."""

TURN_NS = 300_000  # a test run: short, so that few are disturbed; long against the 2 µs of the call
ALONE_NS, CROWDED_NS = 8_000_000, 16_000_000  # of a body in a round

_BODIES = 32  # BENCH_BODIES of bench.bpf.h
_MOST_ROUNDS: Mapping[Harness, int] = {"xdp": 4096, "raw_tp": 4096, "tc": 100_000}  # BENCH_ROUNDS_MAX; tc: no limit
_FIRST_ROUNDS = 16
_RAW_TP_ARGUMENTS = 12


class BodyProgram:
    """A loaded program of the bench that runs a body many times. ``run`` counts the bodies that it has run."""

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

    def measure(self, cpus: Sequence[int], stop: Stop) -> float:
        """Return the time of a body in a round on these CPUs at once. Raises KernelError, Stopped."""
        return median(self.times_ns(cpus, CROWDED_NS if len(cpus) > 1 else ALONE_NS, stop))

    def times_ns(self, cpus: Sequence[int], window_ns: int, stop: Stop) -> list[float]:
        """Run the program on all these CPUs for a window, and return the time of a body in each turn.

        Raises KernelError, and Stopped if ``stop`` is set.
        """
        request = self._request()
        turns = run_on_cpus(self.program, request, cpus, window_ns, stop)
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


BodyKey = tuple[str, str]
"""An object (``bpf_objects/NAME.bpf.c``) and one of its programs."""


@dataclass(frozen=True)
class Body:
    """A contestant: the body of a program, compared with an ``empty`` body. ``obstacle`` returns why not to run it.

    ``object``, ``empty`` and ``harness`` replace the suite's. An empty program is in the object of the suite.
    """

    name: str
    program: str
    what: str
    object: str = ""
    empty: str = ""
    harness: Harness | None = None
    obstacle: Callable[[], str] = str


@dataclass(frozen=True)
class BodySuite(Suite):
    """Bodies, and the conclusion from their costs.

    ``conclude`` may raise KeyError for a skipped contestant. ``together``: load objects as a whole, so that their
    programs share maps; else each program has maps of its own, and the kernel can refuse a single program.
    """

    conclude: Callable[[Costs], str]
    object: str
    bodies: tuple[Body, ...]
    empty: str = "empty"
    harness: Harness = "xdp"
    together: bool = False

    @property
    def expected_s(self) -> float:
        return (ALONE_NS * self.rounds / 1e9 + 0.015) * (len(self.bodies) + 1)

    def contestants(self) -> Iterator[tuple[str, str]]:
        for body in self.bodies:
            yield body.name, body.what

    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        refused: dict[BodyKey, str] = {}
        wanted: dict[BodyKey, Harness] = {}
        for body in self.bodies:
            key, empty = self._keys(body)
            if reason := body.obstacle():
                refused[key] = reason
            else:
                wanted[empty] = wanted[key] = body.harness or self.harness
        programs: dict[BodyKey, BodyProgram] = {}
        for group in self._groups(list(wanted)):
            try:
                loaded = load_object(stack, group[0][0], () if self.together else (group[0][1],))
                for key in group:
                    programs[key] = BodyProgram(loaded.programs[key[1]], wanted[key])
            except KernelError as error:
                refused.update(dict.fromkeys(group, str(error)))
        for key, program in programs.items():
            try:
                program.warm_up(bench_cpus()[:1], stop)
            except KernelError as error:  # the program loads, but this kernel does not test-run its type
                refused[key] = str(error)
        for body in self.bodies:
            key, empty = self._keys(body)
            if reason := refused.get(key) or refused.get(empty, ""):
                yield Skipped(body.name, reason)
            else:
                yield Contestant(body.name, body.what, programs[key].measure, programs[empty].measure)

    def _keys(self, body: Body) -> tuple[BodyKey, BodyKey]:
        """Return the program of a body, and the program with its empty body."""
        return (body.object or self.object, body.program), (self.object, body.empty or self.empty)

    def _groups(self, keys: list[BodyKey]) -> list[list[BodyKey]]:
        if not self.together:
            return [[key] for key in keys]
        return [[key for key in keys if key[0] == name] for name in dict.fromkeys(name for name, _ in keys)]

    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        return self.conclude({row.name: row.ns for row in rows})

    def taken_off(self, empty_ns: Sequence[float]) -> str:
        return f"an empty body: {', '.join(f'{ns:.2f} ns' for ns in empty_ns)}" if empty_ns else ""
