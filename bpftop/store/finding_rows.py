"""When findings were raised and when they cleared, as plain rows of a recording: in from the rules, out for replays."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from bpftop.model.findings import SEVERITIES, Finding
from bpftop.store.rows import plain_text


@dataclass(frozen=True)
class Said:
    """What the rules said of one sample, which is known by its ``mono_ns``."""

    mono_ns: int
    findings: tuple[Finding, ...]


class RecordedFinding(NamedTuple):
    """What was raised with one tick: the gravest finding, and how many others there are (``more``).

    ``end_wall_ns`` is None where it stood until the recorder ended.
    """

    tick: int
    wall_ns: int
    end_wall_ns: int | None
    severity: str
    title: str
    scope_name: str
    more: int


class EpisodeRows:
    """Keeps the table in step with what the rules say. ``standing``: id and scope -> row and severity."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self.standing: dict[tuple[str, str], tuple[int, int]] = {}

    def put(self, said: Said, run_tick: int) -> None:
        """Add, end and aggravate episodes. ``run_tick`` is the first tick of this run of the recorder.

        Where the very tick was lost, it is that of the one before it.
        """
        query = """
            SELECT tick, wall_ns, mono_ns FROM ticks WHERE tick >= ? AND mono_ns <= ? ORDER BY tick DESC LIMIT 1
        """
        at = self._execute(query, (run_tick, said.mono_ns)).fetchone()
        if at is None:
            return
        now = {(finding.id, finding.scope_name): finding for finding in said.findings}
        for gone in self.standing.keys() - now.keys():
            number, _ = self.standing.pop(gone)
            self._execute("UPDATE episodes SET end_tick = ?, end_ns = ? WHERE episode = ?", (*at[:2], number))
        for key, finding in now.items():
            self._raise(key, finding, at)

    def forget(self, tick: int) -> None:
        """Delete what was over before this tick."""
        standing = ", ".join(str(number) for number, _ in self.standing.values())
        query = f"DELETE FROM episodes WHERE coalesce(end_tick, tick) < ? AND episode NOT IN ({standing})"
        self._execute(query, (tick,))

    def _raise(self, key: tuple[str, str], finding: Finding, at: tuple[int, int, int]) -> None:
        tick, wall_ns, mono_ns = at
        grave = SEVERITIES.index(finding.severity)
        number, before = self.standing.get(key, (0, -1))
        words = (finding.severity, plain_text(finding.title), plain_text(finding.why))
        if number and grave > before:
            self._execute("UPDATE episodes SET severity = ?, title = ?, why = ? WHERE episode = ?", (*words, number))
        elif not number:
            since_ns = wall_ns - (mono_ns - finding.since_ns)
            added = self._execute(
                """
                INSERT INTO episodes (tick, wall_ns, since_ns, severity, title, why, id, scope, scope_name)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                (tick, wall_ns, since_ns, *words, finding.id, finding.scope, plain_text(finding.scope_name)),
            )
            number = added.lastrowid or 0
        self.standing[key] = number, max(grave, before)


def recorded_finding(connection: sqlite3.Connection, tick: int, *, later: bool) -> RecordedFinding | None:
    """What was raised next after this tick, or last before it; None where nothing was. Raises sqlite3.Error."""
    which = "min(tick) FROM episodes WHERE tick > ?" if later else "max(tick) FROM episodes WHERE tick < ?"
    query = f"""
        SELECT tick, wall_ns, end_ns, severity, title, scope_name FROM episodes
        WHERE tick = (SELECT {which}) ORDER BY episode
    """
    found = connection.execute(query, (tick,)).fetchall()
    if not found:
        return None
    gravest = max(found, key=lambda row: SEVERITIES.index(row[3]) if row[3] in SEVERITIES else -1)
    return RecordedFinding._make((*gravest, len(found) - 1))


def lists_findings(connection: sqlite3.Connection) -> bool:
    """Recordings of before this table have none. Raises sqlite3.Error."""
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'episodes'"
    return bool(connection.execute(query).fetchone()[0])
