"""Rows and columns of the list of loaded BPF programs."""

from __future__ import annotations

from bpftop.fields import frozen
from bpftop.model.bpf_inventory import BpfInventory, BpfProgram, ProgramRates, program_rates
from bpftop.model.units import UNKNOWN, ns, si
from bpftop.render.columns import Column, clipped


@frozen
class LoadedProgramLine:
    """A program with its rates."""

    program: BpfProgram
    rates: ProgramRates
    misses: int

    @property
    def key(self) -> str:
        return str(self.program.prog_id)

    @property
    def where(self) -> str:
        return ", ".join(self.program.attached) or ("pinned only" if self.program.pinned else "")

    @property
    def owners(self) -> str:
        names = [str(owner) for owner in self.program.owners] or [f"pin {path}" for path in self.program.pinned]
        return ", ".join(names)


def loaded_program_lines(before: BpfInventory | None, now: BpfInventory) -> list[LoadedProgramLine]:
    """Return a line per program, the one that takes most CPU time first; programs of equal cost by id."""
    lines = [
        LoadedProgramLine(program, program_rates(before, now, prog_id), now.runs[prog_id].recursion_misses)
        for prog_id, program in now.programs.items()
    ]
    return sorted(lines, key=lambda line: (-(line.rates.cpu_pct or 0.0), line.program.prog_id))


def _pct(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}" if value < 9.995 else f"{value:.1f}"


def _kib(size: int | None) -> str:
    return UNKNOWN if size is None else f"{size / 1024:.0f}"


LOADED_PROGRAM_COLUMNS: tuple[Column[LoadedProgramLine], ...] = (
    Column("id", "id", "", 8, "id of the program in the kernel", lambda line: line.program.prog_id, form=str, gap=0),
    Column("type", "type", "", 15, "type of the program, as in bpftool", lambda line: line.program.type,
           lambda line, width: clipped(line.program.type, width), left=True, gap=2),
    Column("name", "name", "", 20, "name of the entry function by BTF; without BTF the kernel's name, at most 15 bytes",
           lambda line: line.program.name, lambda line, width: clipped(line.program.name, width), left=True,
           stretch=12, look="name"),
    Column("cpu", "% CPU", "%", 8, "time in the program, in percent of one CPU, without the time of the statistics",
           lambda line: line.rates.cpu_pct, form=_pct, look="bar"),
    Column("runs", "runs/s", "1/s", 9, "runs of the program per second (run_cnt)",
           lambda line: line.rates.runs_per_sec),
    Column("ns", "avg", "ns", 9, "mean time of a run in the last interval, without the time of the statistics",
           lambda line: line.rates.ns_per_run, form=ns),
    Column("total_ns", "avg all", "ns", 9, "mean time of all runs that were ever counted",
           lambda line: line.rates.total_ns_per_run, form=ns, rank=3),
    Column("misses", "missed", "", 8, "runs that the kernel left out, as the program ran on that CPU already",
           lambda line: line.misses, rank=4),
    Column("insns", "insns", "", 8, "instructions after the verifier's changes (xlated)",
           lambda line: line.program.insns, form=str, rank=5),
    Column("jited", "JIT KiB", "KiB", 8, "size of the machine code", lambda line: line.program.jited_bytes,
           lambda line, _: _kib(line.program.jited_bytes), rank=6),
    Column("memory", "mem KiB", "KiB", 8, "memory that the kernel charges for the program (memlock of its fdinfo)",
           lambda line: line.program.memory_bytes, form=_kib, rank=5),
    Column("attached", "attached to", "", 24, "links, netlink and clsact attachments: kind, hook, and interface, "
           "function or cgroup", lambda line: line.where, lambda line, width: clipped(line.where, width), left=True,
           gap=2, stretch=20, rank=1),
    Column("owners", "held by", "", 22, "processes that hold the program or a link to it, with container or unit; else "
           "its pins", lambda line: line.owners, lambda line, width: clipped(line.owners, width), left=True, gap=2,
           stretch=40, rank=2),
)  # fmt: skip


def program_detail(line: LoadedProgramLine, now: BpfInventory) -> list[tuple[str, str]]:
    """Return everything that is known about a program, as pairs of a title and a text."""
    program = line.program
    maps = [now.maps[map_id] for map_id in program.map_ids if map_id in now.maps]
    return [
        ("name", f"{program.name} (id {program.prog_id}, tag {program.tag})"),
        ("type", program.type),
        ("attached to", line.where or "nothing that the kernel reports"),
        ("held by", line.owners or "nobody that is visible here"),
        ("pinned at", ", ".join(program.pinned) or "nowhere"),
        ("maps", ", ".join(f"{each.name or each.type} ({each.map_id})" for each in maps) or "none"),
        ("instructions", f"{program.insns} (the verifier walked {si(program.verified_insns)})"),
        ("machine code", f"{program.jited_bytes} bytes" if program.jited_bytes else "none: interpreted"),
        ("created by", f"uid {program.created_by_uid}"),
    ]
