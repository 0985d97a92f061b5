"""The list of findings: rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpftop.fields import frozen
from bpftop.history.episodes import Episode
from bpftop.model.findings import SEVERITIES, Finding, Severity
from bpftop.model.snapshot import Snapshot
from bpftop.model.units import since
from bpftop.render.columns import Column, Look, clipped

MARKS: Mapping[Severity, str] = {"critical": "▲▲ CRITICAL", "warning": "▲  WARNING", "info": "·  note"}


@frozen
class FindingLine:
    """A finding that stands or that is over, seen at ``now_ns`` (CLOCK_MONOTONIC)."""

    episode: Episode
    now_ns: int

    @property
    def finding(self) -> Finding:
        return self.episode.finding

    @property
    def key(self) -> str:
        return episode_key(self.finding)

    @property
    def when(self) -> str:
        """Return ``for 14 s``, or ``lasted 3 s, over for 2 min``."""
        if self.episode.ended_ns is None:
            return self.when_short
        lasted = since((self.episode.ended_ns - self.finding.since_ns) / 1e9)
        return f"lasted {lasted}, over for {since((self.now_ns - self.episode.ended_ns) / 1e9)}"

    @property
    def when_short(self) -> str:
        """Return ``for 14 s``, or ``over for 2 min``."""
        if self.episode.ended_ns is None:
            return f"for {since(self.finding.since_s(self.now_ns))}"
        return f"over for {since((self.now_ns - self.episode.ended_ns) / 1e9)}"


def episode_key(finding: Finding) -> str:
    """Return a key that names the finding for as long as the history has it."""
    return f"{finding.id}/{finding.scope_name}/{finding.since_ns}"


def finding_lines(snapshot: Snapshot, episodes: Iterable[Episode]) -> list[FindingLine]:
    """Return the findings of the snapshot, gravest cause first with its consequences below, then past findings.

    Past findings begin with the finding that ended last.
    """
    now_ns = snapshot.mono_ns
    active = [Episode(finding) for finding in snapshot.diagnosis.findings]
    active_keys = {episode_key(episode.finding) for episode in active}
    past = [
        episode
        for episode in episodes
        if episode.ended_ns is not None
        and episode.ended_ns <= now_ns
        and episode_key(episode.finding) not in active_keys
    ]
    past.sort(key=lambda e: (-(e.ended_ns or 0), -SEVERITIES.index(e.finding.severity)))
    return [FindingLine(episode, now_ns) for episode in (*active, *past)]


def _severity_look(row: FindingLine) -> Look:
    if not row.episode.active:
        return "muted"
    looks: Mapping[Severity, Look] = {"critical": "alarm", "warning": "notice"}
    return looks.get(row.finding.severity, "muted")


def _title(row: FindingLine, width: int) -> str:
    indent = "└ " if row.finding.explained_by and row.episode.active else ""
    return clipped(f"{indent}{row.finding.title}", width)


FINDING_COLUMNS: tuple[Column[FindingLine], ...] = (
    Column("severity", "  severity", "", 15,
           "critical, warning: something is lost, or will be. `bpftop diagnose` ends with exit code 4 or 3 for them. "
           "note: worth knowing; nothing is lost by it.",
           lambda r: SEVERITIES.index(r.finding.severity), lambda r, _: f"  {MARKS[r.finding.severity]}",
           gap=0, left=True, look=_severity_look, source="the check"),
    Column("title", "finding", "", 24, "What is wrong. └ marks a consequence of the finding above it.",
           lambda r: r.finding.title, _title, gap=0, left=True, stretch=70,
           look=lambda r: "name" if r.episode.active else "muted", source="the check"),
    Column("scope", "where", "", 16, "The interface, the namespace or the host that the finding is about.",
           lambda r: r.finding.scope_name, lambda r, width: clipped(r.finding.scope_name, width), rank=2, gap=2,
           left=True, stretch=10, look="muted", source="the check"),
    Column("when", "since", "", 15, "For how long the condition has held; or how long it lasted, and for how long it "
           "is over.", lambda r: -r.finding.since_ns,
           lambda r, width: r.when if len(r.when) <= width else r.when_short, rank=1, gap=2, left=True,
           stretch=17, look="muted", source="the samples since the condition holds"),
)  # fmt: skip
