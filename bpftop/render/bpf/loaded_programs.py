"""Rows and columns of the list of loaded BPF programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from bpftop.fields import frozen, replace
from bpftop.model.bpf.inventory import BpfInventory, BpfProgram, ProgramRates, program_rates
from bpftop.model.readings import Key, RatedReading
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import rfc3339
from bpftop.model.units import UNKNOWN, ns, pct, si
from bpftop.render.columns import Column, change_look, change_text, clipped
from bpftop.render.comparison import ratio


@frozen
class LoadedProgramLine:
    """A program with its rates. ``where``: its attachments. ``owners``: who holds it. Empty is unknown."""

    prog_id: int
    type: str
    name: str
    where: str
    owners: str
    rates: ProgramRates
    misses: int | None
    insns: int | None
    jited_bytes: int | None
    memory_bytes: int | None
    cpu_pct_then: float | None = None
    """Percent of one CPU at an earlier moment, to compare with."""

    @property
    def key(self) -> str:
        return str(self.prog_id)

    @property
    def searched(self) -> str:
        """Return the text that a filter looks at, in lower case."""
        return f"{self.prog_id} {self.type} {self.name} {self.where} {self.owners}".lower()


def loaded_program_lines(before: BpfInventory | None, now: BpfInventory) -> list[LoadedProgramLine]:
    """Return a line per program, the one that takes most CPU time first; programs of equal cost by id."""
    return _ordered(
        LoadedProgramLine(
            prog_id,
            program.type,
            program.name,
            ", ".join(program.attached) or ("pinned only" if program.pinned else ""),
            ", ".join([str(owner) for owner in program.owners] or [f"pin {path}" for path in program.pinned]),
            program_rates(before, now, prog_id),
            now.runs[prog_id].recursion_misses,
            program.insns,
            program.jited_bytes,
            program.memory_bytes,
        )
        for prog_id, program in now.programs.items()
    )


def recorded_program_lines(
    snapshot: Snapshot, earlier: Callable[[int], float | None] = lambda prog_id: None
) -> list[LoadedProgramLine]:
    """Return the same from the readings of a snapshot, live or recorded; none where they were not read.

    ``earlier`` returns the percent of a CPU that a program took at an earlier moment, by its id.
    """
    runs, sizes = snapshot.reading("bpf_programs"), snapshot.reading("bpf_program_sizes")
    if runs is None:
        return []
    added_ns, are_on = _statistics(snapshot)
    lines = (_recorded_line(key, runs, sizes, added_ns, are_on) for key in runs.keys)
    with_past = [replace(each, cpu_pct_then=earlier(each.prog_id)) for each in lines]
    return sorted(with_past, key=lambda line: (-_cost_rank(line.rates.cpu_pct), line.prog_id))


def _cost_rank(cpu_pct: float | None) -> int:
    """Return the power of two of a cost: costs within a factor of two count as equal, so that no row jumps."""
    return math.frexp(max(cpu_pct or 0.0, LEAST_COST_PCT))[1]


def _recorded_line(
    key: Key, runs: RatedReading, sizes: RatedReading | None, added_ns: float, are_on: bool
) -> LoadedProgramLine:
    count, time_ns = runs.value(key, "run_cnt"), runs.value(key, "run_time_ns")
    per_sec, ns_per_sec = runs.per_sec(key, "run_cnt"), runs.per_sec(key, "run_time_ns")
    each_ns = max(0.0, ns_per_sec / per_sec - added_ns) if per_sec and ns_per_sec is not None else None
    rates = ProgramRates(
        runs_per_sec=per_sec if are_on else None,
        ns_per_run=each_ns,
        total_ns_per_run=max(0.0, time_ns / count - added_ns) if count and time_ns is not None else None,
        cpu_pct=per_sec * (each_ns or 0.0) / 1e7 if are_on and per_sec is not None else None,
    )
    prog_id, kind, name, where, owners = map(str, key)
    insns, jited, memory = (
        None if sizes is None else sizes.value(key, column) for column in ("insns", "jited_bytes", "memory_bytes")
    )
    misses = runs.value(key, "recursion_misses")
    return LoadedProgramLine(int(prog_id), kind, name, where, owners, rates, misses, insns, jited, memory)


def _statistics(snapshot: Snapshot) -> tuple[float, bool]:
    """Return the nanoseconds that run statistics add to a run, and whether they are on."""
    reading = snapshot.reading("bpf_statistics")
    if reading is None:
        return 0.0, False
    return (reading.value((), "added_ps") or 0) / 1000, bool(reading.value((), "are_on"))


def _ordered(lines: Iterable[LoadedProgramLine]) -> list[LoadedProgramLine]:
    return sorted(lines, key=lambda line: (-(line.rates.cpu_pct or 0.0), line.prog_id))


def _pct(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}" if value < 9.995 else f"{value:.1f}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def _kib(size: int | None) -> str:
    """Return ``28``, ``0.43``: small programs have less than half a KiB of machine code, and 0 means interpreted."""
    return UNKNOWN if size is None else f"{size / 1024:.2g}" if size < 1024 else f"{size / 1024:.0f}"


def where_text(where: str, width: int) -> str:
    """Return the attachments; of a cgroup whose path is too long, the end stays: ``egress …journald.service``."""
    hook, _, path = where.removeprefix("cgroup ").partition(" /")
    room = width - len(hook) - 2
    if len(where) <= width or not path or room < _PATH_LEAST or ", " in where:
        return clipped(where, width)
    return f"{hook} …{path[-room:]}"


_PATH_LEAST = 8
"""Cells of a path that are worth more than its beginning."""

LEAST_COST_PCT = 0.01
"""Percent of a CPU below which programs on the screen are in the order of their ids."""

VERIFIED_MAX = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS of include/linux/bpf.h."""

