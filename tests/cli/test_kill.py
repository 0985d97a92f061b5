"""kill -9 at any moment leaves nothing of ours: no program, no link, no qdisc, no namespace."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.cli.running import default_signals, fdinfo
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

KILLS = 13
"""For each way to attach."""
ATTACH = ("native", "auto", "clsact", "generic", "none")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.start_traffic()
        yield lab


def our_programs(pid: int | None = None) -> set[int]:
    """Ids of the counting programs that no process holds (left by a bpftop that ended), or that ``pid`` holds.

    Programs of another bpftop on this machine are none of our business. Not every bpftool knows who holds a program.
    """
    listing = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, capture_output=True, text=True)
    programs = {p["id"] for p in json.loads(listing.stdout) if p.get("name", "").startswith(("count_", "noop_"))}
    holders = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    return programs - {held for holder in holders if holder != pid for held in held_programs(holder)}


def held_programs(pid: int) -> set[int]:
    """Return the ids of the programs that a process holds, itself or by a link; none of one that ended or is hidden."""
    try:
        return {int(line.split()[1]) for line in fdinfo(pid) if line.startswith("prog_id:")}
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()


def qdiscs(lab: Lab) -> str:
    return lab.run_in(WATCHED, ["tc", "qdisc", "show", "dev", lab.interface]).stdout


def start(lab: Lab, attach: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bpftop.cli", "watch", lab.interface, "-i", "0.1", "--attach", attach, "--yes"]
    nothing = subprocess.DEVNULL
    return lab.call_in(
        WATCHED,
        lambda: subprocess.Popen(command, stdin=nothing, stdout=stdout, stderr=nothing, preexec_fn=default_signals),
    )


@pytest.mark.parametrize("attach", [mode for mode in ATTACH if mode != "clsact"])
def test_kill_9_at_any_moment_leaves_nothing(lab: Lab, attach: str) -> None:
    # clsact is left out here: its filter outlives the process by design, see the next test
    dice = random.Random(f"2026 {attach}")
    before = our_programs()
    for number in range(KILLS):
        process = start(lab, attach)
        # Every other kill comes while programs are attached, the others at any moment of the start.
        if number % 2 and attach != "none":
            until(lambda: our_programs(process.pid) - before, "a program is attached")  # noqa: B023
        time.sleep(dice.uniform(0.0, 0.6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: our_programs() <= before, f"the programs of kill {number} are gone")
    link = lab.run_in(WATCHED, ["ip", "-details", "link", "show", lab.interface]).stdout
    assert "xdp" not in link
    assert "clsact" not in qdiscs(lab)


def test_a_start_removes_the_clsact_filter_of_a_killed_run(lab: Lab) -> None:
    def filters() -> str:
        return lab.run_in(WATCHED, ["tc", "filter", "show", "dev", lab.interface, "ingress"]).stdout

    before = our_programs()
    process = start(lab, "clsact")
    until(lambda: "count_tc" in filters(), "the filter is there")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert "count_tc" in filters()  # what the kernel does with filters
    second = start(lab, "none")
    until(lambda: "clsact" not in qdiscs(lab), "the next start removed it, and the qdisc")
    second.terminate()
    assert second.wait(LIMIT_S) == 0
    until(lambda: our_programs() <= before, "the programs are gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("attach", ATTACH)
def test_an_ending_signal_ends_it_cleanly(lab: Lab, attach: str, number: signal.Signals) -> None:
    before = our_programs()
    with start(lab, attach, subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # from here on a signal is the normal end
        if attach != "none":
            assert our_programs(process.pid) - before
        process.send_signal(number)
        assert process.wait(LIMIT_S) == 0
    until(lambda: our_programs() <= before, "the programs are gone")
    link = lab.run_in(WATCHED, ["ip", "-details", "link", "show", lab.interface]).stdout
    assert "xdp" not in link
    assert "clsact" not in qdiscs(lab)
