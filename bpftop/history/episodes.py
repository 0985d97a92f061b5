"""Findings that came and went: what the pane's history and `diagnose` tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bpftop.model.findings import SEVERITIES, Finding

KEPT = 200


@dataclass(frozen=True)
class Episode:
    """One finding from when it was raised until it cleared; ``ended_ns`` is None while it stands.

    ``finding`` is as it was at its gravest, and the latest of those.
    """

    finding: Finding
    ended_ns: int | None = None
    raised_ns: int = 0
    """The first moment with it; what it is about holds since ``finding.since_ns``."""

    @property
    def active(self) -> bool:
        return self.ended_ns is None


class Episodes:
    """The last KEPT of them, in the order in which they began."""

    def __init__(self) -> None:
        self._all: list[Episode] = []

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._all)

    def push(self, mono_ns: int, findings: Sequence[Finding]) -> None:
        """The findings of one moment."""
        now = {(f.id, f.scope_name): f for f in findings}
        for index, episode in enumerate(self._all):
            if not episode.active:
                continue
            found = now.pop((episode.finding.id, episode.finding.scope_name), None)
            if found is None:
                self._all[index] = replace(episode, ended_ns=mono_ns)
            elif not _milder(found, episode.finding):
                self._all[index] = replace(episode, finding=found)
        self._all += [Episode(found, raised_ns=mono_ns) for found in now.values()]
        del self._all[:-KEPT]


def _milder(found: Finding, before: Finding) -> bool:
    return SEVERITIES.index(found.severity) < SEVERITIES.index(before.severity)
