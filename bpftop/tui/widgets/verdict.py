"""The verdict of every pane: the gravest finding, what follows from it, and what could not be seen."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.findings import Finding
from bpftop.model.units import since
from bpftop.render.finding_columns import MARKS
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.header import notices, without_numbers
from bpftop.tui.widgets.line import Line, clean, ends, length, line, shortened, wrap
from bpftop.tui.widgets.region import Region

ROLES = {"critical": "alarm", "warning": "notice", "info": "muted"}
LINES = 3


class VerdictBlock(Region):
    """Three lines, whatever there is to say, so that nothing below them moves."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        causes = [finding for finding in moment.snapshot.diagnosis.findings if finding.explained_by is None]
        if not causes:
            first, second = _nothing_found(moment), _notice(moment, width)
        else:
            first = _cause(moment, causes[0], width)
            second = _second_line(moment, causes, width)
        above = [*first, *second][: LINES - 1]
        is_shown = any(span.text.startswith("! ") for spans in above for span in spans)
        hidden = 0 if is_shown else len(notices(moment.snapshot, moment.frame.remarks))
        return [*above, _checks_line(moment, width, bool(causes), hidden)]


def _cause(moment: Moment, finding: Finding, width: int) -> list[Line]:
    """Return the finding and for how long it has stood; in two lines where one is too short."""
    mark = line((f"{MARKS[finding.severity]}", ROLES[finding.severity], "findings"), "  ")
    lasts = line((f"  for {since(finding.since_s(moment.snapshot.mono_ns))}", "muted"))
    title = line((clean(finding.title), "name", "findings"))
    if length(mark) + length(title) + length(lasts) < width:  # a cell between the title and its time
        return [ends((*mark, *title), lasts, width)]
    room = width - length(mark) - length(lasts) - 1
    first, *rest = wrap(clean(finding.title), room)
    head = ends((*mark, *line((first, "name", "findings"))), lasts, width)
    following = line(" " * length(mark), (" ".join(rest), "name", "findings"))
    return [head, shortened(following, width)]


def _second_line(moment: Moment, causes: Sequence[Finding], width: int) -> list[Line]:
    """Return what follows from the first cause, else the second cause, else a notice."""
    consequences = [f for f in moment.snapshot.diagnosis.findings if f.explained_by == causes[0].id]
    if consequences:
        titles = ", ".join(clean(finding.title) for finding in consequences)
        return [shortened(line(("   leads to: ", "muted"), (titles, "text", "findings")), width)]
    if len(causes) > 1:
        mark = line((MARKS[causes[1].severity], ROLES[causes[1].severity], "findings"), "  ")
        return [shortened((*mark, *line((clean(causes[1].title), "text", "findings"))), width)]
    return _notice(moment, width)


def _nothing_found(moment: Moment) -> list[Line]:
    diagnosis = moment.snapshot.diagnosis
    if not diagnosis.rules:
        return [line(("no checks run", "muted"))]
    return [line(("nothing wrong found", "good") if diagnosis.active else ("nothing found yet", "muted"))]


def _notice(moment: Moment, width: int) -> list[Line]:
    """Return the first notice; the log of messages has all of them, whole. An empty line where none is to be shown."""
    sentences = notices(moment.snapshot, moment.frame.remarks)
    shown = (each for each in sentences if without_numbers(each) not in moment.choices.hidden_notices)
    if (first := next(shown, "")) == "":
        return [()]
    frame = moment.frame
    hide = line("  ", (frame.key_of("back"), "key", "back"), (": hide", "muted", "back"))
    is_cut = length(hide) + len(first) + 2 > width
    words = f": {len(sentences) - 1} more" if len(sentences) > 1 else ": whole" if is_cut else ""
    more = line("  ", (frame.key_of("log"), "key", "log"), (words, "muted", "log")) if words else ()
    return [ends(line((f"! {first}", "notice", "log")), (*more, *hide), width)]


def _checks_line(moment: Moment, width: int, findings: bool, hidden: int) -> Line:
    """Return ``26 of 28 checks active, 2 need more time``, and at the right the way to all findings: ``8: findings``.

    Without the colon, the key reads as a number of findings.

    ``hidden`` is the number of notices for which there is no room above.
    """
    diagnosis = moment.snapshot.diagnosis
    if not diagnosis.rules:
        return ()
    notices_text = f": {hidden} notice{'s' if hidden > 1 else ''}"
    noticed = line("   ", (moment.frame.key_of("log"), "key", "log"), (notices_text, "notice", "log")) if hidden else ()
    waiting = len(diagnosis.waiting)
    if waiting and not diagnosis.active:
        more = ", the others need a few seconds"
    else:
        more = f", {waiting} need{'s' if waiting == 1 else ''} more time" if waiting else ""
    word = ": all findings" if findings else ": why not all" if diagnosis.blind else ": findings"
    right = line("  ", (moment.frame.key_of("findings"), "key", "findings"), (word, "muted", "findings"))
    checks = line("   ", (f"{checks_text(moment)}{more}", "muted", "findings"))
    fits = length(checks) + length(noticed) + length(right) < width
    return ends((*checks, *noticed) if fits else checks, right, width)


def checks_text(moment: Moment) -> str:
    """Return ``28 of 30 checks active``, of the checks that apply here."""
    diagnosis = moment.snapshot.diagnosis
    return f"{diagnosis.active} of {diagnosis.applicable} checks active"
