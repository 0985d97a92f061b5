"""Pane 8: each problem and its cause, past findings, and checks that cannot run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textual.widget import Widget

from bpftop.history.episodes import Episode
from bpftop.model.findings import Finding
from bpftop.model.timestamps import clock_time
from bpftop.model.units import since
from bpftop.render.columns import Column
from bpftop.render.finding_columns import FINDING_COLUMNS, FindingLine, finding_lines
from bpftop.render.finding_value import limits_sentence, value_sentence
from bpftop.rules.table import BY_ID
from bpftop.tui.messages import GoTo
from bpftop.tui.moment import Moment, Place
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.line import Line, clean, line, text, wrap
from bpftop.tui.widgets.scroller import TextPanel
from bpftop.tui.widgets.table import Rows, Table
from bpftop.tui.widgets.verdict import checks_text

LABEL_WIDTH = 11


class FindingTable(Table[FindingLine]):
    """The findings that stand, the gravest first, then those that are over."""

    def columns(self, moment: Moment) -> Sequence[Column[FindingLine]]:
        return FINDING_COLUMNS

    def rows(self, moment: Moment) -> Rows[FindingLine]:
        lines = finding_lines(moment.snapshot, moment.history.episodes)
        matching = [each for each in lines if _matches(each.finding, self.words())]
        return Rows.of(self.ordered(matching, moment), lambda each: each.key, len(lines))

    def empty(self, moment: Moment) -> str:
        if not moment.snapshot.diagnosis.rules:
            return "no checks run"
        return f"nothing wrong was found; {checks_text(moment)}"

    def current(self, moment: Moment) -> FindingLine | None:
        """Return the selected finding, else the first one."""
        rows = self.rows(moment)
        keys = [self.cursor] if self.cursor in rows.keys else list(rows.keys[:1])
        return next(iter(rows.build(keys)), None)


class FindingDetail(TextPanel):
    """Everything about the selected finding, then the checks that cannot run."""

    def __init__(self, table: FindingTable) -> None:
        super().__init__()
        self._table = table

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        current = self._table.current(moment)
        told = [] if current is None else [*details(moment, current.episode, width), ()]
        return [line(("─" * (width + 2), "muted")), *told, *inactive_checks(moment, width)]


class FindingsPane(Pane):
    """The list of findings above the details of the selected finding."""

    DEFAULT_CSS = """
    FindingsPane FindingTable { height: 1fr; }
    FindingsPane FindingDetail { height: 2fr; }
    """
    source = "The checks of `bpftop diagnose`, on the same samples; each finding names the source of its limits."
    hints = (("choose", "go there"), ("copy", "copy"), ("previous_finding", "earlier"), ("next_finding", "later"),
             ("pause", "pause"), ("filter", "filter"))  # fmt: skip
    columns = FINDING_COLUMNS
    terms = (
        ("blind", "The check cannot run: its input is not readable here. That is not the same as nothing found."),
        ("waiting", "The check needs a few more seconds of samples."),
        ("does not apply", "There is nothing here for the check to look at, so that nothing is missed."),
    )

    def compose_list(self) -> Iterator[Widget]:
        self._findings = FindingTable()
        self._detail = FindingDetail(self._findings)
        yield from (self._findings, self._detail)

    def compose_detail(self) -> Iterator[Widget]:
        yield from ()

    def table(self) -> FindingTable:
        return self._findings

    def on_table_selected(self, event: Table.Selected) -> None:
        """Show the details of the finding from their first line."""
        event.stop()
        self._detail.top = 0
        self._detail.redraw()

    def choose(self, table: Table[Any], key: str) -> None:
        """Go to the pane that shows the cause."""
        shown = self._findings
        current = shown.current(shown.moment) if shown.moment else None
        if current is not None:
            self.post_message(GoTo(place_of(current.finding)))

    def copied_text(self) -> str:
        table = self._findings
        if table.moment is None or not table.cursor:
            return ""
        with table.moment.lock:
            current = table.current(table.moment)
            told = [] if current is None else details(table.moment, current.episode, 118)
        row = table.row_text(table.cursor, 120)
        return "\n".join((row, *(text(spans).rstrip() for spans in told)))


def _matches(finding: Finding, words: Sequence[str]) -> bool:
    searched = f"{finding.id} {finding.severity} {finding.title} {finding.scope_name}".lower()
    return all(word in searched for word in words)


def details(moment: Moment, episode: Episode, width: int) -> list[Line]:
    """Return check, time, reason, evidence, limits, related findings and next commands of the finding."""
    finding = episode.finding
    others = moment.snapshot.diagnosis.findings if episode.active else ()
    cause = next((f.title for f in others if f.id == finding.explained_by), "")
    entries: list[tuple[str, str, str]] = [
        ("finding", finding.title, "name"),
        ("check", f"{finding.id}, scope {finding.scope} {finding.scope_name}", "text"),
        ("since", _since(moment, episode), "text"),
        ("why", finding.why, "name"),
        *_value(moment, episode),
        *(("evidence" if i == 0 else "", sentence, "text") for i, sentence in enumerate(finding.evidence)),
    ]
    if finding.source:
        entries.append(("limits", finding.source, "muted"))
    if finding.explained_by and episode.active:
        entries.append(("follows", f"from {finding.explained_by}: {cause}", "text"))
    consequences = [f"{f.title} ({f.id})" for f in others if f.explained_by == finding.id]
    entries += [("leads to" if i == 0 else "", title, "text") for i, title in enumerate(consequences)]
    entries += [("next" if i == 0 else "", f"$ {command}", "key") for i, command in enumerate(finding.commands)]
    return [row for name, sentence, role in entries for row in _entry(name, sentence, role, width)]


def _value(moment: Moment, episode: Episode) -> list[tuple[str, str, str]]:
    """Return the number now beside its peak, its total, and the limits at which the finding is raised and clears."""
    value, snapshot = episode.finding.value, moment.snapshot
    if value is None:
        return []
    peak_time = f"at {clock_time(snapshot.wall_time_ns(value.peak_ns))}"
    return [
        ("number", value_sentence(value, peak_time, over=not episode.active), "text"),
        ("", limits_sentence(value), "muted"),
    ]


def _since(moment: Moment, episode: Episode) -> str:
    """Return begin, end and duration by the wall clock of the monitored machine."""
    finding, snapshot = episode.finding, moment.snapshot
    began = clock_time(snapshot.wall_time_ns(finding.since_ns))
    if episode.ended_ns is None:
        return f"{began}, for {since(finding.since_s(snapshot.mono_ns))}"
    ended = clock_time(snapshot.wall_time_ns(episode.ended_ns))
    return f"{began} until {ended}, {since((episode.ended_ns - finding.since_ns) / 1e9)}"


def _entry(name: str, sentence: str, role: str, width: int) -> list[Line]:
    parts = wrap(clean(sentence), max(20, min(width, 120) - LABEL_WIDTH))
    return [line((f"{'' if i else name:<{LABEL_WIDTH}}", "muted"), (part, role)) for i, part in enumerate(parts)]


def inactive_checks(moment: Moment, width: int) -> list[Line]:
    """Return the checks that are blind, wait for data, or do not apply here, each with its reason."""
    diagnosis = moment.snapshot.diagnosis
    lines: list[Line] = []
    for one, many, note, checks in (
        ("check is blind", "checks are blind", "   `bpftop doctor` says more", diagnosis.blind),
        ("check is waiting", "checks are waiting", "", diagnosis.waiting),
        ("check does not apply", "checks do not apply", " here: nothing is missed", diagnosis.not_applicable),
    ):
        if checks:
            lines.append(line((f"{len(checks)} {one if len(checks) == 1 else many}", "title"), (note, "muted")))
            lines += [
                line((f"{check if i == 0 else '':<24}", "muted"), part)
                for check, reason in checks.items()
                for i, part in enumerate(wrap(clean(reason), max(20, width - 24)))
            ]
    return lines


_FLOWS = frozenset({"syn-flood", "port-scan", "rst-storm", "udp-amplification", "udp-flood"})
"""Checks whose cause is in the flows, beside all checks of the stage "traffic"."""

_STAGES: Mapping[str, str] = {
    "rx-crc-errors": "wire", "rx-ring-overflow": "ring", "backlog-overflow": "backlog", "softirq-squeeze": "backlog",
    "conntrack-full": "conntrack", "firewall-drops": "firewall", "reverse-path-filter": "rpf",
    "accept-queue-overflow": "listen", "udp-socket-overflow": "udp_sockets", "udp-port-unreachable": "udp_ports",
    "tcp-memory": "memory", "checksum-errors": "checksums", "neighbour-table-full": "neighbour",
    "no-route-out": "ip_out_routes", "tx-drops": "tx_drops", "link-saturated": "qdisc",
    "xdp-exceptions": "xdp_exceptions", "xdp-drops": "xdp_drops", "neighbour-unresolved": "neighbour_silent",
    "unknown-protocol": "ip_unknown", "vxlan-unknown-vni": "tunnels", "ipsec-drops": "tunnels",
}  # fmt: skip
"""Check -> the stage of the path that its packets die at."""


def place_of(finding: Finding) -> Place:
    """Return the pane, or the stage of the path, that shows the cause of a finding."""
    title, rule = clean(finding.title), BY_ID.get(finding.id)
    stage = rule.stage if rule else ""
    if finding.id in _FLOWS or stage == "traffic":
        return Place("flows", title)
    if stage == "cpu":
        return Place("cpus", title)
    return Place("path", title, row=_STAGES.get(finding.id, ""))
