"""Findings as objects of a document, and the diagnosis document ``bpftop.diagnosis/1`` (diagnosis.schema.json)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bpftop.export.json_writing import TOOL, json_page
from bpftop.export.snapshot.finding_object import finding_object
from bpftop.history.episodes import Episode
from bpftop.model.findings import SEVERITIES, Severity
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import rfc3339
from bpftop.rules.rule import Rule

if TYPE_CHECKING:
    from bpftop.export.diagnosis.diagnosis_types import DiagnosisDocument, EpisodeObject

SCHEMA: Final = "bpftop.diagnosis/1"


@dataclass(frozen=True)
class Diagnosed:
    """What `diagnose` saw: the last moment, every finding of the time, and the rules that were asked."""

    last: Snapshot
    began_ns: int
    episodes: tuple[Episode, ...]
    rules: tuple[Rule, ...]

    @property
    def duration_s(self) -> float:
        return (self.last.mono_ns - self.began_ns) / 1e9

    @property
    def severity(self) -> Severity | None:
        """The gravest of the time, also of what has passed."""
        found = [SEVERITIES.index(episode.finding.severity) for episode in self.episodes]
        return SEVERITIES[max(found)] if found else None

    @property
    def causes(self) -> tuple[Episode, ...]:
        """What no other finding explains, the gravest first."""
        return tuple(e for e in self.ordered() if e.finding.explained_by is None)

    def ordered(self) -> list[Episode]:
        """The gravest first, then in the order in which they began."""
        return sorted(self.episodes, key=lambda e: -SEVERITIES.index(e.finding.severity))

    @property
    def ruled_out(self) -> tuple[Rule, ...]:
        """Rules that could see and had nothing to say."""
        spoken = {episode.finding.id for episode in self.episodes}
        unseen = {*self.last.diagnosis.blind, *self.last.diagnosis.waiting}
        return tuple(rule for rule in self.rules if rule.id not in spoken | unseen)

    @property
    def unknown(self) -> dict[str, str]:
        """Rule id -> why nothing can be said."""
        return {**self.last.diagnosis.blind, **self.last.diagnosis.waiting}


def verdict(diagnosed: Diagnosed) -> str:
    """One sentence."""
    causes = [episode for episode in diagnosed.causes if episode.finding.severity != "info"]
    names = ", ".join(w.label for w in diagnosed.last.interfaces)
    if not causes:
        asked, blind = diagnosed.last.diagnosis.rules, len(diagnosed.unknown)
        return f"Nothing found on {names}: {asked - blind} of {asked} rules could see, {blind} could not."
    first, more = causes[0].finding, len(causes) - 1
    past = "" if causes[0].active else " (it has passed)"
    also = f"; {more} more cause{'s' if more > 1 else ''}" if more else ""
    return f"{first.severity.capitalize()} on {names}: {first.title}{past}{also}."


def diagnosis(diagnosed: Diagnosed) -> DiagnosisDocument:
    """The whole document."""
    last = diagnosed.last
    return {
        "schema": SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(last.wall_ns),
        "duration_s": round(diagnosed.duration_s, 3),
        "host": {"name": last.host},
        "interfaces": [
            {"label": w.label, "name": w.interface.name, "hooks": {f.direction: str(f.hook) for f in (w.rx, w.tx)}}
            for w in last.interfaces
        ],
        "verdict": {"severity": diagnosed.severity, "sentence": verdict(diagnosed)},
        "findings": [_episode(episode, last.mono_ns) for episode in diagnosed.ordered()],
        "ruled_out": [rule.id for rule in diagnosed.ruled_out],
        "unknown": [{"id": rule, "reason": reason} for rule, reason in diagnosed.unknown.items()],
    }


def _episode(episode: Episode, now_ns: int) -> EpisodeObject:
    ended_ns = episode.ended_ns
    return {
        **finding_object(episode.finding, now_ns),
        "active": episode.active,
        "ended_s_ago": None if ended_ns is None else round((now_ns - ended_ns) / 1e9, 3),
    }


def diagnosis_json(diagnosed: Diagnosed) -> str:
    return json_page(diagnosis(diagnosed))


def rules_text(rules: Iterable[Rule]) -> str:
    """What `diagnose --list` prints: each rule with its limits, which the configuration can override, and sources."""
    lines: list[str] = []
    for rule in rules:
        lines.append(f"{rule.id}  ({', '.join(rule.severities)}; scope {rule.scope})")
        lines.append(f"    {rule.description}")
        for name, limit in rule.limits.items():
            clear = limit.level(clearing=True)
            clears = "" if clear == limit.raised else f", clears at {clear:g}"
            source = f"  [{limit.source}]" if limit.source else ""
            lines.append(f"    {name}: {limit.raised:g} {limit.unit}{clears}{source}".rstrip())
        if rule.explains:
            lines.append(f"    explains: {', '.join(rule.explains)}")
    return "\n".join(lines) + "\n"
