"""The person's own programs under BPF_PROG_TEST_RUN, on one CPU and on several CPUs at once."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from os.path import basename
from statistics import median

from bpftop.errors import ENOTSUPP, BpftopError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.measure.program_object import ProgramEntry, list_programs
from bpftop.kernel.measure.timed_runs import Request
from bpftop.kernel.return_code import KernelError, errno_words
from bpftop.measure.machine import bench_cpus
from bpftop.measure.programs.concurrent_runs import run_on_cpus, undisturbed
from bpftop.measure.programs.costs import (
    CGROUP_BUDGET,
    TC_BUDGET,
    TRACING_BUDGET,
    XDP_BUDGET,
    Budget,
    ProgramRow,
    Skipped,
    budget_share,
    line_rate_share,
)
from bpftop.measure.programs.loading import load_object, size_of
from bpftop.measure.programs.suite import Contestant, Suite, no_time

_TURN_NS, _WINDOW_NS = 300_000, 4_000_000
_XDP_TURN_NS = 10_000_000  # each call also waits 8 to 16 ms until the kernel has switched its dispatcher
_LONGEST_TURN_NS = 50_000_000  # longest delay of an interrupt
_CONTEXT_BYTES = 96  # zeros: the arguments of a raw tracepoint, the argument of a syscall program

_XDP_RETURNS = {0: "XDP_ABORTED", 1: "XDP_DROP", 2: "XDP_PASS", 3: "XDP_TX", 4: "XDP_REDIRECT"}
_TC_RETURNS = {
    0xFFFFFFFF: "TC_ACT_UNSPEC",
    0: "TC_ACT_OK",
    1: "TC_ACT_RECLASSIFY",
    2: "TC_ACT_SHOT",
    3: "TC_ACT_PIPE",
    4: "TC_ACT_STOLEN",
    7: "TC_ACT_REDIRECT",
}


@dataclass(frozen=True)
class ProgramKind:
    """A program type that can be test-run.

    ``empty`` is an object and its empty program of this type. ``repeats``: the kernel accepts a repeat count.
    ``sleeps``: a call with a repeat count also waits, so that CPU time is measured.
    """

    empty: tuple[str, str] | None
    budget: Budget | None = None
    returns: Mapping[int, str] = field(default_factory=dict)
    repeats: bool = True
    sleeps: bool = False


KINDS: Mapping[str, ProgramKind] = {
    "xdp": ProgramKind(("noop", "noop_xdp"), XDP_BUDGET, _XDP_RETURNS, sleeps=True),
    "sched_cls": ProgramKind(("noop", "noop_tc"), TC_BUDGET, _TC_RETURNS),
    "sched_act": ProgramKind(("bench_empty", "empty_action"), TC_BUDGET, _TC_RETURNS),
    "socket_filter": ProgramKind(("bench_empty", "empty_socket")),
    "cgroup_skb": ProgramKind(("bench_empty", "empty_cgroup_skb"), CGROUP_BUDGET),
    "flow_dissector": ProgramKind(("bench_empty", "empty_flow_dissector")),
    "lwt_in": ProgramKind(("bench_empty", "empty_lwt_in")),
    "lwt_out": ProgramKind(("bench_empty", "empty_lwt_out")),
    "lwt_xmit": ProgramKind(("bench_empty", "empty_lwt_xmit")),
    "raw_tracepoint": ProgramKind(("bench_empty", "empty_raw_tp"), TRACING_BUDGET, repeats=False),
    "syscall": ProgramKind(("bench_empty", "empty_syscall"), repeats=False),
}
"""libbpf's name of a program type -> its kind. Other types are tried as types that take packets."""

_XDP_FRAGS = ProgramKind(("noop", "noop_xdp_frags"), XDP_BUDGET, _XDP_RETURNS, sleeps=True)
_UNKNOWN = ProgramKind(None)


@dataclass(frozen=True)
class OwnProgram:
    """A program of an object file. ``others``: the programs of the same type in the file."""

    name: str
    path: str
    entry: ProgramEntry
    others: tuple[str, ...]

    @property
    def kind(self) -> ProgramKind:
        if self.entry.type == "xdp" and self.entry.section.startswith("xdp.frags"):
            return _XDP_FRAGS
        return KINDS.get(self.entry.type, _UNKNOWN)

    def load(self, stack: ExitStack) -> BpfObject:
        """Load the program with maps of its own. If that fails, load all programs of its type for tail calls."""
        name = basename(self.path)
        try:
            return load_object(stack, name, (self.entry.name,), self.path)
        except KernelError as alone:
            try:
                return load_object(stack, name, (self.entry.name, *self.others), self.path)
            except KernelError:
                raise alone from None


