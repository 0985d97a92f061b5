"""Pane 3: where packets die. A row per stage of the path; below them drop reasons, sockets and driver counters."""

from __future__ import annotations

from bpftop.model.units import UNKNOWN, si, spark
from bpftop.render.path_columns import PATH_COLUMNS, duration
from bpftop.render.path_rows import Detail, Section, StageLine, sections, stage_lines
from bpftop.tui.panes.overview.losses import looked, loss_line
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notice_line
from bpftop.tui.widgets.line import Line, clean, crop, fit, line, text, wrap
from bpftop.tui.widgets.table import CURSOR_BEHIND, TextTable, rule, visible

TABLE: TextTable[StageLine] = TextTable(PATH_COLUMNS, lambda row: row.stage.id)
TREND_CELLS = 12
NAME_WIDTH = 40
"""Of a drop reason, a socket, a driver's counter."""
DETAIL_LINES = 6
ALL_STAGES_FROM = 44
"""Lines of a screen on which the quiet rows have room too."""

SEEN = "seen"
"""Key of the row that says how many packets come by at all."""


def lines(frame: PaneInput, height: int) -> list[Line]:
    """The pane in ``height`` lines."""
    head = [header(frame), *notice_line(frame), loss_line(frame)]
    says = _about(frame)[: max(0, min(DETAIL_LINES, height - len(head) - 6))]
    room = max(1, height - len(head) - len(says) - 2)
    stages, drawn = _rows(frame)
    every = [key for key, _ in drawn]
    shown = visible(every, frame.view.cursor, room)
    heading = TABLE.lines((), frame, frame.width)
    kept_of = len(stage_lines(looked(frame))) if frame.view.filter else None
    body = [one for _, one in drawn[shown]]
    if says:
        body += [()] * (room - len(body))
    return [*head, rule(frame, stages if kept_of else every, shown, kept_of), *heading, *body, *says][:height]


def keys(frame: PaneInput) -> list[str]:
    """The rows a cursor can be on, in order."""
    return [key for key, _ in _rows(frame)[1] if not key.startswith("#")]


def sort_ids(frame: PaneInput) -> list[str]:
    return TABLE.sort_ids(frame, frame.width)


def row_text(frame: PaneInput, key: str) -> str:
    """The row and what it means as text, for the clipboard."""
    row = next((one for found, one in _rows(frame)[1] if found == key), ())
    return "\n".join(part.rstrip() for part in (text(row), *(text(one) for one in _about(frame))) if part.strip())


def _rows(frame: PaneInput) -> tuple[list[str], list[tuple[str, Line]]]:
    """The keys of the stages, and every row that can be scrolled to; headings have keys that begin with ``#``."""
    view = frame.view
    words = view.filter.lower().replace(",", " ").split()
    stages = [one for one in stage_lines(looked(frame)) if _kept(one, words, frame.height)]
    ordered = TABLE.ordered(stages, view)
    names = [one.stage.id for one in ordered]
    drawn = list(zip(names, TABLE.lines(ordered, frame, frame.width)[1:], strict=True))
    if not words and not view.sort and not view.reverse:
        before = "ip_header" if frame.watched.rx.hook.hook in ("tcx", "clsact") else "xdp_exceptions"
        at = next((i for i, one in enumerate(ordered) if one.stage.id == before), 0)
        drawn.insert(at, (SEEN, _seen_row(frame)))
    for number, section in enumerate(sections(looked(frame))):
        kept = [
            row for row in section.rows if not words or any(word in f"{row.name} {row.where}".lower() for word in words)
        ]
        if kept or (section.missing and not words):
            drawn += [(f"#{number}", one) for one in ((), *_headings(section, frame.width))]
            drawn += [(row.key, _detail_row(row, frame)) for row in kept]
    return names, drawn


def _kept(one: StageLine, words: list[str], height: int) -> bool:
    """Whether a stage gets a row: on a low screen what is no loss, or part of one, only once it has moved."""
    if words:
        return any(word in f"{one.stage.title} {one.stage.counter}".lower() for word in words)
    return one.stage.kind == "loss" or height >= ALL_STAGES_FROM or bool(one.since_start)


