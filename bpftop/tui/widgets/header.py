"""The first lines of every pane: host, interface, hooks, cost and clock, then notices."""

from __future__ import annotations

from bpftop.model.sample import DIRECTIONS, Interface
from bpftop.model.timestamps import clock_time, rfc3339_seconds
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, Span, clean, ends, length, line


def header(pane_input: PaneInput) -> Line:
    """Return one line.

    A narrow screen drops, in this order: how maps are read, the interval, the domain, the cost, the host.
    """
    long_clock, short_clock = _clock(pane_input), _clock(pane_input, short=True)
    subject = [_interface(pane_input), _hooks(pane_input)]
    host, short_host = _host(pane_input), _host(pane_input, short=True)
    cost, short_cost = _cost(pane_input), _cost(pane_input, short=True)
    for parts, clock in (
        ([host, *subject, cost, _map_reads(pane_input)], long_clock),
        ([host, *subject, cost], long_clock),
        ([host, *subject, cost], short_clock),
        ([short_host, *subject, cost], short_clock),
        ([short_host, *subject, short_cost], short_clock),
        ([short_host, *subject], short_clock),
        (subject, short_clock),
    ):
        left = _spaced(parts)
        if length(left) + length(clock) + 1 <= pane_input.width:
            break
    return ends(left, clock, pane_input.width)


def notices(pane_input: PaneInput) -> list[str]:
    """Return every sentence about what is missing or has changed by itself."""
    sentences = [clean(remark) for remark in pane_input.remarks]
    for interface in pane_input.snapshot.interfaces:
        prefix = f"{clean(interface.label)}: " if pane_input.has_many_interfaces else ""
        sentences += [f"{prefix}{clean(notice)}" for notice in interface.interface.notices]
        if any(interface.traffic(d).hook.batch is False for d in DIRECTIONS):
            slow = "maps are read entry by entry (single lookups): this kernel has no batch lookup for them"
            sentences.append(f"{prefix}{slow}")
    return sentences + [
        f"{clean(part)}: {clean(reason)}"
        for part, reason in pane_input.snapshot.unavailable.items()
        if part.startswith("traffic/")  # other parts are explained in their own panes
    ]


def notice_line(pane_input: PaneInput) -> list[Line]:
    """Return the first notice and the number of further notices; no line without notices."""
    sentences = notices(pane_input)
    if not sentences:
        return []
    more: Line = line((f"  +{len(sentences) - 1} more: ?", "key")) if len(sentences) > 1 else ()
    return [ends(line((f"! {sentences[0]}", "notice")), more, pane_input.width)]


def _spaced(parts: list[Line]) -> Line:
    """Return the parts with two spaces between them."""
    spans: list[Span] = []
    for part in parts:
        if part:
            spans += [("  ", "text"), *part] if spans else part
    return tuple(spans)


def _host(pane_input: PaneInput, *, short: bool = False) -> Line:
    host = clean(pane_input.snapshot.host)
    return line((host.partition(".")[0][:16] if short else host[:40], "muted"))


def _interface(pane_input: PaneInput) -> Line:
    if pane_input.shows_total:
        return line((f"{len(pane_input.snapshot.interfaces)} interfaces", "name"))
    interface = pane_input.interface.interface
    state = {"up": "", "down": " down", "gone": " is gone", "moved": " moved away"}[interface.state]
    return line((_name(interface), "name"), (state, "alarm"))


def _name(interface: Interface) -> str:
    """Return the label that the person gave, with the current name if the interface was renamed."""
    label, name = clean(interface.label), clean(interface.name)
    if interface.netns:
        return f"{clean(interface.netns)}/{label}"[-30:]
    return label if label == name else f"{label} ({name})"


def _hooks(pane_input: PaneInput) -> Line:
    if pane_input.shows_total:
        return ()
    return line(", ".join(f"{d} {pane_input.interface.traffic(d).hook}" for d in DIRECTIONS))


def _cost(pane_input: PaneInput, *, short: bool = False) -> Line:
    hooks = [pane_input.interface.traffic(d).hook for d in DIRECTIONS]
    costs = [f"{h.ns_per_packet:.0f}" for h in hooks if h.ns_per_packet is not None]
    cpu_pct = pane_input.snapshot.own.cpu_pct
    cpu = "  - %" if cpu_pct is None else f"{cpu_pct:3.1f} %"
    per_packet = f"{'/'.join(dict.fromkeys(costs))} ns/pkt  " if costs else ""
    return line((f"{per_packet}own CPU {cpu}" if short else f"{per_packet}bpftop uses {cpu} CPU", "muted"))


def _map_reads(pane_input: PaneInput) -> Line:
    """Return bpftop's memory, how the maps are read, and how long one reading takes."""
    own = pane_input.snapshot.own
    batch = {h.batch for h in (pane_input.interface.traffic(d).hook for d in DIRECTIONS) if h.batch is not None}
    method = "" if not batch else "  single lookups" if False in batch else "  batch reads"
    poll = "-" if own.poll_ns is None else f"{own.poll_ns / 1000:.0f}"
    memory = "" if own.resident_bytes is None else f"{own.resident_bytes / 2**20:.0f} MiB"
    return line((f"{memory}{method}{f'  {poll:>4} µs' if method else ''}", "muted"))


def _clock(pane_input: PaneInput, *, short: bool = False) -> Line:
    """Return the time of the snapshot, the interval, and whether the screen is live, paused or a replay."""
    wall_ns = pane_input.snapshot.wall_ns
    clock = clock_time(wall_ns) if short or pane_input.live else rfc3339_seconds(wall_ns).replace("T", " ")
    recording = ("rec ", "alarm") if pane_input.recording else ("", "text")
    if pane_input.view.paused is None:
        interval = f"{pane_input.interval_s:.1f}" if pane_input.interval_s < 10 else f"{pane_input.interval_s:.0f}"
        speed = f" {pane_input.speed}x" if pane_input.speed > 1 else ""
        state = (
            ("live", "good") if pane_input.live else (f"replay{speed}" if pane_input.playing else "PAUSED", "notice")
        )
        return line(clock, ("" if short else f"  {interval} s", "muted"), " ", recording, state)
    behind_s = (pane_input.newest_ns - pane_input.snapshot.mono_ns) / 1e9
    return line(clock, (f"  {-behind_s:.0f} s ", "muted"), recording, ("PAUSED", "notice"))
