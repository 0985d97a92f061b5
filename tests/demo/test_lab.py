"""The lab: set-up, errors, and no traces after its end."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from bpftop.errors import BpftopError
from tests.waiting import until

from .traces import is_running, namespace_exists, rx_and_tx_packets, track_namespace

pytestmark = pytest.mark.bpf

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
with Lab() as lab:
    lab.start_traffic()
    print(lab.pid(WATCHED), lab.pid(GENERATOR), flush=True)
    time.sleep(60)
"""
STARTER = """
import sys
sys.path.insert(0, sys.argv[1])
from bpftop.demo.lab import Lab
from bpftop.errors import BpftopError
try:
    with Lab() as lab:
        lab.start_traffic()
except BpftopError as error:
    print(error)
"""


def netns_inode(path: str) -> int:
    return os.stat(path).st_ino


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_two_namespaces_with_a_veth_pair() -> None:
    with Lab() as lab:
        inodes = {
            netns_inode(path) for path in (lab.netns_path(WATCHED), lab.netns_path(GENERATOR), "/proc/self/ns/net")
        }
        assert len(inodes) == 3
        assert lab.interface == "demo0"
        assert lab.run_in(WATCHED, ["ping", "-c1", "-W2", GENERATOR.ipv4[0]]).returncode == 0
        outside = {name for _, name in socket.if_nameindex()}
        inside = {name for _, name in lab.call_in(WATCHED, socket.if_nameindex)}
        assert "demo0" in inside - outside
        assert {name for _, name in lab.call_in(GENERATOR, socket.if_nameindex)} >= {"demo1"}


def test_a_quiet_lab_is_silent() -> None:
    with Lab(quiet=True) as lab:
        time.sleep(1.5)
        assert lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0")) == (0, 0)


def test_call_in_returns_and_raises() -> None:
    with Lab(quiet=True) as lab:
        assert lab.call_in(WATCHED, lambda: netns_inode("/proc/thread-self/ns/net")) == netns_inode(lab.netns_path())
        with pytest.raises(ZeroDivisionError):
            lab.call_in(WATCHED, lambda: 1 // 0)
        assert netns_inode("/proc/self/ns/net") != netns_inode(lab.netns_path())


def test_nothing_is_left_after_stop() -> None:
    descriptors = os.listdir("/proc/self/fd")
    with Lab() as lab:
        lab.start_traffic()
        pids = [lab.pid(side) for side in (WATCHED, GENERATOR)]
        nsids = [track_namespace(pid) for pid in pids]
        assert all(map(namespace_exists, nsids))
    assert not any(map(is_running, pids))
    until(lambda: not any(map(namespace_exists, nsids)), "the namespaces are gone")
    assert os.listdir("/proc/self/fd") == descriptors
    lab.stop()  # once more does no harm


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_after_a_kill(number: signal.Signals) -> None:
    command = [sys.executable, "-c", OWNER, str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        nsids = [track_namespace(pid) for pid in pids]
        assert all(map(is_running, pids))
        owner.send_signal(number)
    until(lambda: not any(map(is_running, pids)), "the processes are gone")
    until(lambda: not any(map(namespace_exists, nsids)), "the namespaces are gone")


def test_nothing_is_left_after_a_kill_during_start() -> None:
    rng = random.Random(7)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", OWNER, str(ROOT)], stdout=subprocess.DEVNULL) as owner:
            time.sleep(rng.uniform(0.03, 0.15))
            pids = children_of(owner.pid)
            owner.kill()
        until(lambda: not any(map(is_running, pids)), "the processes are gone")  # noqa: B023


def test_lab_outlives_the_thread_that_made_it() -> None:
    with Lab(quiet=True) as lab:
        lab.stop()
        thread = threading.Thread(target=lab.start)
        thread.start()
        thread.join()
        time.sleep(0.1)
        lab.check()


def test_dead_side_process_is_reported() -> None:
    with Lab() as lab:
        lab.start_traffic()
        os.kill(lab.pid(GENERATOR), signal.SIGKILL)
        with pytest.raises(BpftopError, match=r"generator process ended \(exit code -9\)"):
            lab.start_traffic()
        with pytest.raises(BpftopError, match="generator process ended"):
            lab.check()


def test_missing_ip_command_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    before = children_of(os.getpid())
    with pytest.raises(BpftopError, match="install the package iproute2"):
        Lab().start()
    assert children_of(os.getpid()) == before


@pytest.mark.parametrize("capability", ["sys_admin", "net_admin", "net_raw"])
def test_missing_privilege_is_one_sentence(capability: str) -> None:
    command = ["setpriv", f"--bounding-set=-{capability}", sys.executable, "-c", STARTER, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"CAP_{capability.upper()}" in done.stdout
    assert done.stderr == ""


def test_without_root_the_remedy_is_sudo() -> None:
    person = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reads_files = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # the checkout may be root's
    command = [*person, *reads_files, sys.executable, "-c", STARTER, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert done.stdout.endswith("use sudo: `sudo bpftop demo`\n")
