"""Pane 5: every BPF program of the machine, what it costs, where it is attached and who holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from textual.widget import Widget

from bpftop.history.cpu_trends import CELL_S
from bpftop.model.snapshot import sum_known
from bpftop.model.units import UNKNOWN
from bpftop.render.bpf.disassembly import HOT
from bpftop.render.bpf.loaded_programs import (
    PROGRAM_SCREEN_COLUMNS,
    LoadedProgramLine,
    recorded_program_lines,
)
from bpftop.render.columns import Column
from bpftop.tui.measurements.background_reading import BackgroundText
from bpftop.tui.measurements.bpf_object_texts import program_text
from bpftop.tui.moment import Moment
from bpftop.tui.panes.bpf_objects import FACT_TITLE, BpfObjectHead, BpfObjectsPane, BpfObjectTable, fact_lines
from bpftop.tui.panes.program_charts import ProgramCharts
from bpftop.tui.widgets.line import Line, clean, line, wrap
from bpftop.tui.widgets.scroller import TextPanel

NOT_THERE = "This program is not there at this moment."


class ProgramTable(BpfObjectTable[LoadedProgramLine]):
    """The programs, the program that takes most CPU time first, or below each other by a group."""

    def columns(self, moment: Moment) -> Sequence[Column[LoadedProgramLine]]:
        return PROGRAM_SCREEN_COLUMNS

    def object_lines(self, moment: Moment) -> Sequence[LoadedProgramLine]:
        return recorded_program_lines(moment.snapshot, partial(_earlier, moment))


def _earlier(moment: Moment, prog_id: int) -> float | None:
    """Return the percent of a CPU that a program took at the mark, or else a minute ago."""
    if moment.mark is not None:
        marked = moment.mark.bpf.cpu_pct
        return None if marked is None else marked.get(prog_id, 0.0)
    (then,) = moment.history.bpf_trends.program(prog_id, moment.snapshot.mono_ns, 1, back=60 // CELL_S)
    return None if then is None else then.cpu_pct


class ProgramHead(BpfObjectHead[LoadedProgramLine]):
    """The number of programs, their CPU time, and what run statistics add to each run."""

    def cost(self, moment: Moment, lines: Sequence[LoadedProgramLine]) -> Sequence[tuple[str, str]]:
        reading = moment.snapshot.reading("bpf_statistics")
        if reading is None or not reading.value((), "are_on"):
            return [("  run statistics are off: no rates", "notice")]
        busy_pct = sum_known(each.rates.cpu_pct for each in lines)
        busy = UNKNOWN if busy_pct is None else f"{busy_pct:.2f}"
        added_ns = (reading.value((), "added_ps") or 0) / 1000
        return [(f"  {busy} % of a CPU", "text"), (f"  less {added_ns:.0f} ns a run for timing", "muted")]


class InstructionPanel(TextPanel):
    """The facts of the chosen program, and its translated instructions with their source lines, read once."""

    def __init__(self, table: ProgramTable, reader: BackgroundText) -> None:
        super().__init__()
        self._table, self._reader = table, reader

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        key = moment.frame.place.row
        row = next((each for each in self._table.object_lines(moment) if each.key == key), None)
        facts = [line((NOT_THERE, "muted"))]
        if row is not None:
            facts = fact_lines(self._table.columns(moment), row, width, mark=moment.mark is not None)
        rule = line(("─" * (width + 2), "muted"))
        if not moment.live:
            return [*facts, rule, line(("A recording has no instructions of programs.", "muted"))]
        texts = list(self._reader.lines(int(key))) if key.isdecimal() else []
        end = texts.index("") if "" in texts else len(texts)
        lines = [part for text in texts[:end] for part in _wrapped_fact(text, width)]
        return [*facts, rule, *lines, *(line((clean(each), _role(each))) for each in texts[end:])]


def _wrapped_fact(text: str, width: int) -> list[Line]:
    """Return a fact about a program as lines: its title of FACT_TITLE cells, and its words beside it."""
    title, words = clean(text[:FACT_TITLE]), wrap(clean(text[FACT_TITLE:]), max(20, width - FACT_TITLE))
    roles = "muted", _role(text)
    return [
        line((f"{title if at == 0 else '':<{FACT_TITLE}}", roles[0]), (part, roles[1])) for at, part in enumerate(words)
    ]


def _role(text: str) -> str:
    return "muted" if text.startswith(";") else "notice" if HOT in text else "text"


class BpfProgramsPane(BpfObjectsPane):
    """The table of programs; the details of one are all its columns and its instructions."""

    DEFAULT_CSS = """
    BpfProgramsPane ProgramHead { height: 1; }
    BpfProgramsPane ProgramTable { height: 1fr; }
    BpfProgramsPane InstructionPanel { height: 1fr; }
    """
    hints: ClassVar = (("choose", "details"), ("group", "group"), ("pause", "pause"), ("filter", "filter"),
                       ("sort", "sort"), ("mark", "mark"))  # fmt: skip
    columns = PROGRAM_SCREEN_COLUMNS
    terms = (
        ("run statistics", "The kernel counts and times every run of every BPF program while this pane is open. That "
         "costs each run two clock readings; their distance is measured and taken off."),
        ("hot map", "The map that most instructions of a program name for an operation. Maps with global variables "
         "(.rodata, .bss) do not count: their values are read like memory."),
        ("held by", "Processes with a file descriptor of the program or of a link to it, from a BPF iterator over all "
         "open files, with container or unit by their cgroup."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._programs = ProgramTable()
        yield from (ProgramHead("Programs", self._programs), self._programs)

    def compose_detail(self) -> Iterator[Widget]:
        self._reader = BackgroundText(self.engines.get("program_text") or program_text, self.redraw_soon)
        self._charts = ProgramCharts()
        yield from (self._charts, InstructionPanel(self._programs, self._reader))

    def divide(self, moment: Moment, width: int, height: int) -> None:
        self._charts.styles.height = max(5, height // 4)

    def table(self) -> ProgramTable:
        return self._programs
