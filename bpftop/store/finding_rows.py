"""The table of findings in a recording: when each was raised, and when it cleared."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from bpftop.fields import frozen
from bpftop.model.escaping import escaped_text
from bpftop.model.findings import SEVERITIES, Finding, FindingValue
from bpftop.store.hostile_file import integers


@frozen
class TickFindings:
    """The findings of one sample, which ``mono_ns`` identifies."""

    mono_ns: int
    findings: tuple[Finding, ...]


class RecordedFinding(NamedTuple):
    """The gravest finding raised at one tick; ``more`` is the number of other findings raised at that tick.

    ``end_wall_ns`` is None for a finding that had not cleared when the recorder ended.
    """

    tick: int
    wall_ns: int
    end_wall_ns: int | None
    severity: str
    title: str
    scope_name: str
    more: int


class EpisodeTable:
    """Writes the tables ``episodes`` and ``episode_values``.

    ``standing``: (rule id, scope name) -> row number and severity of a finding.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self.standing: dict[tuple[str, str], tuple[int, int]] = {}

    def update(self, tick_findings: TickFindings, run_tick: int) -> None:
        """Add new findings, end cleared ones, and raise the severity of findings that grew worse.

        If the tick of the sample was lost, the tick before stands for it, from ``run_tick`` on: the first of this run.
        """
        query = """
            SELECT tick, wall_ns, mono_ns FROM ticks WHERE tick >= ? AND mono_ns <= ? ORDER BY tick DESC LIMIT 1
        """
        row = self._execute(query, (run_tick, tick_findings.mono_ns)).fetchone()
        if row is None:
            return
        now = {(finding.id, finding.scope_name): finding for finding in tick_findings.findings}
        for cleared in self.standing.keys() - now.keys():
            number, _ = self.standing.pop(cleared)
            self._execute("UPDATE episodes SET end_tick = ?, end_ns = ? WHERE episode = ?", (*row[:2], number))
        for key, finding in now.items():
            self._raise(key, finding, row)

    def delete_before(self, tick: int) -> None:
        """Delete the findings that cleared before this tick."""
        standing = ", ".join(str(number) for number, _ in self.standing.values())
        query = f"DELETE FROM episodes WHERE coalesce(end_tick, tick) < ? AND episode NOT IN ({standing})"
        self._execute(query, (tick,))
        self._execute("DELETE FROM episode_values WHERE episode NOT IN (SELECT episode FROM episodes)")

    def _raise(self, key: tuple[str, str], finding: Finding, row: tuple[int, int, int]) -> None:
        tick, wall_ns, mono_ns = row
        grave = SEVERITIES.index(finding.severity)
        number, before = self.standing.get(key, (0, -1))
        words = (finding.severity, escaped_text(finding.title), escaped_text(finding.why))
        if number and grave > before:
            self._execute("UPDATE episodes SET severity = ?, title = ?, why = ? WHERE episode = ?", (*words, number))
        elif not number:
            since_ns = wall_ns - (mono_ns - finding.since_ns)
            added = self._execute(
                """
                INSERT INTO episodes (tick, wall_ns, since_ns, severity, title, why, id, scope, scope_name)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                (tick, wall_ns, since_ns, *words, finding.id, finding.scope, escaped_text(finding.scope_name)),
            )
            number = added.lastrowid or 0
        self.standing[key] = number, max(grave, before)
        if finding.value is not None:
            self._write_value(number, finding.value, wall_ns - mono_ns)

    def _write_value(self, number: int, value: FindingValue, wall_offset_ns: int) -> None:
        row = (number, value.name, value.unit, value.peak, value.peak_ns + wall_offset_ns, value.total)
        self._execute(
            "REPLACE INTO episode_values VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, value.raise_at, value.clear_at)
        )


def recorded_finding(connection: sqlite3.Connection, tick: int, *, later: bool) -> RecordedFinding | None:
    """Return the finding raised next after a tick, or last before it, or None. Raises sqlite3.Error, ValueError."""
    which = "min(tick) FROM episodes WHERE tick > ?" if later else "max(tick) FROM episodes WHERE tick < ?"
    query = f"""
        SELECT tick, wall_ns, end_ns, severity, title, scope_name FROM episodes
        WHERE tick = (SELECT {which}) ORDER BY episode LIMIT 1000
    """
    rows = connection.execute(query, (tick,)).fetchall()
    if not rows:
        return None
    gravest = max(rows, key=lambda row: SEVERITIES.index(row[3]) if row[3] in SEVERITIES else -1)
    list(integers(number for number in gravest[:3] if number is not None))
    if not all(isinstance(word, str) for word in gravest[3:]):
        raise ValueError("a finding has no words")
    return RecordedFinding._make((*gravest, len(rows) - 1))


def lists_findings(connection: sqlite3.Connection) -> bool:
    """Return False for a recording that is older than the table of findings. Raises sqlite3.Error."""
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'episodes'"
    return bool(connection.execute(query).fetchone()[0])
