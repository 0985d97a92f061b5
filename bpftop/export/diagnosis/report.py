"""The diagnosis as text for the terminal, and as Markdown for the incident's channel."""

from __future__ import annotations

from collections.abc import Iterator

from bpftop.export.diagnosis.diagnosis_document import Diagnosed, verdict
from bpftop.export.snapshot.losses import losing
from bpftop.export.snapshot.markdown import code, escaped
from bpftop.export.snapshot.text import GROUP_NAMES
from bpftop.history.episodes import Episode
from bpftop.history.history import History
from bpftop.model.escaping import escaped_text
from bpftop.model.snapshot import DirectionTraffic
from bpftop.model.timestamps import rfc3339, rfc3339_seconds
from bpftop.model.units import si
from bpftop.render.finding_value import limits_sentence, value_sentence
from bpftop.render.gravest_finding import MARKS
from bpftop.render.path_rows import losses
from bpftop.render.selection import Selection


def text(diagnosed: Diagnosed) -> str:
    """Write the verdict, the traffic, every finding with its evidence, and the rules without input."""
    lines = [escaped_text(verdict(diagnosed)), *traffic_lines(diagnosed)]
    for episode in diagnosed.causes:
        lines += ["", *_finding(diagnosed, episode)]
    if diagnosed.unknown:
        lines += ["", f"{len(diagnosed.unknown)} of {len(diagnosed.rules)} checks did not decide:"]
        lines += [f"  {rule}: {escaped_text(reason)}" for rule, reason in diagnosed.unknown.items()]
    return "\n".join(lines) + "\n"


def traffic_lines(diagnosed: Diagnosed) -> Iterator[str]:
    """Yield a line per interface with its mean rates and packets of the whole watch, then the losses in groups."""
    whole = diagnosed.whole
    if whole is None or whole.interval_ns is None:
        return
    names = [escaped_text(interface.label) for interface in whole.interfaces]
    for name, interface in zip(names, whole.interfaces, strict=True):
        totals = ", ".join(_rates(traffic, diagnosed.duration_s) for traffic in (interface.rx, interface.tx))
        yield f"{name:<{max(map(len, names))}}  {totals}"
    last, moved = diagnosed.last, []
    for group, name in GROUP_NAMES.items():  # since watching began: what counts by tracepoints is loaded a moment later
        stages = losing(last, group, "since_start")
        packets, titles = sum(each for _, each, _ in stages), dict.fromkeys(title for title, _, _ in stages)
        if packets:
            rate = si(packets / diagnosed.duration_s)
            moved.append(f"{name} {si(packets)} packets, {rate} pps ({', '.join(titles)})")
    unread = losses(Selection(last, last.total, History()), ("lost",))["lost"].unread
    blind = [f"{unread} of its counters cannot be read"] if unread else []
    yield "; ".join((*(moved or ["no loss counted"]), *blind))


def _rates(traffic: DirectionTraffic, duration_s: float) -> str:
    """Return ``RX 12.0 k pps, 61.0 Mb/s, 120 k packets``: means of the whole watch."""
    totals = traffic.totals
    rate = totals.packets_per_sec
    packets = "" if rate is None else f", {si(rate * duration_s)} packets"
    return f"{traffic.direction.upper()} {si(rate)} pps, {si(totals.bits_per_sec, 'b/s')}{packets}"


def _finding(diagnosed: Diagnosed, episode: Episode) -> Iterator[str]:
    finding = episode.finding
    mark = f"{MARKS[finding.severity]} {finding.severity.upper()}"
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
    peak_time = f"at {rfc3339_seconds(last.wall_time_ns(value.peak_ns))}"
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
        "",
        *(f"- {escaped(line)}" for line in traffic_lines(diagnosed)),
    ]
    for episode in diagnosed.causes:
        finding = episode.finding
        lines += ["", f"### {finding.severity.upper()}: {escaped(finding.title)}", ""]
        lines.append(f"{code(finding.id)}, {finding.scope} {code(finding.scope_name)}, {_when(diagnosed, episode)}.")
        lines += [f"Why: {escaped(finding.why)}.", ""]
        lines += [f"- {escaped(sentence)}" for sentence in (*_value(diagnosed, episode), *finding.evidence)]
        lines += [f"- follows: {escaped(o.finding.title)} ({code(o.finding.id)})" for o in _follows(diagnosed, episode)]
        lines += ["", "Next:", "", "```sh", *map(escaped_text, finding.commands), "```"]
    ruled_out = len(diagnosed.ruled_out)
    lines += ["", f"**Ruled out:** {ruled_out} of {len(diagnosed.rules)} checks found nothing.", ""]
    if diagnosed.blind:
        lines += ["**Blind:**", ""]
        lines += [f"- {code(rule)}: {escaped(reason)}" for rule, reason in diagnosed.blind.items()]
        lines.append("")
    others = [rule for rule in diagnosed.unknown if rule not in diagnosed.blind]
    if others:
        lines.append(f"**Not checked:** {', '.join(others)} (no such input here, or too little time)")
    return "\n".join(lines).rstrip() + "\n"
