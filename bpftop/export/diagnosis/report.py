"""The diagnosis as text for the terminal, and as Markdown for the incident's channel."""

from __future__ import annotations

from collections.abc import Iterator

from bpftop.export.diagnosis.diagnosis_document import Diagnosed, verdict
from bpftop.export.snapshot.markdown import code, escaped
from bpftop.history.episodes import Episode
from bpftop.model.timestamps import rfc3339, rfc3339_seconds
from bpftop.render.escaping import escaped_text
from bpftop.render.finding_value import limits_sentence, value_sentence

_MARKS = {"critical": "▲▲", "warning": "▲", "info": "·"}


def text(diagnosed: Diagnosed) -> str:
    """Write the verdict, every finding with its evidence, and the rules without input."""
    lines = [escaped_text(verdict(diagnosed))]
    for episode in diagnosed.causes:
        lines += ["", *_finding(diagnosed, episode)]
    if diagnosed.unknown:
        lines += ["", f"{len(diagnosed.unknown)} of {len(diagnosed.rules)} rules had no input:"]
        lines += [f"  {rule}: {escaped_text(reason)}" for rule, reason in diagnosed.unknown.items()]
    return "\n".join(lines) + "\n"


def _finding(diagnosed: Diagnosed, episode: Episode) -> Iterator[str]:
    finding = episode.finding
    mark = f"{_MARKS[finding.severity]} {finding.severity.upper()}"
    yield f"{mark}  {escaped_text(finding.title)}  {_when(diagnosed, episode)}"
    yield f"   {finding.id}, {finding.scope} {escaped_text(finding.scope_name)}"
    yield f"   why: {escaped_text(finding.why)}"
    for sentence in (*_value(diagnosed, episode), *finding.evidence):
        yield f"   - {escaped_text(sentence)}"
    for other in _follows(diagnosed, episode):
        yield f"   └ follows: {escaped_text(other.finding.title)} ({other.finding.id})"
    for step in finding.commands:
        yield f"   $ {escaped_text(step)}"


def _follows(diagnosed: Diagnosed, episode: Episode) -> list[Episode]:
    return [other for other in diagnosed.ordered() if other.finding.explained_by == episode.finding.id]


def _value(diagnosed: Diagnosed, episode: Episode) -> list[str]:
    value, last = episode.finding.value, diagnosed.last
    if value is None:
        return []
    peak_time = f"at {rfc3339_seconds(last.wall_ns - (last.mono_ns - value.peak_ns))}"
    return [value_sentence(value, peak_time, over=not episode.active), limits_sentence(value)]


def _when(diagnosed: Diagnosed, episode: Episode) -> str:
    now_ns = diagnosed.last.mono_ns
    if episode.ended_ns is not None:
        lasted = (episode.ended_ns - episode.finding.since_ns) / 1e9
        return f"lasted {lasted:.0f} s, over for {(now_ns - episode.ended_ns) / 1e9:.0f} s"
    return f"for {episode.finding.since_s(now_ns):.0f} s"


def markdown(diagnosed: Diagnosed) -> str:
    """Write the verdict, findings with evidence and next steps, rules that found nothing, and rules without input."""
    last = diagnosed.last
    names = ", ".join(code(w.label) for w in last.interfaces)
    lines = [
        f"**{escaped(verdict(diagnosed))}**",
        "",
        f"{escaped(last.host)} {names}, {diagnosed.duration_s:.0f} s until {rfc3339(last.wall_ns)}, by bpftop",
    ]
    for episode in diagnosed.causes:
        finding = episode.finding
        lines += ["", f"### {finding.severity.upper()}: {escaped(finding.title)}", ""]
        lines.append(f"{code(finding.id)}, {finding.scope} {code(finding.scope_name)}, {_when(diagnosed, episode)}.")
        lines += [f"Why: {escaped(finding.why)}.", ""]
        lines += [f"- {escaped(sentence)}" for sentence in (*_value(diagnosed, episode), *finding.evidence)]
        lines += [f"- follows: {escaped(o.finding.title)} ({code(o.finding.id)})" for o in _follows(diagnosed, episode)]
        lines += ["", "Next:", "", "```sh", *map(escaped_text, finding.commands), "```"]
    lines += ["", "**Ruled out:** " + (", ".join(rule.id for rule in diagnosed.ruled_out) or "nothing"), ""]
    if diagnosed.unknown:
        lines += ["**Not checked:**", ""]
        lines += [f"- {code(rule)}: {escaped(reason)}" for rule, reason in diagnosed.unknown.items()]
    return "\n".join(lines).rstrip() + "\n"