_INFO = "bpf_prog_info of the kernel, as in bpftool prog"
_STATISTICS = "run_time_ns and run_cnt of bpf_prog_info, while the statistics are on"

LOADED_PROGRAM_COLUMNS: tuple[Column[LoadedProgramLine], ...] = (
    Column("id", "id", "number", 8, "id of the program in the kernel", lambda line: line.prog_id, form=str, gap=0,
          source=_INFO),
    Column("type", "type", "", 15, "type of the program, as in bpftool", lambda line: line.type,
           lambda line, width: clipped(line.type, width), left=True, gap=2, rank=1, source=_INFO),
    Column("name", "name", "", 20, "name of the entry function by BTF; without BTF the kernel's name, at most 15 bytes",
           lambda line: line.name, lambda line, width: clipped(line.name, width), left=True,
           stretch=12, look="name", source="BTF of the program, else bpf_prog_info"),
    Column("cpu", "% CPU", "%", 8, "time in the program, in percent of one CPU, without the time of the statistics",
           lambda line: line.rates.cpu_pct, form=_pct, look="bar", source=_STATISTICS),
    Column("runs", "runs/s", "1/s", 9, "runs of the program per second (run_cnt)",
           lambda line: line.rates.runs_per_sec, source=_STATISTICS),
    Column("ns", "ns/run", "ns", 9, "mean time of a run in the last interval, without the time of the statistics",
           lambda line: line.rates.ns_per_run, form=ns, source=_STATISTICS),
    Column("total_ns", "total ns/run", "ns", 13, "mean time of all runs that were ever counted",
           lambda line: line.rates.total_ns_per_run, form=ns, rank=4, source=_STATISTICS),
    Column("misses", "missed", "runs", 8, "runs that the kernel left out, as the program ran on that CPU already",
           lambda line: line.misses, rank=5, source="recursion_misses of bpf_prog_info"),
    Column("insns", "insns", "instructions", 8, "instructions after the verifier's changes (xlated)",
           lambda line: line.insns, form=_count, rank=6, source=_INFO),
    Column("jited", "JIT KiB", "KiB", 8, "size of the machine code", lambda line: line.jited_bytes,
           lambda line, _: _kib(line.jited_bytes), rank=7, source=_INFO),
    Column("memory", "mem KiB", "KiB", 8, "memory that the kernel charges for the program (memlock of its fdinfo)",
           lambda line: line.memory_bytes, form=_kib, rank=6, source="/proc/PID/fdinfo, memlock"),
    Column("attached", "attached to", "", 24, "links, netlink and clsact attachments: kind, hook, and interface, "
           "function or cgroup", lambda line: line.where, lambda line, width: where_text(line.where, width), left=True,
           gap=2, stretch=20, rank=2, source="the kernel's list of BPF links, rtnetlink, tc filters"),
    Column("owners", "held by", "", 22, "processes that hold the program or a link to it, with container or unit; else "
           "its pins", lambda line: line.owners, lambda line, width: clipped(line.owners, width), left=True, gap=2,
           stretch=40, rank=3, source="the kernel's iterator over open files; bpffs for pins"),
)  # fmt: skip


PROGRAM_FACTOR = Column[LoadedProgramLine](
    "factor", "vs 1 min ago", "times", 13,
    "how many times as much CPU time as one minute ago (mean of 5 s); after `m`, as at the mark; "
    "new: it did not run then", lambda line: ratio(line.rates.cpu_pct, line.cpu_pct_then),
    lambda line, _: change_text(line.rates.cpu_pct, line.cpu_pct_then), rank=4,
    look=lambda line: change_look(line.rates.cpu_pct, line.cpu_pct_then), source=_STATISTICS,
)  # fmt: skip
"""The column of a screen, which has a past."""

PROGRAM_SCREEN_COLUMNS = (*LOADED_PROGRAM_COLUMNS[:7], PROGRAM_FACTOR, *LOADED_PROGRAM_COLUMNS[7:])


def program_detail(line: LoadedProgramLine, now: BpfInventory) -> list[tuple[str, str]]:
    """Return everything that is known about a program, as pairs of a title and a text."""
    program = now.programs[line.prog_id]
    maps = [now.maps[map_id] for map_id in program.map_ids if map_id in now.maps]
    return [
        ("name", f"{program.name} (id {program.prog_id}, tag {program.tag})"),
        ("type", program.type),
        ("attached to", line.where or "nothing that the kernel reports"),
        ("held by", line.owners or "nobody that is visible here"),
        ("pinned at", ", ".join(program.pinned) or "nowhere"),
        ("maps", ", ".join(f"{each.name or each.type} ({each.map_id})" for each in maps) or "none"),
        ("instructions", str(program.insns)),
        ("verifier", verifier_text(program)),
        ("machine code", f"{program.jited_bytes} bytes" if program.jited_bytes else "none: interpreted"),
        ("loaded", loaded_text(program)),
    ]


def loaded_text(program: BpfProgram) -> str:
    """Return when and by whom the program was loaded."""
    return f"{rfc3339(program.loaded_at_ns)} by uid {program.created_by_uid}"


def verifier_text(program: BpfProgram) -> str:
    """Return what the verifier did for the program, beside what it allows at most."""
    walked = program.verified_insns
    if not walked:
        return "not told by this kernel (before Linux 5.16)"
    times = f", each about {walked / program.insns:.1f} times" if walked > program.insns > 0 else ""
    return f"walked {si(walked)} instructions{times}; {pct(walked / VERIFIED_MAX)} of the {si(VERIFIED_MAX)} it allows"
