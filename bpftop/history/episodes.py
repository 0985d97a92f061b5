"""Findings over time: when each was raised and when it cleared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bpftop.fields import frozen, replace
from bpftop.model.findings import SEVERITIES, Finding

EPISODES_MAX = 200


@frozen
class Episode:
    """One finding from its raising to its clearing; ``ended_ns`` is None while the finding stands.

    ``finding`` is the newest of the gravest findings of the episode.
    """

    finding: Finding
    ended_ns: int | None = None
    raised_ns: int = 0
    """The first moment with the finding; its condition has held since ``finding.since_ns``."""

    @property
    def active(self) -> bool:
        return self.ended_ns is None


class Episodes:
    """The last EPISODES_MAX episodes, in the order of their beginnings."""

    def __init__(self) -> None:
        self._episodes: list[Episode] = []

    def __iter__(self) -> Iterator[Episode]:
        return iter(self._episodes)

    def push(self, mono_ns: int, findings: Sequence[Finding]) -> None:
        """Add the findings of one moment: begin, continue and end episodes."""
        new = {(f.id, f.scope_name): f for f in findings}
        for index, episode in enumerate(self._episodes):
            if not episode.active:
                continue
            finding = new.pop((episode.finding.id, episode.finding.scope_name), None)
            if finding is None:
                self._episodes[index] = replace(episode, finding=episode.finding.ended(), ended_ns=mono_ns)
            elif not _milder(finding, episode.finding):
                self._episodes[index] = replace(episode, finding=finding)
            else:
                milder = replace(finding, severity=episode.finding.severity)
                self._episodes[index] = replace(episode, finding=milder)
        self._episodes += [Episode(finding, raised_ns=mono_ns) for finding in new.values()]
        del self._episodes[:-EPISODES_MAX]


def _milder(finding: Finding, before: Finding) -> bool:
    return SEVERITIES.index(finding.severity) < SEVERITIES.index(before.severity)