def choose(paths: Sequence[str], program: str | None) -> list[OwnProgram]:
    """Return the program of this name, or the only program, of each object file. Raises BpftopError with the list."""
    programs = []
    wanted = list(dict.fromkeys(paths))
    names = Counter(basename(path) for path in wanted)
    for path in wanted:
        entries = list_programs(path)
        entry = _select(path, entries, program)
        others = tuple(each.name for each in entries if each.type == entry.type and each.name != entry.name)
        label = basename(path) if names[basename(path)] == 1 else path
        programs.append(OwnProgram(f"{label}:{entry.name}", path, entry, others))
    return programs


def _select(path: str, entries: Sequence[ProgramEntry], program: str | None) -> ProgramEntry:
    names = ", ".join(entry.name for entry in entries)
    if not entries:
        raise BpftopError(f'{path} has no BPF program; name an object with one in a section such as SEC("xdp")')
    if program is None and len(entries) > 1:
        raise BpftopError(f"{path} has {len(entries)} programs: {names}; choose one with --program NAME")
    for entry in entries:
        if program in (None, entry.name):
            return entry
    raise BpftopError(f"{path} has no program {program}; it has {names}")


@dataclass(frozen=True)
class OwnObjects(Suite):
    """The suite of ``bpftop bench --object``. ``repeat``: runs per measurement; None: about 0.3 ms, for XDP 10 ms."""

    programs: Sequence[OwnProgram]
    frames: Mapping[str, bytes]
    repeat: int | None = None
    crowded = True

    @property
    def expected_s(self) -> float:
        windows_ns = sum(2 * (_XDP_TURN_NS + 16_000_000 if each.kind.sleeps else _WINDOW_NS) for each in self.programs)
        return self.rounds * len(self.cpu_sets()) * len(self.frames) * windows_ns / 1e9

    def contestants(self) -> Iterator[tuple[str, str]]:
        for each in self.programs:
            yield each.name, each.entry.section

    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        for each in self.programs:
            yield _OwnRuns(each, self, stack, stop).contestant()

    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        return _sentence(rows, self.programs)

    def taken_off(self, empty_ns: Sequence[float]) -> str:
        without = [each.name for each in self.programs if each.kind.empty is None]
        return "an empty program of the same type" + (f", but not from {', '.join(without)}" if without else "")


def own_objects(programs: Sequence[OwnProgram], frames: Mapping[str, bytes], repeat: int | None = None) -> OwnObjects:
    """Return the suite of these programs, each of which is run on each of these frames."""
    packets = any(each.kind.repeats for each in programs)
    unit = "packet" if packets else "call"
    over = f"over {len(frames)} frame{'s' * (len(frames) != 1)}, " if packets else ""
    title = f"Your program{'s' * (len(programs) != 1)} under BPF_PROG_TEST_RUN {over}ns per {unit}"
    budgets = {each.kind.budget for each in programs}
    budget = budgets.pop() if len(budgets) == 1 else None
    return OwnObjects("object", title, programs, frames, repeat, unit=unit, rounds=5, budget=budget)


