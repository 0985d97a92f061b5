"""From finding to finding: in a recording with a list of them, in one without, in a pipe, and live."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bpftop.history.analyzer import Analyzer
from bpftop.history.history import History
from bpftop.rules.table import chosen
from bpftop.store.finding_rows import TickFindings
from bpftop.store.recording_writer import RecordingLimits, Writer
from bpftop.store.replay import Replay
from tests.rules.world import World
from tests.tui import conftest
from tests.tui.conftest import Stage, perform, until
from tests.tui.test_findings import Script, Scripted, nothing
from tests.tui.test_replay import replayed, seq

FIRST, SECOND = 22, 132
"""Times at which the two findings are raised; the history reaches from the second one back to the first."""
TICKS = 150


def twice(world: World, tick: int) -> None:
    nothing(world, tick)
    if tick in (FIRST - 2, FIRST + 5):
        world.stack(TcpInCsumErrors=9 * (tick < FIRST))
    if tick == SECOND - 2:
        world.rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 30)


def recorded(path: Path, script: Script = twice, ticks: int = TICKS) -> str:
    """Write a recording in the way of `bpftop record`."""
    out, rules = Writer(str(path), RecordingLimits()), Analyzer(chosen())
    for sample in Scripted(cpus=2, count=ticks, script=script).samples():
        out.write([(sample, 0), TickFindings(sample.mono_ns, rules.push(sample).diagnosis.findings)])
    out.close()
    return str(path)


def ids(stage: Stage) -> set[str]:
    snapshot = stage.app.choices.paused or stage.app.snapshot
    assert snapshot is not None
    return {finding.id for finding in snapshot.diagnosis.findings}


def raised() -> list[int]:
    """Return the ticks, counted from 0, from which on the rules say more than before."""
    history, before, raised_seqs = History(chosen()), 0, []
    for sample in Scripted(cpus=2, count=TICKS, script=twice).samples():
        now = len(history.push(sample).diagnosis.findings)
        if now > before:
            raised_seqs.append(sample.seq)
        before = now
    return raised_seqs


def test_keys_go_to_the_next_and_previous_finding(tmp_path: Path) -> None:
    first, second = raised()

    async def scenario(stage: Stage, replay: Replay) -> None:
        await stage.press("right_parenthesis")
        await until(stage, lambda: seq(stage) == first)
        assert ids(stage) == {"checksum-errors"}
        assert "▲  WARNING  Bad checksums" in stage.said()
        assert f"raised 2025-11-26T03:13:{first - 16:02}Z, over 2025-11-26T03:13:" in stage.said()
        assert len(stage.sampling_thread.history) == first + 1
        await stage.press("right_parenthesis")
        await until(stage, lambda: seq(stage) == second)
        assert ids(stage) == {"firewall-drops"}
        assert "not over at the end of its recording" in stage.said()
        assert not replay.playing
        await stage.press("right_parenthesis")
        assert "No finding was raised after this moment" in stage.said()
        assert seq(stage) == second
        await stage.press("left", "left", "right_parenthesis")  # within the history, as it is kept
        await until(stage, lambda: seq(stage) == second)
        await stage.press("left_parenthesis")
        await until(stage, lambda: seq(stage) == first)
        await stage.press("left_parenthesis")
        assert "No finding was raised before this moment" in stage.said()

    replayed(scenario, recorded(tmp_path / "a"), 1)


def test_it_plays_on_from_there(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        replay.play(True)
        await stage.press("right_parenthesis")
        await until(stage, lambda: ids(stage) == {"checksum-errors"})
        at = seq(stage)
        await stage.press("f", "p")
        await until(stage, lambda: seq(stage) > at)

    replayed(scenario, recorded(tmp_path / "a"), 1)


def test_a_recording_without_a_list_searches_the_history(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP VIEW findings; DROP TABLE episodes;")
    first, second = raised()

    async def scenario(stage: Stage, replay: Replay) -> None:
        replay.step(100)
        await until(stage, lambda: seq(stage) == 100)
        await stage.press("left_parenthesis")
        assert seq(stage) == first
        assert ids(stage) == {"checksum-errors"}
        await stage.press("right_parenthesis")
        assert "No finding was raised after this moment, within the history of the screen" in stage.said()

    replayed(scenario, path, 1)
    assert second > 100


def test_a_recording_that_is_damaged_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", ticks=20)

    async def scenario(stage: Stage, replay: Replay) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("DROP VIEW findings; DROP VIEW times; DROP TABLE ticks")
        for keys in (("right_parenthesis",), ("at", "0", "enter")):
            await stage.press(*keys)
            assert "no such table" in stage.said()
            stage.app.said.clear()

    replayed(scenario, path, 20)


@contextmanager
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def source(cpus: int, interfaces: object, gate: Any) -> Scripted:
        return Scripted(cpus=2, gate=gate, script=twice)

    monkeypatch.setattr(conftest, "FakeSource", source)
    yield perform


@pytest.mark.parametrize("live", [True, False], ids=["live", "a pipe"])
def test_without_a_recording_the_history_is_searched(monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    first, second = raised()

    async def scenario(stage: Stage) -> None:
        await stage.press("right_parenthesis")
        assert "No finding was raised after this moment, within the history of the screen" in stage.said()
        await stage.press("left_parenthesis")
        assert stage.app.choices.paused is not None
        assert seq(stage) == second
        assert "·  note  The firewall drops 30/s (this namespace)" in stage.said()
        await stage.press("left_parenthesis")
        assert seq(stage) == first
        await stage.press("left_parenthesis")
        assert seq(stage) == first
        assert "No finding was raised before this moment, within the history of the screen" in stage.said()
        await stage.press("right_parenthesis")
        assert seq(stage) == second

    with scripted(monkeypatch) as run:
        run(scenario, ticks=TICKS, rules=chosen(), live=live)


def test_findings_older_than_the_history_are_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.flood(600)
        await stage.press("left_parenthesis")
        assert "No finding was raised before this moment, within the history of the screen" in stage.said()

    with scripted(monkeypatch) as run:
        run(scenario, ticks=TICKS, rules=chosen())


def test_the_key_is_offered_where_there_is_something_to_go_to(tmp_path: Path) -> None:
    async def scenario(stage: Stage, replay: Replay) -> None:
        await until(stage, lambda: ") finding" in stage.line(-1))

    replayed(scenario, recorded(tmp_path / "a", ticks=5), 1)

    async def live(stage: Stage) -> None:
        assert ") finding" not in stage.line(-1)

    perform(live, size=(160, 50), ticks=3)


def test_the_palette_finds_the_moments_of_a_recording(tmp_path: Path) -> None:
    first, _ = raised()

    async def scenario(stage: Stage, replay: Replay) -> None:
        await stage.press("ctrl+p", *"bad checksums")
        await until(stage, lambda: "Bad checksums" in stage.text())
        assert re.search(r"Moment 03:13:\d\dZ: Bad checksums", stage.text())
        await stage.press("enter")
        await until(stage, lambda: seq(stage) == first)
        await stage.press("ctrl+p", *"03:13:30")
        await until(stage, lambda: "Moment 03:13:30Z" in stage.text())
        await stage.press("enter")
        await until(stage, lambda: seq(stage) == 46)

    replayed(scenario, recorded(tmp_path / "a"), 1)


def test_the_palette_finds_the_findings_of_a_live_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = raised()

    async def scenario(stage: Stage) -> None:
        await stage.press("ctrl+p", *"bad checksums")
        await until(stage, lambda: "Moment 03:13:" in stage.text())
        await stage.press("enter")
        await until(stage, lambda: seq(stage) == first)
        assert "PAUSED" in stage.line(1)

    with scripted(monkeypatch) as run:
        run(scenario, ticks=60, rules=chosen())
