"""A replayed screen is the live one; keys move about in it; the live one can be recorded."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bpftop.cli.recording_switch import RecordingSwitch
from bpftop.config.settings import Settings
from bpftop.model.sample import Interface
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from bpftop.store.replay import Replay
from bpftop.tui.actions import Actions
from bpftop.tui.app import BpftopApp
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.widgets.time_line import TimeLine
from tests.tui.conftest import Stage, perform, theme, until
from tests.tui.fake_source import FakeSource, interface

PANES = ("1", "2", "w", "w", "3", "4", "8")
TICKS = 70
RULES = Settings().rules()


def record(path: Path, ticks: int = TICKS, cpus: int = 16, interfaces: Sequence[Interface] = ()) -> str:
    writer = Writer(str(path), RecordingLimits())
    source = FakeSource(cpus, interfaces, count=ticks)
    source.watch_flows(True)
    writer.write([(sample, 0) for sample in source.samples()])
    writer.close()
    return str(path)


async def drawn(stage: Stage) -> list[list[str]]:
    """Return every pane without its first two lines, which have the clock, its time line and its keys."""
    screens = []
    for key in PANES:
        await stage.press(key)
        end = -1 if stage.sampling_thread.replay is None else -2
        screens.append(stage.text().splitlines()[2:end])
    return screens


def replayed(
    scenario: Callable[[Stage, Replay], Awaitable[None]],
    path: str,
    begin_tick: int | None = None,
    size: tuple[int, int] = (160, 50),
    *,
    toasts: bool = False,
) -> None:
    async def run() -> None:
        with closing(Recording(path)) as recording:
            replay = Replay(recording, begin_tick)
            replay.playing = False
            sampling_thread = SamplingThread(replay, rules=RULES, replay=replay)
            actions = Actions(
                save_snapshot=lambda _: "",
                save_picture=lambda _: "",
                accept_offer=replay.accept_offer,
                watch_flows=replay.watch_flows,
                watch_top_flows=replay.watch_top_flows,
                watch_bpf=replay.watch_bpf,
            )
            app = BpftopApp(sampling_thread, theme=theme(), interval_s=1.0, actions=actions)
            sampling_thread.start()
            try:
                async with app.run_test(size=size, notifications=toasts) as pilot:
                    stage = Stage(app, pilot, FakeSource(), sampling_thread)
                    await until(stage, lambda: "web-17" in stage.text())
                    await scenario(stage, replay)
            finally:
                sampling_thread.stop()
            assert sampling_thread.error is None

    asyncio.run(run())


def seq(stage: Stage) -> int:
    """Return the sequence number of the snapshot on the screen."""
    snapshot = stage.app.choices.paused or stage.app.snapshot
    return -1 if snapshot is None else snapshot.seq


@pytest.mark.parametrize(
    ("interfaces", "size"),
    [((), (80, 24)), ((interface("eth0", 2), interface("eth1", 3)), (160, 50))],
    ids=["one interface", "two"],
)
def test_a_replayed_screen_is_the_live_one(
    tmp_path: Path, interfaces: Sequence[Interface], size: tuple[int, int]
) -> None:
    live: list[list[str]] = []

    async def scenario(stage: Stage) -> None:
        stage.source.watch_flows(True)
        await stage.flood(TICKS)
        live.extend(await drawn(stage))

    perform(scenario, size=size, ticks=0, interfaces=interfaces, rules=RULES)
    path = record(tmp_path / "a", interfaces=interfaces)

    async def jumped(stage: Stage, replay: Replay) -> None:
        assert await drawn(stage) == live

    async def played(stage: Stage, replay: Replay) -> None:
        replay.step(TICKS - 1)
        await until(stage, lambda: seq(stage) == TICKS - 1)
        assert await drawn(stage) == live

    with_time_line = (size[0], size[1] + 1)
    replayed(jumped, path, TICKS, with_time_line)
    replayed(played, path, 1, with_time_line)


def test_the_time_line_shows_the_moment_and_obeys_clicks(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        line = stage.line(-2)
        assert line.startswith("03:12:44Z ┃─")
        assert line.endswith("─ 03:13:52Z")
        await stage.pilot.click(TimeLine, offset=(79, 0))
        await until(stage, lambda: seq(stage) > 30)
        assert stage.line(-2)[10:].index("┃") in range(67, 73)

    replayed(scenario, record(tmp_path / "a"), 1)


def test_a_pane_says_that_the_recording_lacks_its_objects(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        await stage.press("5")
        assert "This recording has no BPF objects at this moment." in stage.text()

    replayed(scenario, record(tmp_path / "a"), 5)


def test_keys_move_about_in_it(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        assert stage.line(1).endswith("PAUSED")
        await stage.press("right")
        await until(stage, lambda: seq(stage) == 30)
        await stage.press("shift+right")
        await until(stage, lambda: seq(stage) == 40)
        await stage.press("left", "left", "H")
        assert seq(stage) == 28
        assert stage.line(1).endswith("-12 s PAUSED")
        await stage.press("right")
        assert seq(stage) == 29
        await stage.press("shift+right", "shift+right")
        assert seq(stage) == 40
        await stage.press("H", "H", "H", "H", "H")
        await until(stage, lambda: seq(stage) == 0)

    replayed(scenario, record(tmp_path / "a"), 30)


def test_a_clock_that_was_set_back_moves_no_step_elsewhere(tmp_path: Path) -> None:
    """Every time of day occurs twice; the snapshot on the screen is identified by its monotonic time."""
    path = tmp_path / "a"
    writer = Writer(str(path), RecordingLimits())
    for sample in FakeSource(4, count=200).samples():
        set_back_ns = 100 * 10**9 if sample.seq >= 100 else 0
        writer.write([(replace(sample, wall_ns=sample.wall_ns - set_back_ns), 0)])
    writer.close()

    async def scenario(stage: Stage, replay: Replay) -> None:
        for _ in range(8):
            await stage.press("left")
        assert seq(stage) == 91
        await stage.press(*["H"] * 2)
        await until(stage, lambda: seq(stage) == 71)
        await stage.press("right")
        await until(stage, lambda: seq(stage) == 72)

    replayed(scenario, str(path), 100)


def test_seeking_by_time(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        await stage.press("at", *"03:13:30", "enter")
        await until(stage, lambda: seq(stage) == 46)
        assert "03:13:29Z" in stage.line(1)
        assert len(stage.sampling_thread.history) == 47
        await stage.press("at", *"-20", "enter")
        await until(stage, lambda: seq(stage) == 26)
        await stage.press("at", *"12:00", "enter")
        assert "12:00 is not within the recording" in stage.said()
        await stage.press("at", *"3", "escape")
        assert seq(stage) == 26

    replayed(scenario, record(tmp_path / "a"))


def test_it_plays_and_stands_still(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        await stage.press("f")
        assert replay.speed == 10
        await stage.press("space")
        assert "replay 10x" in stage.line(1)
        begin = seq(stage)
        await until(stage, lambda: seq(stage) > begin + 3)
        await stage.press("p")
        assert stage.line(1).endswith("PAUSED")
        await asyncio.sleep(0.3)
        at = seq(stage)
        await asyncio.sleep(0.3)
        assert seq(stage) == at
        await stage.press("left", "p")
        assert replay.playing
        await until(stage, lambda: seq(stage) > at)
        await stage.press("f", "p")
        assert replay.speed == 1

    replayed(scenario, record(tmp_path / "a"), 1)


def test_toasts_stand_above_time_line_and_offer(tmp_path: Path) -> None:
    async def above(stage: Stage) -> None:
        before = stage.line(-2)
        for key, message in (("1", "on the frame"), ("ctrl+p", "on the palette")):
            await stage.press(key)
            stage.app.say(message)
            await until(stage, lambda message=message: message in stage.text())  # type: ignore[misc]
            assert stage.line(-2) == before
            assert message in stage.line(-3)

    replayed(lambda stage, _: above(stage), record(tmp_path / "a", ticks=5), toasts=True)
    perform(above, size=(160, 50), interfaces=[interface("eth0", 2, offer="native XDP, exact")], toasts=True)


def test_a_replay_neither_accepts_offers_nor_records(tmp_path: Path) -> None:
    path = record(tmp_path / "a", interfaces=[interface("eth0", 2, offer="native XDP, exact")], ticks=5)

    async def scenario(stage: Stage, replay: Replay) -> None:
        assert "native XDP, exact" not in stage.text()
        await stage.press("x")
        assert stage.said() == "There is no offer to accept now."
        await stage.press("r")
        assert "Cannot record here" in stage.said()

    replayed(scenario, path)


def test_notices_of_the_recorded_session_are_in_the_log_alone(tmp_path: Path) -> None:
    path = record(
        tmp_path / "a", interfaces=[interface("eth0", 2, notices=("native XDP, until bpftop ends",))], ticks=5
    )

    async def scenario(stage: Stage, replay: Replay) -> None:
        assert "native XDP" not in stage.said()
        await stage.press("L")
        assert "native XDP, until bpftop ends" in stage.text()

    replayed(scenario, path)


def test_two_sessions_in_one_file_are_not_paired(tmp_path: Path) -> None:
    path = record(tmp_path / "a", ticks=8)
    record(Path(path), ticks=5)

    async def scenario(stage: Stage, replay: Replay) -> None:
        replay.step(1)
        await until(stage, lambda: seq(stage) == 0)
        assert stage.app.snapshot is not None
        assert stage.app.snapshot.interval_ns is None
        assert len(stage.sampling_thread.history) == 1

    replayed(scenario, path, 8)


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 40)], ids=str)
def test_the_live_screen_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.chdir(tmp_path)
    switches: list[RecordingSwitch] = []

    async def scenario(stage: Stage) -> None:
        switches.append(RecordingSwitch(stage.sampling_thread))
        await stage.press("r")
        await until(stage, lambda: stage.sampling_thread.recorder is not None)
        assert re.search(r"●    \d s, +\d[\d.]* kB .* live", stage.line(1))
        await stage.flood(5)
        await stage.press("r")
        await until(stage, lambda: "recording ended: 5 ticks in bpftop-web-17-" in stage.said())
        assert "●" not in stage.line(1)

    perform(scenario, size=size, ticks=3, actions={"record": lambda: switches[0].toggle()})
    (path,) = tmp_path.iterdir()
    with closing(Recording(str(path))) as recording:
        assert [tick.sample.seq for tick in recording.ticks(1, 9)] == [3, 4, 5, 6, 7]


def test_where_nothing_can_be_written_the_screen_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    switches: list[RecordingSwitch] = []

    async def scenario(stage: Stage) -> None:
        switches.append(RecordingSwitch(stage.sampling_thread))
        await stage.press("r")
        await until(stage, lambda: "start bpftop in a directory that you may write to" in stage.said())
        assert stage.sampling_thread.recorder is None

    perform(scenario, ticks=3, actions={"record": lambda: switches[0].toggle()})


def test_a_live_screen_cannot_seek() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("at")
        assert "This is a live screen, not a recording" in stage.said()
        await stage.press("f")
        assert len([said for _, said, _ in stage.app.said if "This is a live screen" in said]) == 2

    perform(scenario, ticks=3)


def test_a_thread_of_the_replay_ends_with_it(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        assert any(thread.name == "sampling" for thread in threading.enumerate())

    replayed(scenario, record(tmp_path / "a", ticks=3))
    assert not any(thread.name == "sampling" for thread in threading.enumerate())
