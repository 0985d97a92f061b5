"""Jitter of the live screen's ticks while a profile runs: the real source on the demo's traffic, the real engine.

All of it is in one process, as it is for people: the sampler's thread, the screen (drawn for 160x50, to nowhere), and
the engine with a thread on every CPU. A tick's jitter is how far the time between two of them is from the interval:
once where samples are taken, and once where they have been drawn. Ticks that are more than half an interval off count:
on a machine that does something else a single tick may be late for that alone.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

import bpftop
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.demo.lab import Lab
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.tui.actions import Actions
from bpftop.tui.app import BpftopApp
from bpftop.tui.panes.measure import MeasurePane
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.themes import find_theme
from tests.bench.figures import Figure
from tests.waiting import first_rates

INTERVAL_S = 0.2
WINDOW_S, WINDOWS = 7.0, 2
SIZE = (160, 50)
LATE_SHARE, LIMIT_LATE_PCT = 0.5, 5

PANES = {"profile": ("7", "right", "right", "right", "j", "j", "j", "j", "j", "j", "left"), "bench": ("7", "v")}
"""Pane -> keys that open it and choose: all types of maps, as many threads as there are CPUs; all suites."""


class Watched(BpftopApp):
    """Keeps when its ticks were taken and when they had been drawn, in seconds of CLOCK_MONOTONIC."""

    def __init__(self, source: LiveSource, feed: SamplingThread) -> None:
        theme = find_theme("dark", [Path(bpftop.__file__).parent / "themes"])
        actions = Actions(
            save_snapshot=lambda _: "",
            accept_offer=source.accept_offer,
            watch_flows=source.watch_flows,
            watch_top_flows=source.watch_top_flows,
            watch_bpf=source.watch_bpf,
            save_picture=lambda _: "",
        )
        super().__init__(feed, theme=theme, interval_s=INTERVAL_S, actions=actions)
        self.taken_s: list[float] = []
        self.drawn_s: list[float] = []

    def on_snapshot_arrived(self) -> None:
        super().on_snapshot_arrived()
        if self.snapshot is not None:
            self.taken_s.append(self.snapshot.mono_ns / 1e9)
            self.drawn_s.append(time.monotonic())


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where nothing is measured meanwhile."""
    with TemporaryDirectory(prefix="bpftop-bench-") as scratch, Lab() as lab:
        lab.start_traffic()
        with patch.dict(os.environ, {"XDG_STATE_HOME": scratch}):  # the person's earlier runs stay theirs
            for pane, keys in {"": (), **PANES}.items():
                say(f"jitter of the ticks while {pane or 'nothing'} runs")
                yield from _figures(pane, [asyncio.run(_watch(lab, keys)) for _ in range(WINDOWS)])


async def _watch(lab: Lab, keys: Sequence[str]) -> Watched:
    """Return the app after a window; if keys start the engine, it ran during the whole window."""
    source = LiveSource(
        [lab.interface],
        LiveOptions(AttachRequest("native", may_disturb_device=True), interval_s=INTERVAL_S, netns=lab.netns_path()),
    )
    feed = SamplingThread(source)
    app = Watched(source, feed)
    feed.start()
    try:
        async with app.run_test(size=SIZE) as pilot:
            await asyncio.to_thread(first_rates, feed)
            await pilot.press(*keys)
            end_s = time.monotonic() + WINDOW_S
            app.taken_s.clear()
            app.drawn_s.clear()
            while time.monotonic() < end_s:
                pane = app.frame.pane
                if isinstance(pane, MeasurePane) and not pane.current.running:
                    if pane.current.status.phase == "failed":
                        raise BpftopError(pane.current.status.sentence)
                    pane.action_run()
                await asyncio.sleep(0.05)
    finally:
        feed.stop()
    if feed.error is not None:
        raise feed.error
    left = [thread.name for thread in threading.enumerate() if thread.name == "measuring"]
    if left:
        raise BpftopError("quitting left the engine's thread behind")
    return app


def _figures(pane: str, windows: Sequence[Watched]) -> Iterator[Figure]:
    wanted = int(0.8 * WINDOW_S / INTERVAL_S)
    fewest = min(len(app.drawn_s) for app in windows)
    if fewest < wanted:
        raise BpftopError(f"{fewest} ticks were drawn where {wanted} are the least: this machine is too busy")
    words = f"while the {pane} runs" if pane else "while nothing is measured"
    for what, times_s in (
        ("taken", [app.taken_s for app in windows]),
        ("drawn", [app.drawn_s for app in windows]),
    ):
        off_ms = [1000 * abs(b - a - INTERVAL_S) for window in times_s for a, b in pairwise(window)]
        late = sum(each > 1000 * LATE_SHARE * INTERVAL_S for each in off_ms)
        how = f"of {len(off_ms)} ticks {INTERVAL_S} s apart; median {median(off_ms):.2f}, most {max(off_ms):.1f} ms"
        title = f"ticks {words}, {what} more than half an interval off"
        yield Figure("jitter", title, 100 * late / len(off_ms), "%", LIMIT_LATE_PCT if pane else None, how)
