"""Pane 3: where packets are lost. One row per stage, then drop reasons, sockets and driver counters."""

from __future__ import annotations

from bpftop.model.units import UNKNOWN, si, spark
from bpftop.render.path_columns import PATH_COLUMNS, duration
from bpftop.render.path_rows import Detail, Section, StageLine, sections, stage_lines
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, clean, crop, fit, line, text, wrap
from bpftop.tui.widgets.loss_line import loss_lines
from bpftop.tui.widgets.table import TextTable, cell, rule, selected, visible

TABLE: TextTable[StageLine] = TextTable(PATH_COLUMNS, lambda row: row.stage.id)
TREND_CELLS = 12
NAME_WIDTH = 40
"""Width of the name of a drop reason, a socket or a driver counter."""
EXPLANATION_LINES = 6
ALL_STAGES_FROM = 44
"""Height of a screen from which quiet stages that are no loss have a row."""

PROGRAM_ROW = "seen"
"""Key of the row with the packets that the program on the interface counts."""


class PathPane(Pane):
    """The stages of the receive and transmit path in order."""

    terms = tuple((column.title, column.help) for column in PATH_COLUMNS)
    terms_title = "Columns of the path"

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        head = [header(pane_input), *notice_line(pane_input), *loss_lines(pane_input)]
        explanation = _explanation(pane_input)[: max(0, min(EXPLANATION_LINES, height - len(head) - 6))]
        room = max(1, height - len(head) - len(explanation) - 2)
        stage_keys, rows = _rows(pane_input)
        keys = [key for key, _ in rows]
        visible_rows = visible(keys, pane_input.view.cursor, room)
        stages_unfiltered = len(stage_lines(pane_input.selection)) if pane_input.view.filter else None
        above = rule(pane_input, stage_keys if stages_unfiltered else keys, visible_rows, stages_unfiltered)
        body = [row for _, row in rows[visible_rows]]
        if explanation:
            body += [()] * (room - len(body))
        return [*head, above, *TABLE.lines((), pane_input, pane_input.width), *body, *explanation][:height]

    def keys(self, pane_input: PaneInput) -> list[str]:
        return [key for key, _ in _rows(pane_input)[1] if not key.startswith("#")]

    def sort_ids(self, pane_input: PaneInput) -> list[str]:
        return TABLE.sort_ids(pane_input, pane_input.width)

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        row = next((row for row_key, row in _rows(pane_input)[1] if row_key == key), ())
        lines = (text(spans).rstrip() for spans in (row, *_explanation(pane_input)))
        return "\n".join(part for part in lines if part)


PANE = PathPane()


def _rows(pane_input: PaneInput) -> tuple[list[str], list[tuple[str, Line]]]:
    """Return the keys of the stages, and (key, line) of every row. Keys of headings begin with ``#``."""
    view = pane_input.view
    words = view.filter.lower().replace(",", " ").split()
    stages = [s for s in stage_lines(pane_input.selection) if _has_row(s, words, pane_input.height)]
    ordered = TABLE.ordered(stages, view)
    keys = [stage_line.stage.id for stage_line in ordered]
    rows = list(zip(keys, TABLE.lines(ordered, pane_input, pane_input.width)[1:], strict=True))
    if not words and not view.sort and not view.reverse:
        next_stage = "ip_header" if pane_input.interface.rx.hook.hook in ("tcx", "clsact") else "xdp_exceptions"
        rows.insert(keys.index(next_stage) if next_stage in keys else 0, (PROGRAM_ROW, _program_row(pane_input)))
    for number, section in enumerate(sections(pane_input.selection)):
        details = [d for d in section.rows if not words or any(w in f"{d.name} {d.where}".lower() for w in words)]
        if details or (section.missing and not words):
            rows += [(f"#{number}", heading) for heading in ((), *_headings(section, pane_input.width))]
            rows += [(detail.key, _detail_row(detail, pane_input)) for detail in details]
    return keys, rows


