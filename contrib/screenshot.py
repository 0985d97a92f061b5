"""Writes docs/screen.svg: the live screen on the demo, with a fault after some time for the trends. Needs root.

sudo .venv/bin/python contrib/screenshot.py [COLUMNSxLINES] [SECONDS] [FILE] [FAULT]
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import bpftop
from bpftop.cli.live_source import demo_source
from bpftop.demo.faults.offers import OFFERS
from bpftop.demo.lab import Lab
from bpftop.rules.table import chosen
from bpftop.tui.actions import Actions
from bpftop.tui.app import BpftopApp
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.themes import find_theme
from bpftop.tui.widgets.picture import picture as svg_of

FAULT_S = 30.0
"""The fault begins so long before the picture is taken."""
ROOT = Path(__file__).resolve().parents[1]


async def picture(feed: SamplingThread, size: tuple[int, int], seconds: float) -> str:
    """Run the screen for ``seconds``, and return it as SVG."""
    theme = find_theme("dark", [Path(bpftop.__file__).parent / "themes"])
    actions = Actions(
        save_snapshot=lambda _: "",
        accept_offer=feed.source.accept_offer,
        watch_flows=feed.source.watch_flows,
        watch_top_flows=feed.source.watch_top_flows,
        watch_bpf=feed.source.watch_bpf,
        save_picture=lambda _: "",
    )
    app = BpftopApp(feed, theme=theme, interval_s=1.0, actions=actions)
    async with app.run_test(size=size) as pilot:
        await asyncio.sleep(seconds)
        await pilot.pause()
        return svg_of(app.screen_strips(), size[0], theme)


def main(
    size: str = "100x30", seconds: str = "100", file: str = "docs/screen.svg", fault: str = "udp-socket-overflow"
) -> None:
    """Write the screen of the demo with a fault, after so many seconds, as SVG."""
    columns, lines = map(int, size.split("x"))
    with Lab() as lab, OFFERS[fault].load()(lab) as made:
        lab.start_traffic()
        feed = SamplingThread(demo_source(lab), rules=chosen())
        begin = threading.Timer(max(0.0, float(seconds) - FAULT_S), made.begin)
        feed.start()
        begin.start()
        try:
            svg = asyncio.run(picture(feed, (columns, lines), float(seconds)))
        finally:
            begin.cancel()
            feed.stop()
        made.end()
    (ROOT / file).write_text(svg)


if __name__ == "__main__":
    main(*sys.argv[1:])
