"""Snapshots of the screen, and an app on a fake source whose ticks the test triggers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from bpftop.model.sample import Interface
from bpftop.model.snapshot import Snapshot
from bpftop.tui.actions import Actions
from bpftop.tui.app import BpftopApp
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.themes import Theme, all_themes, find_theme
from tests.tui.fake_source import FakeSource
from tests.waiting import first_rates, until_async

SNAPSHOTS = Path(__file__).parent / "snapshots"
THEMES = Path(__file__).parents[2] / "themes"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write tests/tui/snapshots anew: look at the diff")


Same = Callable[[str, str], None]
"""Compares a text with the snapshot file of a name."""


@pytest.fixture
def same(request: pytest.FixtureRequest) -> Same:
    """Return ``same(name, text)``, which compares the text with a snapshot file."""
    update = request.config.getoption("--update-snapshots", default=False)

    def compare(name: str, text: str) -> None:
        path = SNAPSHOTS / name
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert path.exists(), f"no snapshot {name}; make it with: pytest tests/tui --update-snapshots"
        assert text + "\n" == path.read_text(encoding="utf-8")

    return compare


def theme(name: str = "dark") -> Theme:
    return find_theme(name, [THEMES])


@dataclass
class Stage:
    """An app under test, with the tick in the test's hand."""

    app: BpftopApp
    pilot: Pilot[None]
    source: FakeSource
    sampling_thread: SamplingThread
    saved: list[Snapshot] = field(default_factory=list)

    async def tick(self, count: int = 1) -> None:
        """``count`` more samples, each on the screen before the next one comes."""
        for _ in range(count):
            await self.flood(1)

    async def flood(self, count: int) -> None:
        """``count`` more samples as fast as they come; the last one is on the screen afterwards."""
        assert self.source.gate is not None
        wanted = (self.sampling_thread.latest.seq if self.sampling_thread.latest else -1) + count
        self.source.gate.release(count)

        def arrived() -> bool:
            assert self.sampling_thread.error is None, self.sampling_thread.error
            return (self.app.snapshot.seq if self.app.snapshot else -1) >= wanted

        await until_async(arrived, "the sample is on the screen")
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self) -> str:
        return self.app.screen_text()

    def said(self) -> str:
        """Return the latest message."""
        return self.app.said[-1][1] if self.app.said else ""

    def line(self, number: int) -> str:
        return self.text().splitlines()[number]

    def row(self, begin: str) -> str:
        """Return the line that begins with this text."""
        return next(line for line in self.text().splitlines() if line.startswith(begin))


async def until(stage: Stage, condition: Callable[[], bool]) -> None:
    """Wait for the condition, then for the screen; report the screen where the condition stays false."""
    await until_async(condition, stage.text)
    await stage.pilot.pause()


Scenario = Callable[[Stage], Awaitable[None]]


def perform(
    scenario: Scenario,
    *,
    size: tuple[int, int] = (80, 24),
    cpus: int = 16,
    interfaces: Sequence[Interface] = (),
    ticks: int = 70,
    before: int = 0,
    live: bool = True,
    app_class: type[BpftopApp] = BpftopApp,
    theme_name: str = "dark",
    **more: Any,
) -> None:
    """Run a scenario on an app whose feed has taken ``ticks`` samples; ``before`` of them before the app begins."""

    async def run() -> None:
        source = FakeSource(cpus, interfaces, gate=threading.Semaphore(before))
        sampling_thread = SamplingThread(
            source, live=live, rules=more.pop("rules", ()), remarks=more.pop("remarks", tuple)
        )
        saved: list[Snapshot] = []

        def save(snapshot: Snapshot) -> str:
            saved.append(snapshot)
            return "/somewhere/bpftop-web-17.json"

        chosen = {
            "save_picture": lambda svg: "/somewhere/bpftop.svg",
            "themes": lambda: all_themes([THEMES]),
            **more.pop("actions", {}),
        }
        actions = Actions(
            save_snapshot=save,
            accept_offer=source.accept_offer,
            watch_flows=source.watch_flows,
            watch_top_flows=source.watch_top_flows,
            watch_bpf=source.watch_bpf,
            **chosen,
        )
        toasts = more.pop("toasts", False)
        app = app_class(sampling_thread, theme=theme(theme_name), interval_s=1.0, actions=actions, **more)
        sampling_thread.start()
        try:
            if before:
                first_rates(sampling_thread)
            async with app.run_test(size=size, notifications=toasts) as pilot:
                stage = Stage(app, pilot, source, sampling_thread, saved)
                for count in (ticks - before - 1, 1):  # the last one as the screen asked for it: with the busiest flows
                    if count > 0 and ticks > before:
                        await stage.flood(count)
                await scenario(stage)
        finally:
            sampling_thread.stop()

    asyncio.run(run())
