"""The second line: host, interface, how it counts, what watching costs, and the clock; and the notices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bpftop.model.sample import DIRECTIONS, Hook, Interface
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import clock_time, rfc3339_seconds
from bpftop.render.columns import clipped
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, ends, length, line
from bpftop.tui.widgets.region import Region

_NUMBER = re.compile(r"\d+")


class HeaderLine(Region):
    """One line. A narrow screen drops, in this order: interval, domain, cost, host, how it counts, size of a job."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        long_clock, short_clock = _clock(moment), _clock(moment, short=True)
        subject, hooks, short_hooks = _interface(moment), _hooks(moment), _hooks(moment, short=True)
        host, short_host = _host(moment), _host(moment, short=True)
        cost, short_cost = _cost(moment), _cost(moment, short=True)
        jobs, marks = _jobs(moment), _jobs(moment, short=True)
        for parts, right in (
            ([host, subject, hooks], (*cost, Span("   "), *jobs, *long_clock)),
            ([host, subject, hooks], (*cost, Span("   "), *jobs, *short_clock)),
            ([short_host, subject, short_hooks], (*short_cost, Span("  "), *jobs, *short_clock)),
            ([short_host, subject, short_hooks], (*jobs, *short_clock)),
            ([subject, short_hooks], (*jobs, *short_clock)),
            ([subject], (*jobs, *short_clock)),
            ([subject], (*marks, *short_clock)),
        ):
            left = _spaced(parts)
            if length(left) + length(right) + 2 <= width:
                break
        return [ends(left, right, width)]


def without_numbers(notice: str) -> str:
    """Return what stays the same of a notice from tick to tick: the numbers may be the seconds that are left."""
    return _NUMBER.sub("", notice)


def notices(snapshot: Snapshot, remarks: Iterable[str]) -> list[str]:
    """Return every sentence about missing parts and about changes that bpftop made by itself.

    ``remarks`` are sentences about the source of the samples and about the recording.
    """
    sentences = [clean(remark) for remark in remarks]
    for interface in snapshot.interfaces:
        prefix = f"{clean(interface.label)}: " if len(snapshot.interfaces) > 1 else ""
        sentences += [f"{prefix}{clean(notice)}" for notice in interface.interface.notices]
        if any(interface.traffic(d).hook.batch is False for d in DIRECTIONS):
            slow = "maps are read entry by entry (single lookups): this kernel has no batch lookup for them"
            sentences.append(f"{prefix}{slow}")
    return sentences + [
        f"{clean(part)}: {clean(reason)}"
        for part, reason in snapshot.unavailable.items()
        if part.startswith("traffic/")  # other parts are explained in their own panes
    ]


def _spaced(parts: list[Line]) -> Line:
    """Return the parts with two spaces between them."""
    spans: list[Span] = []
    for part in parts:
        if part:
            spans += [Span("  "), *part] if spans else part
    return tuple(spans)


def _host(moment: Moment, *, short: bool = False) -> Line:
    host = clean(moment.snapshot.host)
    return line((clipped(host.partition(".")[0], 16) if short else clipped(host, 40), "muted"))


def _interface(moment: Moment) -> Line:
    if moment.shows_total:
        return line((f"{len(moment.snapshot.interfaces)} interfaces", "name", "next_interface"))
    interface = moment.interface.interface
    state = {"up": "", "down": " down", "gone": " is gone", "moved": " moved away"}[interface.state]
    return line((_name(interface), "name", "next_interface"), (state, "alarm"))


def _name(interface: Interface) -> str:
    """Return the label that the person gave, with the current name if the interface was renamed."""
    label, name = clean(interface.label), clean(interface.name)
    if interface.netns:
        return f"{clean(interface.netns)}/{label}"[-30:]
    return label if label == name else f"{label} ({name})"


def hook_name(hook: Hook) -> str:
    """Return ``XDP``, ``generic XDP``, ``TCX`` or ``kernel counters``."""
    if hook.hook == "xdp":
        return "XDP" if hook.mode == "native" else "generic XDP"
    return {"tcx": "TCX", "clsact": "clsact", "none": "kernel counters"}[hook.hook]


def _hooks(moment: Moment, *, short: bool = False) -> Line:
    if moment.shows_total:
        return ()
    rx, tx = (hook_name(moment.interface.traffic(d).hook) for d in DIRECTIONS)
    if rx == tx == "kernel counters":
        return line("kernel counters only")
    if short:
        return line(f"{rx}, TX {tx}")
    return line(f"counting by {rx}" if rx == tx else f"counting by {rx}, TX by {tx}")


def _cost(moment: Moment, *, short: bool = False) -> Line:
    hooks = [moment.interface.traffic(d).hook for d in DIRECTIONS]
    costs = [f"{h.ns_per_packet:.0f}" for h in hooks if h.ns_per_packet is not None]
    cpu_pct = moment.snapshot.own.cpu_pct
    cpu = "   -" if cpu_pct is None else f"{cpu_pct:4.1f}"
    if short:
        return line((f"bpftop {cpu} % CPU", "muted"))
    per_packet = f", {'/'.join(dict.fromkeys(costs))} ns a packet" if costs else ""
    return line((f"bpftop {cpu} % CPU{per_packet}", "muted"))


def _jobs(moment: Moment, *, short: bool = False) -> Line:
    """Return the files that are being written: a recording, a capture."""
    jobs = (("record", moment.frame.recording), ("capture", moment.frame.capturing))
    return tuple(Span("● " if short else f"● {size} ", "alarm", action) for action, size in jobs if size)


def _clock(moment: Moment, *, short: bool = False) -> Line:
    """Return the time of the snapshot, the interval, and whether the screen is live, paused or a replay."""
    wall_ns = moment.snapshot.wall_ns
    clock = clock_time(wall_ns) if short or moment.live else rfc3339_seconds(wall_ns).replace("T", " ")
    if moment.choices.paused is not None:
        behind_s = (moment.newest_ns - moment.snapshot.mono_ns) / 1e9
        return line(clock, (f" {-behind_s:.0f} s ", "muted"), ("PAUSED", "notice", "pause"))
    interval = f"{moment.interval_s:.1f}".removesuffix(".0")
    speed = f" {moment.speed}x" if moment.speed > 1 else ""
    state = (
        ("live", "good", "pause")
        if moment.live
        else (f"replay{speed}" if moment.playing else "PAUSED", "notice", "pause")
    )
    every = "" if short or not moment.playing else f" {interval} s"
    return line(clock, " ", state, (every, "muted"))
