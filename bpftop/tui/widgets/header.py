"""The first lines of every pane: who is watched and how, at what cost, when, and what has to be said about it."""

from __future__ import annotations

from bpftop.model.sample import DIRECTIONS, Interface
from bpftop.model.timestamps import clock_time, rfc3339_seconds
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, Span, clean, ends, length, line


def header(frame: PaneInput) -> Line:
    """One line. Where it is narrow, what is needed least goes first: how maps are read, the interval, the domain of the
    host, the cost, and the host last."""
    long, short = _right(frame), _right(frame, every=False)
    whom, cost = [_names(frame), _hooks(frame)], _cost(frame)
    for parts, right in (
        ([_host(frame), *whom, cost, _reading(frame)], long),
        ([_host(frame), *whom, cost], long),
        ([_host(frame), *whom, cost], short),
        ([_host(frame, short=True), *whom, cost], short),
        ([_host(frame, short=True), *whom], short),
        (whom, short),
    ):
        left = _spaced(parts)
        if length(left) + length(right) + 1 <= frame.width:
            break
    return ends(left, right, frame.width)


def notices(frame: PaneInput) -> list[str]:
    """Every sentence about what is missing or has changed by itself."""
    found = [clean(remark) for remark in frame.remarks]
    for watched in frame.shown.interfaces:
        prefix = f"{clean(watched.label)}: " if frame.many else ""
        found += [f"{prefix}{clean(notice)}" for notice in watched.interface.notices]
        if any(watched.traffic(d).hook.batch is False for d in DIRECTIONS):
            found.append(
                f"{prefix}maps are read entry by entry (single lookups): this kernel has no batch lookup for them"
            )
    found += [
        f"{clean(part)}: {clean(reason)}"
        for part, reason in frame.shown.unavailable.items()
        if part.startswith("traffic/")  # what else cannot be read here is said where it is looked for
    ]
    return found


def notice_line(frame: PaneInput) -> list[Line]:
    """The first notice, and how many more there are; no line where there is none."""
    found = notices(frame)
    if not found:
        return []
    more: Line = line((f"  +{len(found) - 1} more: ?", "key")) if len(found) > 1 else ()
    return [ends(line((f"! {found[0]}", "notice")), more, frame.width)]


def _spaced(parts: list[Line]) -> Line:
    """The parts with two spaces between them."""
    spans: list[Span] = []
    for part in parts:
        if part:
            spans += [("  ", "text"), *part] if spans else part
    return tuple(spans)


def _host(frame: PaneInput, *, short: bool = False) -> Line:
    host = clean(frame.shown.host)
    return line((host.partition(".")[0][:16] if short else host[:40], "muted"))


def _names(frame: PaneInput) -> Line:
    if frame.many and frame.watched is frame.shown.total:
        return line((f"{len(frame.shown.interfaces)} interfaces", "name"))
    interface = frame.watched.interface
    state = {"up": "", "down": " down", "gone": " is gone", "moved": " moved away"}[interface.state]
    return line((_name(interface), "name"), (state, "alarm"))


def _name(interface: Interface) -> str:
    """The label it was asked for by, and its name of now where that is another."""
    label, name = clean(interface.label), clean(interface.name)
    return (
        f"{clean(interface.netns)}/{label}"[-30:]
        if interface.netns
        else label
        if label == name
        else f"{label} ({name})"
    )


def _hooks(frame: PaneInput) -> Line:
    if frame.many and frame.watched is frame.shown.total:
        return ()
    return line(", ".join(f"{d} {frame.watched.traffic(d).hook}" for d in DIRECTIONS))


def _cost(frame: PaneInput) -> Line:
    hooks = [frame.watched.traffic(d).hook for d in DIRECTIONS]
    costs = [f"{h.ns_per_packet:.0f}" for h in hooks if h.ns_per_packet is not None]
    cpu_pct = frame.shown.own.cpu_pct
    own = "  - %" if cpu_pct is None else f"{cpu_pct:3.1f} %"
    per_packet = f"{'/'.join(dict.fromkeys(costs))} ns/pkt  " if costs else ""
    return line((f"{per_packet}self {own}", "muted"))


def _reading(frame: PaneInput) -> Line:
    """How the maps are read and what that takes."""
    own = frame.shown.own
    known = {h.batch for h in (frame.watched.traffic(d).hook for d in DIRECTIONS) if h.batch is not None}
    how = "" if not known else "  single lookups" if False in known else "  batch reads"
    poll = "-" if own.poll_ns is None else f"{own.poll_ns / 1000:.0f}"
    memory = "" if own.resident_bytes is None else f"{own.resident_bytes / 2**20:.0f} MiB"
    return line((f"{memory}{how}{f'  {poll:>4} µs' if how else ''}", "muted"))


def _right(frame: PaneInput, *, every: bool = True) -> Line:
    dated = every and not frame.live
    wall_ns = frame.shown.wall_ns
    clock = rfc3339_seconds(wall_ns).replace("T", " ") if dated else clock_time(wall_ns)
    recording = ("rec ", "alarm") if frame.recording else ("", "text")
    if frame.view.paused is None:
        interval = f"{frame.interval_s:.1f}" if frame.interval_s < 10 else f"{frame.interval_s:.0f}"
        fast = f" {frame.speed}x" if frame.speed > 1 else ""
        word = ("live", "good") if frame.live else (f"replay{fast}" if frame.playing else "PAUSED", "notice")
        return line(clock, (f"  {interval} s" if every else "", "muted"), " ", recording, word)
    behind = (frame.newest_ns - frame.shown.mono_ns) / 1e9
    return line(clock, (f"  {-behind:.0f} s ", "muted"), recording, ("PAUSED", "notice"))
