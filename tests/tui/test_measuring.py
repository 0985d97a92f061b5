"""The panes that measure on request: what they show at three sizes, what their keys do, and how a run ends."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.tui.measurements.measurement import Measurement
from bpftop.tui.messages import MeasurementChanged
from tests.tui.conftest import Stage, perform, until
from tests.tui.engines import CannedMaps, CannedSuites, Held
from tests.tui.test_screens import SIZES, Same
from tests.waiting import until_async

REFUSAL = BpftopError("make a BPF map failed: EPERM; run it as root, or with CAP_BPF")


def measurement(stage: Stage) -> Measurement:
    open_measurement = stage.app.measurement()
    assert open_measurement is not None
    return open_measurement


async def ended(stage: Stage) -> None:
    one = measurement(stage)
    await until(stage, lambda: not one.running)


async def held(stage: Stage, engine: CannedMaps | CannedSuites) -> None:
    """The run waits for the test, and the screen shows the results so far."""
    await until(stage, engine.held.at_it.is_set)
    stage.app.post_message(MeasurementChanged())
    await stage.pilot.pause()


def compare(stage: Stage, same: Same, name: str, size: tuple[int, int]) -> None:
    lines = stage.text().splitlines()
    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]
    same(f"{name}-{size[0]}x{size[1]}.txt", re.sub(r"in \d+\.\d s", "in 2.9 s", stage.text()))


@pytest.mark.parametrize("size", SIZES)
def test_profile_before_while_and_after(same: Same, size: tuple[int, int]) -> None:
    engine = CannedMaps(Held(11))

    async def scenario(stage: Stage) -> None:
        await stage.press("6")
        compare(stage, same, "profile-idle", size)
        await stage.press("enter")
        await held(stage, engine)
        compare(stage, same, "profile-running", size)
        engine.held.go.set()
        await ended(stage)
        compare(stage, same, "profile-done", size)
        await stage.press("s")
        compare(stage, same, "profile-by-operation", size)

    perform(scenario, size=size, engines={"profile": engine})


@pytest.mark.parametrize("size", SIZES)
def test_bench_before_while_and_after(same: Same, size: tuple[int, int]) -> None:
    engine = CannedSuites(Held(1))

    async def scenario(stage: Stage) -> None:
        await stage.press("7")
        compare(stage, same, "bench-idle", size)
        await stage.press("enter")
        await held(stage, engine)
        compare(stage, same, "bench-running", size)
        engine.held.go.set()
        await ended(stage)
        await stage.press("j")
        compare(stage, same, "bench-done", size)
        await stage.press("enter")
        compare(stage, same, "bench-why", size)
        await stage.press("escape")
        assert "2.9 s" not in stage.line(4)
        assert "budget: XDP" in stage.text()

    perform(scenario, size=size, engines={"bench": engine})


@pytest.mark.parametrize("size", SIZES)
def test_why_it_cannot_be_measured(same: Same, size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("6", "enter")
        await ended(stage)
        compare(stage, same, "profile-refused", size)
        await stage.press("7", "enter")
        await ended(stage)
        compare(stage, same, "bench-refused", size)

    perform(
        scenario, size=size, engines={"profile": CannedMaps(refusal=REFUSAL), "bench": CannedSuites(refusal=REFUSAL)}
    )


def test_arrows_choose_and_enter_measures_that() -> None:
    engine = CannedMaps()

    async def scenario(stage: Stage) -> None:
        await stage.press("6", "left")  # round to the last one
        assert "‹lpm_trie›" in stage.text()
        await stage.press("j", "right", "j", "l", "j", "right", "j", "h", "j", "right", "j", "left", "R")
        await ended(stage)
        assert stage.app.view.paused is None
        await stage.press("right", "j", "right")  # on a row there is nothing to change
        assert stage.app.view.paused is None
        (request,) = engine.requests
        assert (request.kinds, request.entries, request.value_bytes, request.fills_pct) == (
            ("lpm_trie",),
            (100_000,),
            (64,),
            (90,),
        )
        assert (request.accesses, request.batches, request.threads) == (("sequential",), (1,), (6,))
        assert engine.kept == 1
        await stage.press("y")
        assert "lpm_trie: 90k of 100k entries" in stage.app.clipboard

    perform(scenario, engines={"profile": engine})


def test_the_cursor_reaches_every_row() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("6", "right", "right", "right", "enter")
        await ended(stage)
        await stage.press("G")
        assert "rows " in stage.line(4)
        assert stage.text().splitlines()[-2].startswith("▸ lookup+del_batch")
        await stage.press("g")
        assert "‹all 8›" in stage.text()

    perform(scenario, engines={"profile": CannedMaps()})


def test_rows_are_filtered_by_operation_and_by_type() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("6", "enter")
        await ended(stage)
        await stage.press("slash", *"hash batch", "enter")
        assert "filter: hash batch" in stage.line(4)
        assert [line.split()[0] for line in stage.text().splitlines()[7:11]] == [
            "lookup_batch", "update_batch", "delete_batch", "lookup+del_batch",
        ]  # fmt: skip
        assert "get_next_key" not in stage.text()

    perform(scenario, engines={"profile": CannedMaps()})


def test_escape_cancels_and_keeps_what_there_is() -> None:
    maps, suites = CannedMaps(Held(3)), CannedSuites(Held(1))

    async def scenario(stage: Stage) -> None:
        await stage.press("6", "enter")
        await held(stage, maps)
        await stage.press("escape")
        await ended(stage)
        assert stage.line(1).startswith("Cancelled: 3 cells in ")
        assert maps.kept == 1
        await stage.press("7", "enter")
        await held(stage, suites)
        await stage.press("escape")
        await ended(stage)
        assert stage.line(1).startswith("Cancelled: 1 of 3 suites in ")
        await stage.press("j", "j")
        assert "cancelled before all rounds were done" in stage.text()

    perform(scenario, engines={"profile": maps, "bench": suites})


def test_a_run_continues_behind_other_panes_and_runs_alone() -> None:
    maps, suites = CannedMaps(Held(3)), CannedSuites()

    async def scenario(stage: Stage) -> None:
        await stage.press("6", "enter")
        await held(stage, maps)
        measuring = measurement(stage)
        await stage.press("enter")
        assert stage.line(-1) == "Profile is measuring: wait for its end, or cancel it there with esc"
        await stage.press("7", "enter")
        assert stage.line(-1) == "Profile is measuring: wait for its end, or cancel it there with esc"
        assert not suites.asked
        await stage.press("1")
        before = stage.row("TCP")
        await stage.tick()
        assert stage.row("TCP") != before
        maps.held.go.set()
        await until(stage, lambda: not measuring.running)
        assert re.match(r"Profile: 18 cells in \d\.\d s", stage.line(-1))
        await stage.press("6")
        assert stage.line(1).startswith("18 cells in ")

    perform(scenario, engines={"profile": maps, "bench": suites})


def test_enter_runs_a_suite_then_explains_it_and_r_repeats() -> None:
    engine = CannedSuites()

    async def scenario(stage: Stage) -> None:
        await stage.press("m", "7", "j", "j", "enter")
        await ended(stage)
        assert "  factor" in stage.text()  # and not since the mark
        assert engine.asked == [("spills",)]
        assert "stack spills wins by far" in stage.text()
        await stage.press("enter")
        assert "what registers does" in stage.text()
        await stage.press("enter")
        assert "what registers does" not in stage.text()
        await stage.press("R")
        await ended(stage)
        assert engine.asked == [("spills",), ("spills",)]
        await stage.press("y")
        assert "what stack spills does" in stage.app.clipboard

    perform(scenario, engines={"bench": engine})


def test_a_bug_in_measuring_becomes_a_sentence() -> None:
    engine = CannedMaps()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    engine.profile = broken  # type: ignore[assignment, method-assign]

    async def scenario(stage: Stage) -> None:
        await stage.press("6", "enter")
        await ended(stage)
        assert "a fault in bpftop (ZeroDivisionError: division by zero)" in " ".join(stage.text().splitlines()[1:3])

    perform(scenario, engines={"profile": engine})


def test_chosen_keys_open_them_and_stand_in_the_hints() -> None:
    async def scenario(stage: Stage) -> None:
        assert "P Profile" in stage.line(-1)
        await stage.press("P")
        assert stage.app.view.pane == "profile"
        assert stage.line(-1).startswith("M measure")
        await stage.press("M")
        await ended(stage)
        assert stage.line(1).startswith("18 cells")

    perform(scenario, size=(200, 30), keys={"profile": "P", "choose": "M"}, engines={"profile": CannedMaps()})


@pytest.mark.parametrize("size", [(50, 10), (60, 15), (72, 20), (120, 40), (200, 60)])
def test_measuring_panes_fit_other_screen_sizes(size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        for keys in (("6",), ("enter",), ("G",), ("7",), ("enter",), ("j",), ("enter",), ("question_mark",)):
            await stage.press(*keys)
            if desk_of := stage.app.measurement():
                await until(stage, lambda one=desk_of: not one.running)  # type: ignore[misc]
            lines = stage.text().splitlines()
            assert len(lines) == size[1]
            assert max(map(len, lines)) <= size[0]

    perform(scenario, size=size, engines={"profile": CannedMaps(), "bench": CannedSuites()})


@pytest.mark.parametrize(("key", "title"), [("6", "Profile"), ("7", "Bench")])
def test_the_help_explains_the_pane_behind_it(key: str, title: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("question_mark", "y")
        assert f"\n{title}\n" not in stage.app.clipboard
        await stage.press("question_mark", key, "question_mark", "y")
        assert f"\n{title}\n" in stage.app.clipboard
        assert "spread" in stage.app.clipboard

    perform(scenario, engines={"profile": CannedMaps(), "bench": CannedSuites()})


def test_quitting_ends_the_run_before_the_app_is_gone() -> None:
    engine = CannedMaps(Held(3))

    async def scenario(stage: Stage) -> None:
        await stage.press("6", "enter")
        await held(stage, engine)
        await stage.press("q")

    perform(scenario, engines={"profile": engine})
    assert engine.kept == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "measuring"]


def maps_of_ours() -> set[str]:
    """Descriptors of this process that are BPF maps or programs."""
    descriptors = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # the descriptor with which the folder itself is read
            continue
        if target.startswith("anon_inode:bpf"):
            descriptors.add(f"{link.name} {target}")
    return descriptors


def nothing_left() -> bool:
    measuring = [t for t in threading.enumerate() if t.name == "measuring" or t.name.startswith("profile-")]
    return not measuring and not maps_of_ours()


@pytest.mark.bpf
@pytest.mark.parametrize("keys", [("6", *["right"] * 3, "j", "right"), ("6", "j", "right", "right"), ("7",)])
def test_the_real_engine_is_cancelled(keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All types of maps with 100 000 entries; an array and a hash with a million, which take long to fill; suites."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        await stage.press(*keys)
        for pause_s in (0.0, 0.02, 0.1, 0.35, 0.8, 1.5):
            stage.app.action_do("run")  # not by a key: the pilot waits until this process has nothing to do
            await until_async(maps_of_ours, "the engine has a map or a program")
            await asyncio.sleep(pause_s)
            stage.app.action_do("clear")
            await until_async(lambda: not measurement(stage).running, "the run has ended")
            assert nothing_left()
            await stage.pilot.pause()
            assert stage.line(1).startswith("Cancelled: ")

    perform(scenario)
    assert nothing_left()


@pytest.mark.bpf
def test_the_real_engine_measures_a_tiny_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        # the array alone, 100 entries, batches of 1: a tenth of a second
        await stage.press("6", "right", "right", "right", "right", "j", "left", "left", *"jjjj", "right", "enter")
        await ended(stage)
        assert re.match(r"9 cells in \d\.\d s, .* values and keys compared, none was wrong\.", stage.line(1))
        assert re.match(r"  lookup +\d", stage.row("  lookup"))
        await stage.press("enter")
        await ended(stage)
        assert re.search(r"(?:[+-]\d+ %|none)$", stage.row("  lookup"))

    perform(scenario)
    assert len(list((tmp_path / "bpftop").glob("profile-*.json"))) == 2


@pytest.mark.bpf
def test_a_choice_that_cannot_be_is_the_engines_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        await stage.press("6", "j", "left", "left", *"jjjj", "left", "enter")  # 75 keys, batches of 4096
        await ended(stage)
        assert stage.line(1).startswith("a batch of 4096: an array of 100 entries")

    perform(scenario)


@pytest.mark.bpf
@pytest.mark.parametrize("pane", ["6", "7"])
def test_quitting_leaves_no_thread_and_no_map(pane: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        await stage.press(pane)
        stage.app.action_do("run")
        await until_async(maps_of_ours, "the engine has a map or a program")
        stage.app.action_do("quit")

    perform(scenario)
    assert nothing_left()
