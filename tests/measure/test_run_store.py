"""Store of runs: complete and private files, and no write through a foreign link."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.measure import run_store
from bpftop.measure.run_store import StoredRun


def run(value: float = 1.0, name: str = "hash lookup", taken_at: str = "2026-01-01T00:00:00.000Z") -> StoredRun:
    return StoredRun(taken_at, "6.18.0", False, {name: {"user_p50_ns": value}})


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def test_the_latest_comes_first(env: dict[str, str]) -> None:
    assert run_store.load("profile", "here", env) == ()
    for value in (1.0, 2.0, 3.0):
        run_store.save("profile", "here", run(value), env)
    assert run_store.load("profile", "here", env) == (run(3.0), run(2.0), run(1.0))


def test_other_machines_and_other_kinds_are_not_compared(env: dict[str, str]) -> None:
    run_store.save("profile", "there", run(), env)
    run_store.save("bench", "here", run(), env)
    assert run_store.load("profile", "here", env) == ()


def test_the_oldest_goes(env: dict[str, str]) -> None:
    for value in range(run_store.RUNS_MAX + 3):
        path = run_store.save("profile", "here", run(float(value)), env)
    run_store.save("bench", "here", run(), env)
    stored = run_store.load("profile", "here", env)
    assert [each.figures["hash lookup"]["user_p50_ns"] for each in stored] == list(range(run_store.RUNS_MAX + 2, 2, -1))
    assert len(os.listdir(os.path.dirname(path))) == run_store.RUNS_MAX + 1


def test_stored_files_are_private_and_complete(env: dict[str, str], tmp_path: Path) -> None:
    path = Path(run_store.save("profile", "here", run(), env))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.parent == Path(run_store.path(env)) == tmp_path / "state" / "bpftop"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["schema"] == "bpftop.kept/1"
    assert os.listdir(path.parent) == [path.name]


def test_change_since_the_latest_run_with_the_figure() -> None:
    earlier = (run(50.0, "other", "2026-03-01"), run(100.0, taken_at="2026-02-01"), run(10.0, taken_at="2026-01-01"))
    stored = run_store.changes(
        {"hash lookup": {"user_p50_ns": 110.0, "inside_p50_ns": 5.0}, "new": {"user_p50_ns": 1}}, earlier
    )
    assert list(stored) == [("hash lookup", "user_p50_ns")]
    change = stored["hash lookup", "user_p50_ns"]
    assert (change.then, change.taken_at, change.kernel) == (100.0, "2026-02-01", "6.18.0")
    assert change.pct == pytest.approx(10)


@pytest.mark.parametrize(
    ("low", "high", "then_low", "then_high", "clear"),
    [(105, 115, 90, 104, True), (105, 115, 90, 105, False), (80, 90, 95, 105, True), (90, 120, 100, 101, False)],
)
def test_a_change_is_clear_only_beyond_both_ranges(
    low: float, high: float, then_low: float, then_high: float, clear: bool
) -> None:
    then = StoredRun("2026-01-01", "6.18.0", False, {"a": {"ns": 100.0, "ns.low": then_low, "ns.high": then_high}})
    changes = run_store.changes({"a": {"ns": 110.0, "ns.low": low, "ns.high": high}}, (then,))
    assert {key: change.clear for key, change in changes.items()} == {("a", "ns"): clear}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": "bpftop.kept/1"}', "[" * 100_000, '{"schema": 1, "figures": {"a": 1}}'],
)
def test_invalid_stored_files_are_skipped(env: dict[str, str], text: str) -> None:
    path = Path(run_store.save("profile", "here", run(), env))
    (path.parent / "profile-00000000000000000001.json").write_text(text)
    (path.parent / "profile-99999999999999999999.json").write_text(text)
    os.mkfifo(path.parent / "profile-00000000000000000002.json")
    os.symlink(path, path.parent / "profile-00000000000000000003.json")
    assert run_store.load("profile", "here", env) == (run(),)


def test_a_failed_store_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bpftop").write_text("a file in the way")
    with pytest.raises(BpftopError, match=r"cannot store this run in .*: Not a directory"):
        run_store.save("profile", "here", run(), {"XDG_STATE_HOME": str(tmp_path)})
    assert run_store.load("profile", "here", {"XDG_STATE_HOME": str(tmp_path)}) == ()


def test_the_xdg_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert run_store.path({"XDG_STATE_HOME": "relative"}) == "/home/somebody/.local/state/bpftop"
    assert run_store.path({}) == "/home/somebody/.local/state/bpftop"
    assert run_store.path({"XDG_STATE_HOME": "/state"}) == "/state/bpftop"
    assert run_store.path({"SUDO_USER": "no such user"}) == "/home/somebody/.local/state/bpftop"


@pytest.mark.bpf  # only root gives files away
class TestBehindSudo:
    UID, GID = 12345, 12346

    def env(self, home: Path) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(home / ".local" / "state"), "SUDO_UID": str(self.UID), "SUDO_GID": str(self.GID)}

    def home(self, tmp_path: Path) -> Path:
        home = tmp_path / "home"
        home.mkdir()
        os.chown(home, self.UID, self.GID)
        return home

    def test_stored_runs_belong_to_the_sudo_caller(self, tmp_path: Path) -> None:
        env = self.env(self.home(tmp_path))
        path = Path(run_store.save("profile", "here", run(), env))
        for made in (path, *list(path.parents)[:3]):
            assert (made.stat().st_uid, made.stat().st_gid) == (self.UID, self.GID)
        assert run_store.load("profile", "here", env) == (run(),)

    def test_no_file_is_made_in_a_foreign_folder(self, tmp_path: Path) -> None:
        home, elsewhere = self.home(tmp_path), tmp_path / "etc"
        elsewhere.mkdir()
        (home / ".local").symlink_to(elsewhere)
        with pytest.raises(BpftopError, match="cannot store this run"):
            run_store.save("profile", "here", run(), self.env(home))
        (elsewhere / "state" / "bpftop").mkdir(parents=True)
        with pytest.raises(BpftopError, match="does not belong to the user who called sudo"):
            run_store.save("profile", "here", run(), self.env(home))
        assert os.listdir(elsewhere / "state" / "bpftop") == []
