"""Pane 3: where packets are lost. The stages that lose first, then the path, drop reasons, sockets, driver counters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.widget import Widget

from bpftop.model.packet_filter import ANY_DROP, PacketFilter
from bpftop.model.snapshot import sum_known
from bpftop.model.timestamps import clock_time
from bpftop.model.units import UNKNOWN, rough, si, spark
from bpftop.render.columns import Column, clipped
from bpftop.render.path_columns import PATH_COLUMNS, TREND_CELLS, duration
from bpftop.render.path_rows import Detail, Section, StageLine, sections
from bpftop.tui.bindings import bindings
from bpftop.tui.messages import CaptureToggled, DropsWanted, Said
from bpftop.tui.moment import Moment, Place
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.chart import AXIS, Plot, cell_count, cell_seconds, chart_lines
from bpftop.tui.widgets.dropped_lines import dropped_lines, row_packets
from bpftop.tui.widgets.line import Line, Span, at_most, clean, line, shortened, wrapped
from bpftop.tui.widgets.loss_line import LossLines
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import ReadyLine, Rows, Table, cell

NAME_WIDTH = 40
"""Width of the name of a drop reason, a socket or a driver counter."""
EXPLANATION_LINES = 4
ALL_STAGES_FROM = 30
"""Height of the table from which quiet stages that are no loss have a row."""

NO_ROW = "Select a row with the arrows or a click to read what its counter means."
PROGRAM_ROW = "seen"
"""Key of the row with the packets that the program on the interface counts."""


class PathTable(Table[StageLine]):
    """The stages, then the known facts about single drops."""

    def columns(self, moment: Moment) -> Sequence[Column[StageLine]]:
        return PATH_COLUMNS

    def rows(self, moment: Moment) -> Rows[StageLine]:
        words, every = self.words(), moment.stages
        stages = self._ordered([stage for stage in every if _has_row(stage, words, self.room)], moment)
        rows: list[StageLine | ReadyLine] = [*stages]
        if not words and not self.sort and not self.reverse:
            rows.insert(_place_of_program(moment, stages), ReadyLine(PROGRAM_ROW, self._program_row(moment)))
        for number, section in enumerate(sections(moment.selection)):
            details = [d for d in section.rows if not words or any(w in f"{d.name} {d.where}".lower() for w in words)]
            if details or (section.missing and not words):
                headings = ((), *_headings(section, self.size.width))
                rows += [ReadyLine(f"#{number}.{i}", heading) for i, heading in enumerate(headings)]
                rows += [ReadyLine(detail.key, _detail_row(detail, self.size.width)) for detail in details]
        return Rows.of(rows, lambda row: row.stage.id, len(every))

    def row_title(self, key: str) -> str:
        return _title(self.moment, key)

    def _ordered(self, stages: list[StageLine], moment: Moment) -> list[StageLine]:
        """Return the stages in the chosen order; else those that lost something in five minutes, then the path."""
        if self.sort or self.reverse:
            return self.ordered(stages, moment)
        return sorted(stages, key=lambda each: not (each.stage.group and each.recent))

    def _program_row(self, moment: Moment) -> Line:
        """Return the row with the packets that the program counts, to compare the losses with."""
        traffic, history = moment.interface.rx, moment.history
        tick_ranges = history.tick_ranges(moment.snapshot.mono_ns, 5.0, TREND_CELLS)
        trend = history.means((moment.interface.label, "rx", "packets"), tick_ranges)
        cells: dict[str, str] = {
            "stage": f"seen by {traffic.hook.hook}" if traffic.hook.hook != "none" else "received",
            "per_sec": si(traffic.totals.packets_per_sec),
            "since_start": si(traffic.totals.packets if _counted_by_programs(moment) else None),
            "verdict": "seen" if traffic.totals.packets_per_sec is not None else "unknown",
            "scope": "interface",
            "trend": spark(trend, TREND_CELLS),
            "counter": str(traffic.hook),
        }
        columns = self.fitting_columns(moment)
        return tuple(Span(cell(column, cells.get(column.id, UNKNOWN), width), "muted") for column, width in columns)


class Explanation(Region):
    """Explain the selected row: its meaning, its counter, and the sum it counts into. The height is fixed."""

    def __init__(self, table: PathTable) -> None:
        super().__init__()
        self._table = table

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        told = explanation(moment, self._table.cursor, width) or wrapped(NO_ROW, "muted", width)
        return at_most(told, width, height)


class StageDetail(Region):
    """One stage: its losses over time, and everything that is known about it."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        key = moment.frame.place.row
        stage = next((each for each in moment.stages if each.stage.id == key), None)
        if stage is None:
            gone = [line(("This row is not there at this moment.", "muted"))]
            return [*(explanation(moment, key, width) or gone), *dropped_lines(moment, key, width)]
        columns = cell_count(width - AXIS - 2)
        seconds = cell_seconds(columns)
        stages, ranges = moment.history.stages, moment.history.tick_ranges(moment.snapshot.mono_ns, seconds, columns)
        means = [sum_known(cells) for cells in zip(*(stages.means(row, ranges) for row in stage.rows), strict=True)]
        chart = chart_lines(Plot(means, span_s=columns * seconds), width, max(4, height // 3))
        peak = stages.peak(stage.rows, moment.snapshot.mono_ns)
        peak_time = "" if peak is None else clock_time(moment.snapshot.wall_time_ns(peak[1]))
        numbers = line(
            ("now ", "muted"), f"{si(stage.per_sec, '/s')}   ", ("peak ", "muted"),
            f"{UNKNOWN if peak is None else f'{rough(peak[0])}/s at {peak_time}'}   ", ("five minutes ", "muted"),
            f"{si(stage.recent)}   ", ("since start ", "muted"), si(stage.since_start),
        )  # fmt: skip
        reasons = [
            line(
                (f"{clipped(clean(detail.name), NAME_WIDTH - 2):<{NAME_WIDTH}}", "name"),
                f"{si(detail.per_sec):>8}",
                (f"  {clean(detail.where)}", "muted"),
            )
            for section in sections(moment.selection)
            for detail in section.rows
            if detail.has_rate and detail.per_sec
        ]
        heading = [(), line(("Dropped at this moment, by reason, socket and driver counter", "title"))]
        return [
            *chart, shortened(numbers, width), (), *explanation(moment, key, width), *dropped_lines(moment, key, width),
            *(heading if reasons else ()), *reasons,
        ]  # fmt: skip


class PathPane(Pane):
    """The stages of the receive and transmit path."""

    DEFAULT_CSS = """
    PathPane LossLines { height: 2; }
    PathPane PathTable, PathPane StageDetail { height: 1fr; }
    """
    BINDINGS = bindings("capture")
    source = "The counter that stands in the last column, and in the explanation of the selected row."
    hints = (("choose", "over time"), ("pause", "pause"), ("filter", "filter"), ("sort", "sort"),
             ("capture", "capture"), ("mark", "mark"), ("copy", "copy"))  # fmt: skip
    columns = PATH_COLUMNS

    def compose_list(self) -> Iterator[Widget]:
        self._watched: tuple[PacketFilter | None, tuple[str, ...]] = None, ()
        self._losses, self._stages = LossLines(), PathTable()
        self._explanation = Explanation(self._stages)
        yield from (self._losses, self._stages, self._explanation)

    def compose_detail(self) -> Iterator[Widget]:
        yield StageDetail()

    def table(self) -> PathTable:
        return self._stages

    def show(self, moment: Moment) -> None:
        """Draw a moment. Have the dropped packets of a row copied for as long as its details are shown."""
        row = moment.frame.place.row
        wanted = row_packets(moment, row) if row and moment.live else None
        self._watch(wanted, _names(moment) if wanted else ())
        super().show(moment)

    def enter(self, place: Place) -> None:
        super().enter(place)
        if not place.row:
            self._watch(None, ())
            if place.title:  # from a finding that has no stage: the row that was selected before does not explain it
                self._stages.select("")

    def closed(self) -> None:
        self._watch(None, ())

    def _watch(self, wanted: PacketFilter | None, names: tuple[str, ...]) -> None:
        if self._watched != (wanted, names):
            self._watched = wanted, names
            self.post_message(DropsWanted(wanted, names))

    def action_capture(self) -> None:
        """Write the dropped packets of the row to a file, all of them without a row, or end the file."""
        moment = self.moment
        if moment is None:
            return
        key = moment.frame.place.row or self._stages.cursor
        with moment.lock:
            title = _title(moment, key) if key else "any stage"
            wanted = row_packets(moment, key) if key else ANY_DROP
        if wanted is None:
            self.post_message(
                Said(f"The kernel names no reason for the packets of {title}, so they cannot be captured.")
            )
        else:
            self.post_message(CaptureToggled(wanted, _names(moment), title))

    def divide(self, moment: Moment, width: int, height: int) -> None:
        self._losses.styles.height = 2 if height >= 8 else 1
        self._explanation.styles.height = max(0, min(EXPLANATION_LINES, (height - 4) // 3))

    def on_table_selected(self, event: Table.Selected) -> None:
        """Explain the row."""
        event.stop()
        self._explanation.redraw()

    def copied_text(self) -> str:
        table = self._stages
        if not table.cursor or table.moment is None:
            return ""
        with table.moment.lock:
            told = explanation(table.moment, table.cursor, self.size.width)
        row = table.row_text(table.cursor, self.size.width)
        return "\n".join((row, *("".join(span.text for span in spans).rstrip() for spans in told)))


def _names(moment: Moment) -> tuple[str, ...]:
    """Return the names of the selected interfaces that are there."""
    chosen = (moment.snapshot.interface(label).interface for label in moment.selection.labels)
    return tuple(each.name for each in chosen if each.state in ("up", "down"))


def _title(moment: Moment | None, key: str) -> str:
    stages = moment.stages if moment else []
    return next((each.stage.title.strip() for each in stages if each.stage.id == key), key.rpartition(":")[2])


def _has_row(stage_line: StageLine, words: Sequence[str], room: int) -> bool:
    """Return True if the stage passes the filter. On a low screen, a quiet stage that is no loss has no row."""
    stage = stage_line.stage
    if words:
        return any(word in f"{stage.title} {stage.counter}".lower() for word in words)
    own = bool(stage.group) and not stage.within
    return own or room >= ALL_STAGES_FROM or bool(stage_line.since_start)


def _place_of_program(moment: Moment, stages: Sequence[StageLine]) -> int:
    """Return the index at which the program counts: before the first stage behind it."""
    next_stage = "ip_header" if moment.interface.rx.hook.hook in ("tcx", "clsact") else "xdp_exceptions"
    return next((i for i, each in enumerate(stages) if each.stage.id == next_stage), 0)


def _counted_by_programs(moment: Moment) -> bool:
    """Return True if programs count the packets, so since bpftop's start. The device's counter is older."""
    snapshot = moment.snapshot
    labels = snapshot.labels(moment.interface)
    return all(snapshot.interface(label).rx.hook.hook != "none" for label in labels)


def _headings(section: Section, width: int) -> list[Line]:
    """Return the heading of the section's columns, or why the section has no rows."""
    if section.missing:
        return wrapped(f"{section.title}: {section.missing}", "notice", width - 2)
    return [line((f"{section.title:<{NAME_WIDTH}}{'per s':>8}{'total':>12}  where", "title"))]


def _detail_row(detail: Detail, width: int) -> Line:
    name = Span(f"{clipped(clean(detail.name), NAME_WIDTH - 2):<{NAME_WIDTH}}", "name")
    numbers = f"{si(detail.per_sec) if detail.has_rate else '':>8}{detail.total:>12}"
    return shortened((name, Span(numbers), Span(f"  {clean(detail.where)}", "muted")), width - 2)


def explanation(moment: Moment, key: str, width: int) -> list[Line]:
    """Return what a row counts, from which counter, in which sum it counts, and its headroom; empty without a row."""
    if not key:
        return []
    if key == PROGRAM_ROW:
        return _sentences("Packets that the program on the interface counted.", ["Not a loss."], width)
    stage_line = next((s for s in moment.stages if s.stage.id == key), None)
    if stage_line is None:
        details = (detail for section in sections(moment.selection) for detail in section.rows)
        detail = next((detail for detail in details if detail.key == key), None)
        return _sentences(detail.help, [], width) if detail is not None else []
    stage, headroom_s = stage_line.stage, stage_line.headroom_s
    headroom = "" if headroom_s is None else f" Lasts {duration(headroom_s)} at this rate."
    unread = [f"Not read: {clean(sentence)}" for sentence in stage_line.unread]
    return _sentences(f"{stage.help}{headroom}", [*unread, f"{stage.counter} ({stage.scope}). {stage.counted}"], width)


def _sentences(first: str, others: Sequence[str], width: int) -> list[Line]:
    return [
        *wrapped(first, "text", width),
        *(part for sentence in others for part in wrapped(sentence, "muted", width)),
    ]
