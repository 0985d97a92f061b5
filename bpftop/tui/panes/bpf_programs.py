"""Pane 5: every BPF program of the machine, what it costs, where it is attached and who holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.widget import Widget

from bpftop.render.bpf.loaded_programs import LOADED_PROGRAM_COLUMNS, LoadedProgramLine, recorded_program_lines
from bpftop.render.columns import Column
from bpftop.tui.bindings import bindings
from bpftop.tui.measurements.background_text import BackgroundText
from bpftop.tui.measurements.bpf_object_texts import program_text
from bpftop.tui.messages import BpfWanted
from bpftop.tui.moment import Moment
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.detail import RowDetail
from bpftop.tui.widgets.line import Line, clean, crop, line, shortened
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.scroller import TextPanel
from bpftop.tui.widgets.table import Rows, Table

WAITING = "The BPF programs and maps are read with the next tick."
NOT_READ = "There are no BPF programs at this moment: they are read while this pane is open, and by `bpftop record`."
GROUPS = ("", "type", "owners")


def why_none(moment: Moment) -> str:
    """Return why the snapshot has no BPF programs and maps."""
    reason = moment.snapshot.unavailable.get("bpf_objects")
    if reason:
        return clean(reason)
    return WAITING if moment.live and moment.choices.paused is None else NOT_READ


class ProgramTable(Table[LoadedProgramLine]):
    """The programs, the one that takes most CPU time first, or below the headings of a group."""

    def __init__(self) -> None:
        super().__init__()
        self.group_by = ""

    def columns(self, moment: Moment) -> Sequence[Column[LoadedProgramLine]]:
        return LOADED_PROGRAM_COLUMNS

    def rows(self, moment: Moment) -> Rows[LoadedProgramLine]:
        lines = recorded_program_lines(moment.snapshot)
        matching = [each for each in lines if _matches(each, self.words())]
        ordered = self.ordered(matching, moment)
        if self.group_by:
            ordered.sort(key=lambda each: str(getattr(each, self.group_by)))
        return Rows.of(ordered, lambda each: each.key, len(lines))

    def empty(self, moment: Moment) -> str:
        return why_none(moment)

    def row_title(self, key: str) -> str:
        rows = list(self.rows(self.moment).build([key])) if self.moment else []
        return rows[0].name if rows else key

    def group_by_next(self) -> None:
        """Keep the programs of one type, or of one owner, together."""
        self.group_by = GROUPS[(GROUPS.index(self.group_by) + 1) % len(GROUPS)]
        self.redraw()


def _matches(each: LoadedProgramLine, words: Sequence[str]) -> bool:
    searched = f"{each.prog_id} {each.type} {each.name} {each.where} {each.owners}".lower()
    return all(word in searched for word in words)


class StatisticsLine(Region):
    """The number of programs, and what run statistics add to each run."""

    def __init__(self, table: ProgramTable) -> None:
        super().__init__()
        self._table = table

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        lines = recorded_program_lines(moment.snapshot)
        reading = moment.snapshot.reading("bpf_statistics")
        if not lines or reading is None:
            return [()]
        busy = sum(each.rates.cpu_pct or 0.0 for each in lines)
        parts = [("Programs", "muted"), (f"  {len(lines)}", "text")]
        if reading.value((), "are_on"):
            added_ns = (reading.value((), "added_ps") or 0) / 1000
            parts += [(f"  {busy:.2f} % of a CPU", "text"), (f"  {added_ns:.0f} ns of statistics taken off", "muted")]
        else:
            parts.append(("  run statistics are off: no rates", "notice"))
        if self._table.group_by:
            parts.append((f"  by {'owner' if self._table.group_by == 'owners' else 'type'}", "notice"))
        return [crop(shortened(line(*parts), width), width)]


class InstructionPanel(TextPanel):
    """The translated instructions of the chosen program, with their source lines, read once per program."""

    def __init__(self, reader: BackgroundText) -> None:
        super().__init__()
        self._reader = reader

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        key = moment.frame.place.row
        if not moment.live:
            return [line(("A recording has no instructions.", "muted"))]
        texts = self._reader.lines(int(key)) if key.isdecimal() else ()
        roles = (("muted" if each.startswith(";") else "text", each) for each in texts)
        return [line(("─" * (width + 2), "muted")), *(line((clean(each), role)) for role, each in roles)]


class BpfProgramsPane(Pane):
    """The table of programs; the details of one are all its columns and its instructions."""

    DEFAULT_CSS = """
    BpfProgramsPane StatisticsLine { height: 1; }
    BpfProgramsPane ProgramTable { height: 1fr; }
    BpfProgramsPane RowDetail { height: 1fr; }
    BpfProgramsPane InstructionPanel { height: 2fr; }
    """
    BINDINGS = bindings("group")
    title = "Programs"
    hints: ClassVar = (("choose", "details"), ("group", "group"), ("filter", "filter"), ("sort", "sort"),
                       ("pause", "pause"))  # fmt: skip
    columns = LOADED_PROGRAM_COLUMNS
    terms = (
        ("run statistics", "The kernel counts and times every run of every BPF program while this pane is open. That "
         "costs each run two clock readings; their distance is measured and taken off."),
        ("held by", "Processes with a file descriptor of the program or of a link to it, from a BPF iterator over all "
         "open files, with container or unit by their cgroup."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._programs = ProgramTable()
        yield from (StatisticsLine(self._programs), self._programs)

    def compose_detail(self) -> Iterator[Widget]:
        self._reader = BackgroundText(self.engines.get("program_text") or program_text, self._read)
        yield from (RowDetail(self.table), InstructionPanel(self._reader))

    def table(self) -> ProgramTable:
        return self._programs

    def opened(self) -> None:
        self.post_message(BpfWanted(True))

    def closed(self) -> None:
        self.post_message(BpfWanted(False))

    def action_group(self) -> None:
        self._programs.group_by_next()
        self._redraw()

    def _read(self) -> None:
        """Draw instructions that were read. Called in a thread of the reader."""
        if self.is_running:
            self.app.call_later(self._redraw)

    def _redraw(self) -> None:
        for region in self.query(Region):
            region.redraw()