def _has_row(stage_line: StageLine, words: list[str], height: int) -> bool:
    """Return True if the stage passes the filter. On a low screen, a quiet stage that is no loss has no row."""
    stage = stage_line.stage
    if words:
        return any(word in f"{stage.title} {stage.counter}".lower() for word in words)
    own = bool(stage.group) and not stage.within
    return own or height >= ALL_STAGES_FROM or bool(stage_line.since_start)


def _program_row(pane_input: PaneInput) -> Line:
    """Return the row with the packets that the program counts, to compare the losses with."""
    traffic, history = pane_input.interface.rx, pane_input.history
    tick_ranges = history.tick_ranges(pane_input.snapshot.mono_ns, 5.0, TREND_CELLS)
    trend = history.means((pane_input.interface.label, "rx", "packets"), tick_ranges)
    cells: dict[str, str] = {
        "stage": f"seen by {traffic.hook.hook}" if traffic.hook.hook != "none" else "received",
        "per_sec": si(traffic.totals.packets_per_sec),
        "since_start": si(traffic.totals.packets if _counted_by_programs(pane_input) else None),
        "since_mark": UNKNOWN,
        "verdict": "seen" if traffic.totals.packets_per_sec is not None else "unknown",
        "group": UNKNOWN,
        "scope": "interface",
        "trend": spark(trend, TREND_CELLS),
        "headroom_s": UNKNOWN,
        "counter": str(traffic.hook),
    }
    columns = TABLE.columns(pane_input, pane_input.width)
    spans = tuple((cell(column, cells[column.id], width), "muted") for column, width in columns)
    return selected(spans) if pane_input.view.cursor == PROGRAM_ROW else spans


def _counted_by_programs(pane_input: PaneInput) -> bool:
    """Return True if programs count the packets, so since bpftop's start. The device's counter is older."""
    snapshot = pane_input.snapshot
    labels = snapshot.labels(pane_input.interface)
    return all(snapshot.interface(label).rx.hook.hook != "none" for label in labels)


def _headings(section: Section, width: int) -> list[Line]:
    """Return the heading of the section's columns, or why the section has no rows."""
    if section.missing:
        return [line((part, "notice")) for part in wrap(f"{section.title}: {clean(section.missing)}", width)]
    return [crop(line((f"{section.title:<{NAME_WIDTH}}{'per s':>8}{'total':>12}  where", "title")), width)]


def _detail_row(detail: Detail, pane_input: PaneInput) -> Line:
    name = clean(detail.name)[: NAME_WIDTH - 2]
    numbers = f"{si(detail.per_sec) if detail.has_rate else '':>8}{detail.total:>12}"
    spans = line((f"{name:<{NAME_WIDTH}}", "name"), numbers, (f"  {clean(detail.where)}", "muted"))
    row = fit(spans, pane_input.width)
    return selected(row) if detail.key == pane_input.view.cursor else row


def _explanation(pane_input: PaneInput) -> list[Line]:
    """Return what the selected row counts, from which counter, in which sum it counts, and its headroom."""
    key, width = pane_input.view.cursor, pane_input.width
    if not key:
        return []
    if key == PROGRAM_ROW:
        return _wrapped("Packets that the program on the interface counted.", ["Not a loss."], width)
    stage_line = next((s for s in stage_lines(pane_input.selection) if s.stage.id == key), None)
    if stage_line is None:
        details = (detail for section in sections(pane_input.selection) for detail in section.rows)
        detail = next((detail for detail in details if detail.key == key), None)
        return _wrapped(detail.help, [], width) if detail is not None else []
    stage, headroom_s = stage_line.stage, stage_line.headroom_s
    headroom = "" if headroom_s is None else f" Lasts {duration(headroom_s)} at this rate."
    unread = [f"Not read: {clean(sentence)}" for sentence in stage_line.unread]
    return _wrapped(f"{stage.help}{headroom}", [*unread, f"{stage.counter} ({stage.scope}). {stage.counted}"], width)


def _wrapped(first: str, others: list[str], width: int) -> list[Line]:
    return [
        *(line((part, "text")) for part in wrap(first, width)),
        *(line((part, "muted")) for sentence in others for part in wrap(sentence, width)),
    ]
