"""The loaded BPF programs as a table, JSON (``bpftop.programs/1``), CSV or OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bpftop.export.csv_writing import csv_lines
from bpftop.export.json_writing import TOOL, rounded
from bpftop.fields import frozen, replace
from bpftop.model.bpf.inventory import BpfInventory, Owner
from bpftop.model.escaping import escaped_text
from bpftop.model.timestamps import rfc3339
from bpftop.render.bpf.loaded_programs import LOADED_PROGRAM_COLUMNS, LoadedProgramLine, program_detail
from bpftop.render.columns import fitting, text_table

if TYPE_CHECKING:
    from bpftop.export.bpf.inventory_types import BpfOwnerObject, LoadedProgramObject, LoadedProgramsDocument

SCHEMA: Final = "bpftop.programs/1"


@frozen
class ProgramList:
    """Programs in their order, of the inventory ``now`` against ``before``; a table has ``width`` cells."""

    before: BpfInventory | None
    now: BpfInventory
    lines: Sequence[LoadedProgramLine]
    width: int
    detailed: bool = False

    @property
    def interval_s(self) -> float | None:
        return None if self.before is None else (self.now.read_ns - self.before.read_ns) / 1e9


def table(programs: ProgramList) -> str:
    """Write aligned columns; for chosen programs also everything that is known about them."""
    columns = [replace(column, width=width) for column, width in fitting(LOADED_PROGRAM_COLUMNS, programs.width)]
    lines = [line.rstrip() for line in text_table(columns, programs.lines)]
    if programs.detailed:
        for line in programs.lines:
            lines += ["", *(f"{title:>13}  {escaped_text(text)}" for title, text in program_detail(line, programs.now))]
    lines += ["", *remarks(programs.now)]
    return "\n".join(lines) + "\n"


def remarks(now: BpfInventory) -> Iterator[str]:
    """Yield what a reader of the figures must know: the time taken off, and missing parts."""
    if now.stats_since_ns is not None:
        yield (
            f"Run statistics are on meanwhile. They add {now.clock_ns:.0f} ns to each run, which is taken off, "
            "and cost every BPF program two clock readings per run."
        )
    for part, why in now.unavailable.items():
        yield f"{part}: {escaped_text(why)}"


def document(programs: ProgramList) -> LoadedProgramsDocument:
    """Return the whole document."""
    now = programs.now
    return {
        "schema": SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(now.wall_ns),
        "interval_s": rounded(programs.interval_s),
        "statistics_ns_per_run": round(now.clock_ns, 3),
        "programs": [_program(line, now) for line in programs.lines],
        "unavailable": dict(now.unavailable),
    }


def _program(line: LoadedProgramLine, now: BpfInventory) -> LoadedProgramObject:
    program, runs, rates = now.programs[line.prog_id], now.runs[line.prog_id], line.rates
    return {
        "id": program.prog_id,
        "type": program.type,
        "name": program.name,
        "tag": program.tag,
        "loaded_at": rfc3339(program.loaded_at_ns),
        "created_by_uid": program.created_by_uid,
        "insns": program.insns,
        "verified_insns": program.verified_insns,
        "jited_bytes": program.jited_bytes,
        "memory_bytes": program.memory_bytes,
        "attached": list(program.attached),
        "pinned": list(program.pinned),
        "owners": owner_objects(program.owners),
        "map_ids": list(program.map_ids),
        "run_cnt": runs.run_cnt,
        "run_time_ns": runs.run_time_ns,
        "recursion_misses": runs.recursion_misses,
        "runs_per_sec": rounded(rates.runs_per_sec),
        "ns_per_run": rounded(rates.ns_per_run),
        "total_ns_per_run": rounded(rates.total_ns_per_run),
        "cpu_pct": rounded(rates.cpu_pct, 6),
    }


def owner_objects(owners: Sequence[Owner]) -> list[BpfOwnerObject]:
    """Return the owners as objects of a document."""
    return [
        {
            "pid": owner.pid,
            "name": owner.name,
            "service": None if owner.service is None else str(owner.service),
            "pod": (owner.service.pod or None) if owner.service else None,
        }
        for owner in owners
    ]


def csv_text(programs: ProgramList) -> str:
    """Write a row per program; lists are joined by semicolons. Unknown is empty."""
    return csv_page([dict(row) for row in document(programs)["programs"]])


def csv_page(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows of equal members as CSV. Lines end in LF."""
    return csv_lines([*rows[:1], *([_cell(value) for value in row.values()] for row in rows)])


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ";".join(f"{each['name']}[{each['pid']}]" if isinstance(each, dict) else str(each) for each in value)
    return value