def _seen_row(frame: PaneInput) -> Line:
    """How many packets the program on the interface sees: what the losses are to be compared with."""
    traffic, history = frame.watched.rx, frame.history
    slices = history.tick_ranges(frame.shown.mono_ns, 5.0, TREND_CELLS)
    trend = history.means((frame.watched.label, "rx", "packets"), slices)
    cells: dict[str, str] = {
        "stage": f"seen by {traffic.hook.hook}" if traffic.hook.hook != "none" else "received",
        "per_sec": si(traffic.totals.packets_per_sec),
        "since_start": si(traffic.totals.packets if _is_counted(frame) else None),
        "since_mark": UNKNOWN,
        "verdict": "seen" if traffic.totals.packets_per_sec is not None else "unknown",
        "scope": "interface",
        "trend": spark(trend, TREND_CELLS),
        "headroom_s": UNKNOWN,
        "counter": str(traffic.hook),
    }
    spans = []
    for one, width in TABLE.columns(frame, frame.width):
        cell = cells[one.id]
        spans.append((f"{' ' * one.gap}{cell}".ljust(width)[:width] if one.left else cell.rjust(width), "muted"))
    return _marked(tuple(spans), frame.view.cursor == SEEN)


def _is_counted(frame: PaneInput) -> bool:
    """Whether the packets are counted since the start: the device's own counter is as old as the device."""
    shown = frame.shown
    return all(shown.interface(label).rx.hook.hook != "none" for label in shown.labels(frame.watched))


def _headings(section: Section, width: int) -> list[Line]:
    """The heading of its columns; or, where there are no rows, why."""
    if section.missing:
        return [line((part, "notice")) for part in wrap(f"{section.title}: {clean(section.missing)}", width)]
    return [crop(line((f"{section.title:<{NAME_WIDTH}}{'per s':>8}{'total':>12}  where", "title")), width)]


def _detail_row(row: Detail, frame: PaneInput) -> Line:
    name = clean(row.name)[: NAME_WIDTH - 2]
    rate = f"{si(row.per_sec) if row.moves else '':>8}{row.kept:>12}"
    spans = line((f"{name:<{NAME_WIDTH}}", "name"), rate, (f"  {clean(row.where)}", "muted"))
    return _marked(fit(crop(spans, frame.width), frame.width), row.key == frame.view.cursor)


def _marked(spans: Line, chosen: bool) -> Line:
    """The row, or the row under the cursor."""
    if not chosen:
        return spans
    (name, role), rest = spans[0], spans[1:]
    marked = ((f"{name[:-1]}{CURSOR_BEHIND}", role), *rest)
    return tuple((part, f"{role}!") for part, role in marked)


def _about(frame: PaneInput) -> list[Line]:
    """What the selected row means, where its number comes from, whether LOST counts it, and how long it lasts."""
    key = frame.view.cursor
    if not key:
        return []
    if key == SEEN:
        said = ["Packets that the program on the interface counted: those are alive here.", "Not a loss."]
        return _wrapped(said, frame.width)
    stage = next((one for one in stage_lines(looked(frame)) if one.stage.id == key), None)
    if stage is None:
        detail = next((row for one in sections(looked(frame)) for row in one.rows if row.key == key), None)
        return _wrapped([detail.help], frame.width) if detail is not None else []
    lasts = "" if stage.headroom_s is None else f" Lasts {duration(stage.headroom_s)} at this rate."
    unread = (f"Not read: {clean(sentence)}" for sentence in stage.unread)
    where = f"{stage.stage.counter} ({stage.stage.scope}). {stage.stage.counted}"
    return _wrapped([f"{stage.stage.help}{lasts}", *unread, where], frame.width)


def _wrapped(sentences: list[str], width: int) -> list[Line]:
    first, *rest = sentences
    return [
        *(line((part, "text")) for part in wrap(first, width)),
        *(line((part, "muted")) for sentence in rest for part in wrap(sentence, width)),
    ]


TERMS: tuple[tuple[str, str], ...] = tuple((column.title, column.help) for column in PATH_COLUMNS)
"""What the columns are, for the help."""
