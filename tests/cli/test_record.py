"""``bpftop record``: the recording after every kind of end."""

from __future__ import annotations

import re
import signal
import sqlite3
import stat
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from bpftop.cli.shutdown import GRACE_S
from bpftop.errors import BpftopError
from bpftop.store.recording import Extent, Recording
from tests.cli.running import COMMAND, await_handlers, bpftop, default_signals, environment, started
from tests.held_rtnl import held_rtnl
from tests.waiting import LIMIT_S, until

LO = ("record", "lo", "--attach", "none", "-i", "0.1", "--no-drops")


WAITS_FOR_RTNL = re.compile("rtnl|tcx_link").search
"""A tick reads the counters of rtnetlink, the end detaches: both need the lock."""


def stacks(pid: int) -> list[str]:
    """Return for each thread of a process in which functions of the kernel it is."""
    return [(task / "stack").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]


def extent(path: Path) -> Extent:
    with closing(Recording(str(path))) as recording:
        found = recording.extent()
        assert found is not None
        return found


def ticks_in(path: Path) -> int:
    """Return how many ticks a recording has, though bpftop is writing to it; 0 before the first."""
    try:
        with closing(Recording(str(path))) as recording:
            ticks = recording.extent()
    except BpftopError:
        return 0
    return ticks.ticks if ticks else 0


def test_for_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    done = bpftop(*LO, "-o", str(path), "--duration", "0.5")
    assert (done.returncode, done.stdout) == (0, "")
    ticks = extent(path).ticks
    assert 1 < ticks <= 6  # a busy machine leaves ticks out
    assert done.stderr.splitlines()[-1] == f"bpftop: recording ended: {ticks} ticks in {path}, none was lost"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.bpf
def test_detaching_that_takes_long_ends_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with started("record", "lo", "-i", "0.1", "--no-drops", "-o", str(path)) as process:
        until(lambda: ticks_in(path) >= 2, "two ticks are recorded")
        with held_rtnl():
            process.terminate()
            until(lambda: any(map(WAITS_FOR_RTNL, stacks(process.pid))), lambda: stacks(process.pid), 10.0)
            time.sleep(2 * GRACE_S)  # the forced exit is due by then
        _, messages = process.communicate(timeout=LIMIT_S)
    assert "none was lost" in messages
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_until_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a"
    with started(*LO, "-o", str(path)) as process:
        await_handlers(process.pid)
        until(lambda: ticks_in(path) >= 2, "two ticks are recorded")
        process.send_signal(number)
        _, messages = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert "none was lost" in messages
    assert extent(path).ticks >= 2


def test_nohup_record_survives_a_hang_up(tmp_path: Path) -> None:
    path = tmp_path / "night.bpftop"
    words = ["nohup", *COMMAND, *LO, "-o", str(path)]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        words, stdin=nothing, stdout=nothing, stderr=nothing, env=environment(), preexec_fn=default_signals
    ) as process:
        until(lambda: ticks_in(path) >= 1, "a tick is recorded")
        process.send_signal(signal.SIGHUP)
        before = ticks_in(path)
        until(lambda: ticks_in(path) >= before + 3, "recording goes on after the hang-up")
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def test_kill_9_and_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with started(*LO, "-o", str(path)) as process:
        until(lambda: ticks_in(path) >= 2, "two ticks are recorded")
        process.kill()
        process.wait(LIMIT_S)
    first = extent(path).ticks
    assert first >= 2
    assert bpftop(*LO, "-o", str(path), "--duration", "0.3").returncode == 0
    assert first + 1 < extent(path).ticks <= first + 4


@pytest.mark.root
def test_the_owner_behind_sudo(tmp_path: Path) -> None:
    path = tmp_path / "a"
    done = bpftop(*LO, "-o", str(path), "--duration", "0.2", env=environment(SUDO_UID="1234", SUDO_GID="2345"))
    assert done.returncode == 0
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--max-size", "many"], "'many' is no size; write it as 500M or 2G"),
        (["--max-size", "1M"], "holds too little; give it 16M or more"),
        (["--keep", "long"], "'long' is neither a time, such as 24h, nor a number of ticks"),
        (["--keep", "0"], "is neither a time"),
        (["--keep", "1.5"], "is neither a time"),
        (["--duration", "0"], "is not a number of seconds above 0"),
        (["-o", "-"], "a recording is a file and cannot go to standard output; `bpftop watch --format samples` can"),
    ],
)
def test_bad_usage(tmp_path: Path, words: list[str], why: str) -> None:
    done = bpftop(*LO, "-o", str(tmp_path / "a"), *words)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_limits_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for words in (["--keep", "30m"], ["--keep", "100"], ["--max-size", "0.5G", "--keep", "7d"]):
        assert bpftop(*LO, "-o", str(path), "--duration", "0.2", *words).returncode == 0


def test_impossible_requests_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("precious")
    (tmp_path / "link").symlink_to("text")
    for path, why in (
        ("text", "is no recording of bpftop; it was left as it is"),
        ("link", "is a symbolic link, and none is followed"),
        ("no/where", "No such file or directory; give the recording another place with -o"),
        (".", "Is a directory"),
    ):
        done = bpftop(*LO, "-o", str(tmp_path / path), "--duration", "0.2")
        assert done.returncode == 1
        assert why in done.stderr
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "text").read_text() == "precious"
    done = bpftop("record", "no-such", "--attach", "none", "-o", str(tmp_path / "a"))
    assert done.returncode == 1
    assert "no-such" in done.stderr.splitlines()[0]


def lines_up_to(words: str, stream: IO[str]) -> str:
    """Return the lines up to the first with these words."""
    lines = ""
    while words not in lines:
        lines += (line := stream.readline())
        assert line, lines
    return lines


def test_lost_ticks_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with started(*LO, "-o", str(path)) as process:
        assert process.stderr is not None
        until(lambda: ticks_in(path) >= 1, "a tick is recorded")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            before = ticks_in(path)
            messages = lines_up_to("database is locked", process.stderr)
            other.execute("ROLLBACK")
        until(lambda: ticks_in(path) > before, "recording goes on")
        messages += lines_up_to(f"{path} can be written again; lost ticks: ", process.stderr)
        process.send_signal(signal.SIGINT)
        messages += process.communicate(timeout=LIMIT_S)[1]
    assert process.returncode == 0
    assert "database is locked; ticks are lost until it can be written again" in messages
    found = extent(path)
    assert found.lost > 0
    assert f"{found.ticks} ticks in {path}, {found.lost} lost" in messages