class _OwnRuns:
    """Runs of a loaded program, and of an empty program of the same type, on each frame."""

    def __init__(self, chosen: OwnProgram, suite: OwnObjects, stack: ExitStack, stop: Stop) -> None:
        self.chosen, self._suite = chosen, suite
        self._program = chosen.load(stack).programs[chosen.entry.name]
        empty = chosen.kind.empty
        self._empty = None if empty is None else load_object(stack, empty[0], (empty[1],)).program
        frames = list(suite.frames.values()) if chosen.kind.repeats else [b""]
        self._returns = Counter(self._first_run(frame, stop) for frame in frames)
        self._requests = [self._calibrated(frame, stop) for frame in frames]

    def contestant(self) -> Contestant:
        name, section, size = self.chosen.name, self.chosen.entry.section, size_of(self._program)
        measure = partial(self._mean_ns, self._program)
        measure_empty = no_time if self._empty is None else partial(self._mean_ns, self._empty)
        return Contestant(name, section, measure, measure_empty, size, self._returned())

    def _request(self, frame: bytes, runs: int) -> Request:
        if self.chosen.kind.repeats:
            return Request(frame, repeat=runs)
        return Request(context=bytes(_CONTEXT_BYTES), repeat=0, calls=runs)

    def _first_run(self, frame: bytes, stop: Stop) -> int:
        """Run the program once, and return its return value. Raises BpftopError if the kernel refuses the run."""
        kind = self.chosen.entry.type
        try:
            return run_on_cpus(self._program, self._request(frame, 1), bench_cpus()[:1], 0, stop)[0][0].retval
        except KernelError as error:
            if error.errno in (ENOTSUPP, errno.EOPNOTSUPP):
                why = (
                    f"BPF_PROG_TEST_RUN does not run programs of type {kind}; it runs {', '.join(KINDS)} and few others"
                )
            elif error.errno == errno.EINVAL:
                what = f"frame of {len(frame)} bytes" if frame else "context of zeros"
                why = f"the kernel takes no {what} for type {kind}"
            else:
                why = "try another --packet"
            what = f"{self.chosen.entry.name} of {self.chosen.path}"
            raise BpftopError(f"cannot test-run {what}: {errno_words(error.errno)}; {why}") from error

    def _calibrated(self, frame: bytes, stop: Stop) -> Request:
        """Return a request with the number of runs of a turn, limited so that an interrupt does not wait long."""
        cpu, trial = bench_cpus()[:1], 1000
        turn = run_on_cpus(self._program, self._request(frame, trial), cpu, 0, stop)[0][0]
        each_ns = max(self._turn_ns(turn.ns, turn.cpu_ns) / trial, 1.0)
        turn_ns = _XDP_TURN_NS if self.chosen.kind.sleeps else _TURN_NS
        wanted = self._suite.repeat or round(turn_ns / each_ns)
        return self._request(frame, max(1, min(wanted, round(_LONGEST_TURN_NS / each_ns))))

    def _turn_ns(self, wall_ns: int, cpu_ns: int) -> int:
        return cpu_ns if self.chosen.kind.sleeps else wall_ns

    def _mean_ns(self, program: Program, cpus: Sequence[int], stop: Stop) -> float:
        """Return the mean over the frames of the median over the turns."""
        return sum(self._run_ns(program, request, cpus, stop) for request in self._requests) / len(self._requests)

    def _run_ns(self, program: Program, request: Request, cpus: Sequence[int], stop: Stop) -> float:
        sleeps = self.chosen.kind.sleeps
        times: list[float] = []
        done = 0
        while done < (self._suite.repeat or 1):
            turns = run_on_cpus(program, request, cpus, 0 if sleeps else _WINDOW_NS, stop)
            done += request.runs * min(map(len, turns))
            usable = [turn for each in turns for turn in each] if sleeps else undisturbed(turns)
            times += [self._turn_ns(turn.ns, turn.cpu_ns) / request.runs for turn in usable]
        return median(times)

    def _returned(self) -> str:
        names = {value: self.chosen.kind.returns.get(value, str(value)) for value in self._returns}
        if len(names) == 1:
            return next(iter(names.values()))
        return ", ".join(f"{names[value]} {count}" for value, count in self._returns.most_common())


def _sentence(rows: Sequence[ProgramRow], programs: Sequence[OwnProgram]) -> str:
    kinds = {each.name: each.kind for each in programs}
    best = min(rows, key=lambda row: row.ns)
    words = []
    for row in sorted(rows, key=lambda row: row.ns):
        budget = kinds[row.name].budget
        shares = [budget_share(row.ns, budget)] if budget else []
        shares += [line_rate_share(row.ns)] if budget in (XDP_BUDGET, TC_BUDGET) else []
        crowded = f", {row.crowded.ns:.1f} ns on {row.crowded.cpus} CPUs at once" if row.crowded.cpus > 1 else ""
        slower = f" ({row.ns / best.ns:.1f} times {best.name})" if row is not best and best.ns >= 0.01 else ""
        takes = f"{row.name} takes {row.ns:.1f} ns{slower}{crowded}"
        words.append(f"{takes}: {' and '.join(shares)}" if shares else takes)
    return "; ".join(words) + "."
