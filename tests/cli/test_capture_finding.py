"""`bpftop capture --finding` against real faults; the files are read by tshark."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bpftop.demo.faults.tcp import PORT
from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.cli.running import bpftop, started
from tests.cli.running_fault import faulty, in_namespace
from tests.faults.scenarios.tcp import SynFlood
from tests.faults.scenarios.udp import UdpSocketOverflow
from tests.waiting import until

pytestmark = [pytest.mark.bpf, pytest.mark.needs("tshark")]

OVERFLOW = "udp-socket-overflow"


def fields(path: Path, *names: str) -> list[list[str]]:
    """Return the fields of every packet in the file, as tshark names them."""
    options = [option for name in names for option in ("-e", name)]
    command = ["tshark", "-r", str(path), "-T", "fields", *options]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in outcome.stdout.splitlines()]


def said_until(process: subprocess.Popen[str], holds: Callable[[str], bool]) -> str:
    """Read standard error until a line holds, and return that line."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if holds(line):
            return line
    raise AssertionError("".join(said))


def test_it_waits_for_the_finding_and_takes_what_it_counts(tmp_path: Path) -> None:
    path = tmp_path / "overflow.pcapng"
    with Lab(quiet=True) as lab, UdpSocketOverflow(lab) as fault, in_namespace(lab) as pid:
        words = ("--netns", str(pid), "--finding", OVERFLOW, "--count", "20", "-o", str(path))
        with started("capture", WATCHED.interface, *words) as process:
            waiting = said_until(process, lambda line: "waiting" in line)
            assert waiting.startswith(f"bpftop: waiting for {OVERFLOW}: datagrams dropped at full sockets; Ctrl-C ends")
            fault.begin()
            found = said_until(process, lambda line: "capturing" in line)
            assert found.endswith(f": capturing packets dropped for SOCKET_RCVBUFF, UDP on {WATCHED.interface}\n")
            assert ":9200 of " in found
            _, rest = process.communicate()
        fault.end()
    assert process.returncode == 0
    assert f"bpftop: 20 packets in {path}; " in rest
    rows = fields(path, "frame.comment", "udp.dstport")
    assert len(rows) == 20
    assert {port for _, port in rows} == {"9200"}
    assert all(comment.startswith("dropped: SOCKET_RCVBUFF in ") for comment, _ in rows)


def test_a_flood_is_taken_by_the_port_that_its_flows_name(tmp_path: Path) -> None:
    path = tmp_path / "flood.pcapng"
    with faulty(SynFlood) as (pid, interface):
        words = ("--netns", pid, "--finding", "syn-flood", "--count", "50", "-o", str(path))
        done = bpftop("capture", interface, *words)
    assert done.returncode == 0, done.stderr
    port = str(PORT)
    assert f": capturing packets, TCP, port {port} on {interface}\n" in done.stderr
    rows = fields(path, "tcp.srcport", "tcp.dstport")
    assert len(rows) == 50
    assert all(port in row for row in rows)


def test_ctrl_c_ends_the_wait(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcapng"
    with Lab(quiet=True) as lab, in_namespace(lab) as pid:
        words = (WATCHED.interface, "--netns", str(pid), "--finding", OVERFLOW, "-o", str(path))
        with started("capture", *words) as process:
            said_until(process, lambda line: "waiting" in line)
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate()
    assert process.returncode == 0
    assert rest == f"bpftop: {OVERFLOW} was not found, so {path} has no packets\n"
    assert fields(path, "frame.number") == []
    until(lambda: path.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a", "the file is a capture")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("syn-flod",), "there is no check 'syn-flod' (did you mean syn-flood?); `bpftop diagnose --list` lists them"),
        (("nonsense",), "there is no check 'nonsense'; `bpftop diagnose --list` lists them"),
        (("no-carrier",), "the finding no-carrier is about no packets; `bpftop diagnose` shows it"),
        (("syn-flood", "--drops", "--flow", ":53"), "--finding chooses the packets; leave out --drops and --flow"),
    ],
)
def test_bad_words_are_sentences(words: tuple[str, ...], sentence: str) -> None:
    done = bpftop("capture", "lo", "-o", "/dev/null", "--finding", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
