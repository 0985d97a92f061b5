"""Tracepoints of a running bpftop: attached by default, not with --no-drops, gone after any end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bpf.devices import Lab
from tests.cli.running import COMMAND
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

TRACING = {"count_drop", "count_exception", "count_redirect_error"}


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.veth()
    return lab


def tracing_programs() -> set[int]:
    """Ids of the tracing programs of every bpftop on this machine."""
    listing = subprocess.run(["bpftool", "-j", "prog", "show"], check=True, capture_output=True, text=True)
    names = {name[:15] for name in TRACING}  # the kernel cuts them there; some bpftools know the rest from BTF
    programs = json.loads(listing.stdout)
    return {each["id"] for each in programs if each["type"] == "tracing" and each.get("name", "")[:15] in names}


def held_by(pid: int) -> set[int]:
    """Return the ids of programs to which a process has a link."""
    linked = set()
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            text = path.read_text()
            linked |= {int(prog_id) for prog_id in re.findall(r"^prog_id:\t(\d+)$", text, re.M) if "link_id:" in text}
    return linked & tracing_programs()


@contextmanager
def running(*options: str, command: Sequence[str] = COMMAND) -> Iterator[subprocess.Popen[str]]:
    """`bpftop watch` in the current namespace, which writes samples."""
    words = [*command, "watch", "v0", "-i", "0.2", "--attach", "none", "--format", "samples", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_tracepoints_end_with_kill_9(lab: Lab) -> None:
    with running() as process:
        until(lambda: len(held_by(process.pid)) == len(TRACING), "all tracepoints are set")
        held = held_by(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        until(lambda: held.isdisjoint(tracing_programs()), "they are gone")


def test_tracepoints_end_with_a_signal(lab: Lab) -> None:
    with running() as process:
        until(lambda: len(held_by(process.pid)) == len(TRACING), "all tracepoints are set")
        held = held_by(process.pid)
        process.terminate()
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        until(lambda: held.isdisjoint(tracing_programs()), "they are gone")


def test_no_drops_loads_no_tracepoints(lab: Lab) -> None:
    with running("--no-drops") as process:
        assert process.stdout is not None
        for _ in range(5):
            sample = json.loads(process.stdout.readline())
            assert held_by(process.pid) == set()
    traced = ("drops", "xdp_exceptions", "xdp_redirect_errors")
    assert not [name for name in sample["readings"] if name.partition("/")[0] in traced]
    assert {part: sample["unavailable"][part] for part in traced} == dict.fromkeys(traced, "switched off by --no-drops")


@pytest.mark.parametrize("missing", ["-perfmon,-sys_admin", "-bpf,-perfmon,-sys_admin"])
def test_each_part_names_its_missing_capabilities(lab: Lab, missing: str) -> None:
    command = ["setpriv", f"--bounding-set={missing}", sys.executable, *COMMAND[1:]]
    with running(command=command) as process:
        assert process.stdout is not None
        unavailable = json.loads(process.stdout.readline())["unavailable"]
        while any(reason.endswith(": being loaded") for reason in unavailable.values()):
            unavailable = json.loads(process.stdout.readline())["unavailable"]
    takes = "takes CAP_BPF and CAP_PERFMON" if "-bpf" in missing else "takes CAP_PERFMON"
    how = "give it to this container or service"
    for part in ("drops", "xdp_exceptions", "xdp_redirect_errors"):
        assert unavailable[part].endswith(f": EPERM (Operation not permitted); {takes}: {how}")
