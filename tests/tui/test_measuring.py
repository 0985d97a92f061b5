"""The panes that measure on request: what they show at three sizes, what their keys do, and how a run ends."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.tui.measurements.measurement import Measurement
from bpftop.tui.panes.measure import MeasurePane
from tests.tui.conftest import Same, Stage, perform, until
from tests.tui.engines import CannedMaps, CannedSuites, Held
from tests.tui.test_screens import SIZES
from tests.waiting import until_async

REFUSAL = BpftopError("make a BPF map failed: EPERM; run it as root, or with CAP_BPF")


def pane(stage: Stage) -> MeasurePane:
    return stage.app.frame.query_one(MeasurePane)


def measurement(stage: Stage) -> Measurement:
    """Return the measurement on the screen."""
    return pane(stage).current


async def ended(stage: Stage) -> None:
    one = measurement(stage)
    await until(stage, lambda: not one.running)


async def held(stage: Stage, engine: CannedMaps | CannedSuites) -> None:
    """The run waits for the test, and the screen shows the results so far."""
    await until(stage, engine.held.at_it.is_set)
    pane(stage)._notify()
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
        await stage.press("7")
        compare(stage, same, "profile-idle", size)
        await stage.press("enter")
        await held(stage, engine)
        compare(stage, same, "profile-running", size)
        engine.held.go.set()
        await ended(stage)
        compare(stage, same, "profile-done", size)
        await stage.press("s")
        compare(stage, same, "profile-by-operation", size)

    perform(scenario, size=size, engines={"maps": engine})


@pytest.mark.parametrize("size", SIZES)
def test_bench_before_while_and_after(same: Same, size: tuple[int, int]) -> None:
    engine = CannedSuites(Held(1))

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "v")
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
        assert "what registers does" not in stage.text()
        assert "budget: XDP" in stage.text()

    perform(scenario, size=size, engines={"programs": engine})


@pytest.mark.parametrize("size", SIZES)
def test_why_it_cannot_be_measured(same: Same, size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("7", "enter")
        await ended(stage)
        compare(stage, same, "profile-refused", size)
        await stage.press("v", "enter")
        await ended(stage)
        compare(stage, same, "bench-refused", size)

    perform(
        scenario, size=size, engines={"maps": CannedMaps(refusal=REFUSAL), "programs": CannedSuites(refusal=REFUSAL)}
    )


def test_arrows_choose_and_enter_measures_that() -> None:
    engine = CannedMaps()

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "left")  # round to the last one
        assert "‹lpm_trie›" in stage.text()
        await stage.press("j", "right", "j", "l", "j", "right", "j", "h", "j", "right", "j", "left", "R")
        await ended(stage)
        assert stage.app.choices.paused is None
        await stage.press("i", "j", "right")  # on a row there is nothing to change
        assert stage.app.choices.paused is None
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

    perform(scenario, engines={"maps": engine})


def test_the_cursor_reaches_every_row() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("7", "right", "right", "right", "enter")
        await ended(stage)
        assert "‹all 8›" in stage.text()
        await stage.press("i", "G")
        assert "▸ lookup+del_batch" in stage.text().splitlines()[-6]  # above the verdict
        await stage.press("g")
        assert "▸ lookup " in stage.line(10)

    perform(scenario, engines={"maps": CannedMaps()})


def test_rows_are_filtered_by_operation_and_by_type() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("7", "enter")
        await ended(stage)
        await stage.press("i", "slash", *"hash batch", "enter")
        assert "filter: hash batch" in stage.text()
        rows = [line.split()[0] for line in stage.text().splitlines()[11:15]]
        assert rows == ["lookup_batch", "update_batch", "delete_batch", "lookup+del_batch"]
        assert "get_next_key" not in stage.text()

    perform(scenario, engines={"maps": CannedMaps()})


def test_escape_cancels_and_keeps_what_there_is() -> None:
    maps, suites = CannedMaps(Held(3)), CannedSuites(Held(1))

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "enter")
        await held(stage, maps)
        await stage.press("escape")
        await ended(stage)
        assert stage.line(6).startswith("Cancelled: 3 measurements in ")
        assert maps.kept == 1
        await stage.press("v", "enter")
        await held(stage, suites)
        await stage.press("escape")
        await ended(stage)
        assert stage.line(6).startswith("Cancelled: 1 of 3 suites in ")
        await stage.press("j", "j")
        assert "cancelled before all rounds were done" in stage.text()

    perform(scenario, engines={"maps": maps, "programs": suites})


def test_a_run_continues_behind_other_panes_and_runs_alone() -> None:
    maps, suites = CannedMaps(Held(3)), CannedSuites()

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "enter")
        await held(stage, maps)
        measuring = measurement(stage)
        busy = "Map operations: this is measuring now; wait for its end, or cancel it with esc"
        await stage.press("enter")
        assert stage.said() == busy
        await stage.press("v", "enter")
        assert stage.said() == busy
        assert not suites.asked
        await stage.press("1")
        before = stage.row("TCP")
        await stage.tick()
        assert re.search(r"7 (Measure )?\d+%", stage.line(0))
        assert stage.row("TCP") != before
        maps.held.go.set()
        await until(stage, lambda: not measuring.running)
        assert re.match(r"Map operations: 26 measurements in \d\.\d s", stage.said())
        await stage.press("7", "v")
        assert stage.line(6).startswith("26 measurements in ")

    perform(scenario, engines={"maps": maps, "programs": suites})


def test_enter_runs_a_suite_then_explains_it_and_r_repeats() -> None:
    engine = CannedSuites()

    async def scenario(stage: Stage) -> None:
        await stage.press("m", "7", "v", "j", "j", "enter")
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

    perform(scenario, engines={"programs": engine})


def test_a_bug_in_measuring_becomes_a_sentence() -> None:
    engine = CannedMaps()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    engine.profile = broken  # type: ignore[assignment, method-assign]

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "enter")
        await ended(stage)
        assert "a fault in bpftop (ZeroDivisionError: division by zero)" in " ".join(stage.text().splitlines()[6:8])

    perform(scenario, engines={"maps": engine})


def test_chosen_keys_open_them_and_stand_in_the_hints() -> None:
    async def scenario(stage: Stage) -> None:
        assert "P Measure" in stage.line(0)
        await stage.press("P")
        assert stage.app.place.pane == "measure"
        assert stage.line(-1).startswith("M measure")
        await stage.press("M")
        await ended(stage)
        assert stage.line(6).startswith("26 measurements")

    perform(scenario, size=(200, 30), keys={"measure": "P", "choose": "M"}, engines={"maps": CannedMaps()})


@pytest.mark.parametrize("size", [(50, 10), (60, 15), (72, 20), (120, 40), (200, 60)])
def test_measuring_panes_fit_other_screen_sizes(size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("7")
        for keys in (("enter",), ("i", "G"), ("v",), ("enter",), ("j",), ("enter",), ("question_mark",)):
            await stage.press(*keys)
            await ended(stage)
            lines = stage.text().splitlines()
            assert len(lines) == size[1]
            assert max(map(len, lines)) <= size[0]

    perform(scenario, size=size, engines={"maps": CannedMaps(), "programs": CannedSuites()})


def test_the_help_explains_the_pane_behind_it() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("question_mark", "y")
        assert "Columns of Measure" not in stage.app.clipboard
        await stage.press("question_mark", "7", "question_mark", "y")
        assert "\nColumns of Measure\n" in stage.app.clipboard
        assert "spread" in stage.app.clipboard

    perform(scenario, engines={"maps": CannedMaps(), "programs": CannedSuites()})


def test_quitting_ends_the_run_before_the_app_is_gone() -> None:
    engine = CannedMaps(Held(3))

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "enter")
        await held(stage, engine)
        await stage.press("q")

    perform(scenario, engines={"maps": engine})
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
@pytest.mark.parametrize("keys", [("7", *["right"] * 3, "j", "right"), ("7", "j", "right", "right"), ("7", "v")])
def test_the_real_engine_is_cancelled(keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All types of maps with 100 000 entries; an array and a hash with a million, which take long to fill; suites."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        await stage.press(*keys)
        for pause_s in (0.0, 0.02, 0.1, 0.35, 0.8, 1.5):
            pane(stage).action_run()  # not by a key: the pilot waits until this process has nothing to do
            await until_async(maps_of_ours, "the engine has a map or a program")
            await asyncio.sleep(pause_s)
            pane(stage).step_back()
            await until_async(lambda: not measurement(stage).running, "the run has ended")
            assert nothing_left()
            await stage.pilot.pause()
            assert stage.line(6).startswith("Cancelled: ")

    perform(scenario)
    assert nothing_left()


@pytest.mark.bpf
def test_the_real_engine_measures_a_tiny_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        # the array alone, 100 entries, batches of 1: a tenth of a second
        await stage.press("7", "right", "right", "right", "right", "j", "left", "left", *"jjjj", "right", "enter")
        await ended(stage)
        assert re.match(
            r"9 measurements in \d\.\d s; .* values and keys were compared, none was wrong\.", stage.line(6)
        )
        assert re.search(r"  lookup +\d", stage.text())
        await stage.press("enter")
        await ended(stage)
        await stage.press("i")
        assert re.search(r"  lookup +\d.*(?:[+-]\d+ %|none)$", stage.text(), re.MULTILINE)

    perform(scenario)
    assert len(list((tmp_path / "bpftop").glob("profile-*.json"))) == 2


@pytest.mark.bpf
def test_a_choice_that_cannot_be_is_the_engines_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        await stage.press("7", "j", "left", "left", *"jjjj", "left", "enter")  # 75 keys, batches of 4096
        await ended(stage)
        assert stage.line(6).startswith("a batch of 4096: an array of 100 entries")

    perform(scenario)


@pytest.mark.bpf
@pytest.mark.parametrize("keys", [("7",), ("7", "v")])
def test_quitting_leaves_no_thread_and_no_map(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def scenario(stage: Stage) -> None:
        await stage.press(*keys)
        pane(stage).action_run()
        await until_async(maps_of_ours, "the engine has a map or a program")
        stage.app.exit()

    perform(scenario)
    assert nothing_left()
