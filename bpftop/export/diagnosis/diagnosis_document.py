"""The results of `diagnose`, and the diagnosis document ``bpftop.diagnosis/1``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from bpftop.export.json_writing import TOOL, rounded
from bpftop.export.snapshot.finding_object import finding_object
from bpftop.fields import frozen
from bpftop.history.episodes import Episode
from bpftop.model.findings import SEVERITIES, Severity
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import rfc3339
from bpftop.rules.rule import Rule

if TYPE_CHECKING:
    from bpftop.export.diagnosis.diagnosis_types import DiagnosisDocument, EpisodeObject, WhyUnknown

SCHEMA: Final = "bpftop.diagnosis/1"


@frozen
class Diagnosed:
    """The results of a watch: the last snapshot, all findings of the time, and the rules that ran.

    ``whole`` is the snapshot of the last sample against the first; None where only the last interval is known.
    """

    last: Snapshot
    began_ns: int
    episodes: tuple[Episode, ...]
    rules: tuple[Rule, ...]
    whole: Snapshot | None = None

    @property
    def duration_s(self) -> float:
        return (self.last.mono_ns - self.began_ns) / 1e9

    @property
    def severity(self) -> Severity | None:
        """Return the gravest severity of all findings, ended findings included."""
        ranks = [SEVERITIES.index(episode.finding.severity) for episode in self.episodes]
        return SEVERITIES[max(ranks)] if ranks else None

    @property
    def causes(self) -> tuple[Episode, ...]:
        """Return the findings that no other finding explains, the gravest first."""
        return tuple(e for e in self.ordered() if e.finding.explained_by is None)

    def ordered(self) -> list[Episode]:
        """Return all findings, the gravest first; of one severity, the oldest first."""
        return sorted(self.episodes, key=lambda e: -SEVERITIES.index(e.finding.severity))

    @property
    def ruled_out(self) -> tuple[Rule, ...]:
        """Return the rules that had their input and found nothing."""
        raised = {episode.finding.id for episode in self.episodes}
        return tuple(rule for rule in self.rules if rule.id not in {*raised, *self.unknown})

    @property
    def unknown(self) -> Mapping[str, str]:
        """Return the rules without input: rule id -> reason."""
        return self.last.diagnosis.without_input

    @property
    def blind(self) -> Mapping[str, str]:
        """Return the rules whose input exists and cannot be read: rule id -> reason."""
        return self.last.diagnosis.blind

    def why_unknown(self, rule: str) -> WhyUnknown:
        """Return whether a rule without input is blind, does not apply here, or waits for more samples."""
        if rule in self.last.diagnosis.waiting:
            return "waiting"
        return "blind" if rule in self.blind else "does_not_apply"


def verdict(diagnosed: Diagnosed) -> str:
    """Return the most important result in a sentence."""
    causes = [episode for episode in diagnosed.causes if episode.finding.severity != "info"]
    names = ", ".join(interface.label for interface in diagnosed.last.interfaces)
    if not causes:
        notes = [episode.finding for episode in diagnosed.causes]
        others = f" and {len(notes) - 1} more" if len(notes) > 1 else ""
        result = f"No problem on {names}; note: {notes[0].title}{others}" if notes else f"Nothing found on {names}"
        return f"{result}: {_coverage(diagnosed)}."
    first, more = causes[0].finding, len(causes) - 1
    past = "" if causes[0].active else " (it has ended)"
    also = f"; {more} more cause{'s' if more > 1 else ''}" if more else ""
    return f"{first.severity.capitalize()} on {names}: {first.title}{past}{also}."


def _coverage(diagnosed: Diagnosed) -> str:
    """Return ``23 of 30 checks decided, 2 blind, 4 do not apply here, 1 needs more time``."""
    counts: Counter[str] = Counter(diagnosed.why_unknown(rule) for rule in diagnosed.unknown)
    rules = diagnosed.last.diagnosis.rules
    parts = [f"{rules - len(diagnosed.unknown)} of {rules} checks decided"]
    for kind, one, many in (
        ("blind", "blind", "blind"),
        ("does_not_apply", "does not apply here", "do not apply here"),
        ("waiting", "needs more time", "need more time"),
    ):
        if counts[kind]:
            parts.append(f"{counts[kind]} {one if counts[kind] == 1 else many}")
    return ", ".join(parts)


def diagnosis(diagnosed: Diagnosed) -> DiagnosisDocument:
    """Return the whole document."""
    last = diagnosed.last
    return {
        "schema": SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(last.wall_ns),
        "duration_s": round(diagnosed.duration_s, 3),
        "host": {"name": last.host},
        "interfaces": [
            {
                "label": interface.label,
                "name": interface.interface.name,
                "hooks": {each.direction: str(each.hook) for each in (interface.rx, interface.tx)},
            }
            for interface in last.interfaces
        ],
        "verdict": {"severity": diagnosed.severity, "sentence": verdict(diagnosed)},
        "traffic": [
            {
                "interface": interface.label,
                "direction": traffic.direction,
                "packets_per_sec": rounded(traffic.totals.packets_per_sec),
                "bits_per_sec": rounded(traffic.totals.bits_per_sec),
            }
            for interface in (diagnosed.whole or last).interfaces
            for traffic in (interface.rx, interface.tx)
        ],
        "findings": [_episode(episode, last.mono_ns) for episode in diagnosed.ordered()],
        "ruled_out": [rule.id for rule in diagnosed.ruled_out],
        "unknown": [
            {"id": rule, "reason": reason, "kind": diagnosed.why_unknown(rule)}
            for rule, reason in diagnosed.unknown.items()
        ],
    }


def _episode(episode: Episode, now_ns: int) -> EpisodeObject:
    ended_ns = episode.ended_ns
    return {
        **finding_object(episode.finding, now_ns),
        "active": episode.active,
        "ended_s_ago": None if ended_ns is None else round((now_ns - ended_ns) / 1e9, 3),
    }


def rules_text(rules: Iterable[Rule]) -> str:
    """List each rule with its limits, which the configuration can override, and the sources of the limits."""
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
