"""The results in the order in which a person needs them: one sentence, then problems, then the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpftop.doctor.answers import ProbeResult, Verdict
from bpftop.kernel.privileges import privileges_remedy

PARTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "received packets": (("XDP counter", "native XDP", "open files"), ("tc counter", "TCX", "open files")),
    "sent packets and their flows": (("tc counter", "TCX", "open files"),),
    "reasons of drops": (("drop reasons",),),
    "the demo": (("private veth pair",),),
    "the live screen": (("versions",),),
}
"""Part of bpftop that matters -> the ways to it; on each way all of these probes must work."""

COUNTING = "received packets"


def bottom_line(results: Iterable[ProbeResult]) -> str:
    """Return one sentence: whether everything that matters works, else the missing parts with their reasons."""
    verdicts = {result.name: result.verdict for result in results}
    missing: dict[str, list[str]] = {}
    for part, ways in PARTS.items():
        failures = [[verdicts[name] for name in way if verdicts[name].answer != "yes"] for way in ways]
        if all(failures):
            missing.setdefault(_reason(failures[0][0]), []).append(part)
    for name, verdict in verdicts.items():
        device, _, question = name.partition(" ")
        if verdict.answer == "no" and (question == "link" or question.startswith("attach ")):
            missing.setdefault(_reason(verdict), []).append(f"packets on {device}")
    if not missing:
        return "Everything that matters works."
    parts = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in missing.items())
    counted = not any(COUNTING in names for names in missing.values())
    return f"{'Packets are counted' if counted else 'Packets cannot be counted'}. Missing: {parts}."


def problems(results: Iterable[ProbeResult]) -> dict[str, list[ProbeResult]]:
    """Return the results that are no or unknown by their remedy, each remedy once; the empty remedy is the last."""
    groups: dict[str, list[ProbeResult]] = {}
    for result in results:
        if result.verdict.answer in ("no", "unknown"):
            groups.setdefault(remedy(result.verdict), []).append(result)
    return dict(sorted(groups.items(), key=lambda group: not group[0]))


def remedy(verdict: Verdict) -> str:
    """Return the remedy, without the capabilities if more privileges are the remedy: the probes' names say for what."""
    general = privileges_remedy()
    return general if verdict.remedy.endswith(general) else verdict.remedy


def _reason(verdict: Verdict) -> str:
    return remedy(verdict).partition("; ")[0] or verdict.evidence
