"""One host's link, fed by commands that write made-up lines: limits for input that nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.fleet import host_link
from bpftop.fleet.fleet import Fleet
from bpftop.fleet.host_link import KeptLines
from bpftop.fleet.host_state import HostState
from bpftop.fleet.ssh_command import ssh_command
from bpftop.rules.table import RULES
from bpftop.store.encoding.sample_lines import sample_line
from tests.store.made_up_machine import Machine
from tests.waiting import until

LINES = [sample_line(sample) for sample in Machine(cpus=2, protocols=2).samples(12)]


@contextmanager
def fleet_of(tmp_path: Path, script: str, text: str = "", interval_s: float = 0.0) -> Iterator[Fleet]:
    """Watch one host whose command is a shell script that finds the text in its first argument."""
    lines = tmp_path / "lines"
    lines.write_text(text)
    fleet = Fleet({"web-17": ["sh", "-c", script, "sh", str(lines)]}, RULES, interval_s)
    fleet.start()
    try:
        yield fleet
    finally:
        fleet.stop()


def state_with(fleet: Fleet, contact: str) -> HostState:
    until(lambda: fleet.states()[0].contact == contact, lambda: fleet.states())
    return fleet.states()[0]


def test_samples_among_other_lines(tmp_path: Path) -> None:
    text = f"Welcome to web-17!\n\n{LINES[0]}garbage\n"
    script = f"cat $1; sleep 0.1; cat <<'.'\n{LINES[1]}.\nsleep 60"
    with fleet_of(tmp_path, script, text) as fleet:
        until(lambda: (s := fleet.states()[0].snapshot) and s.interval_ns, lambda: fleet.states())
        state = fleet.states()[0]
    assert (state.contact, state.skipped) == ("watching", 2)
    assert state.snapshot is not None
    assert state.snapshot.interfaces[0].rx.totals.packets_per_sec


def test_a_flood_of_samples_costs_one_analysis_per_quarter(tmp_path: Path) -> None:
    with fleet_of(tmp_path, "cat $1; sleep 60", "".join(LINES), interval_s=3600) as fleet:
        until(lambda: fleet.states()[0].skipped == len(LINES) - 1, lambda: fleet.states())
        state = fleet.states()[0]
    assert state.snapshot is not None
    assert state.snapshot.interval_ns is None  # the first sample alone was analyzed


def test_a_line_that_never_ends_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_link, "LINE_MAX_BYTES", 100_000)
    script = f"head -c 1000000 /dev/zero; echo; cat <<'.'\n{LINES[0]}.\nsleep 60"
    with fleet_of(tmp_path, script) as fleet:
        assert state_with(fleet, "watching").skipped == 1


def test_a_host_that_sends_no_samples_is_given_up(tmp_path: Path) -> None:
    with fleet_of(tmp_path, "yes") as fleet:
        state = state_with(fleet, "failed")
    assert state.why.startswith("1000 lines were no samples; the last was none because it is no JSON")
    assert state.retry_s is not None


def test_a_host_that_falls_silent_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_link, "SILENT_LEAST_S", 0.2)
    with fleet_of(tmp_path, "cat $1; sleep 60", LINES[0]) as fleet:
        silent, failed = state_with(fleet, "silent"), state_with(fleet, "failed")
    assert silent.why == "no samples come any more"
    assert failed.why.startswith("no sample came for ")
    assert failed.snapshot is not None


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    fleet = Fleet({"web-17": [str(tmp_path / "none")]}, RULES, 1.0)
    fleet.start()
    try:
        assert state_with(fleet, "failed").why == "the command `ssh` is missing; install the package openssh-client"
    finally:
        fleet.stop()


def test_a_host_that_ends_in_silence_has_its_exit_code(tmp_path: Path) -> None:
    with fleet_of(tmp_path, "exit 7") as fleet:
        assert state_with(fleet, "failed").why.startswith(
            "ssh ended with exit code 7 and said nothing; try `ssh web-17"
        )


def test_a_restarted_host_begins_anew(tmp_path: Path) -> None:
    """Samples whose numbers begin again are another session: no rate reaches across."""
    script = f"cat $1; sleep 0.1; cat <<'.'\n{LINES[0]}.\nsleep 60"
    with fleet_of(tmp_path, script, LINES[5]) as fleet:
        until(lambda: (s := fleet.states()[0].snapshot) and s.seq == 0, lambda: fleet.states())
        snapshot = fleet.states()[0].snapshot
    assert snapshot is not None
    assert snapshot.interval_ns is None


def test_a_stream_begins_with_the_kept_samples(tmp_path: Path) -> None:
    script = "while read -r line; do printf '%s\\n' \"$line\"; sleep 0.05; done <$1; sleep 60"
    with fleet_of(tmp_path, script, "".join(LINES)) as fleet:
        until(lambda: (s := fleet.states()[0].snapshot) and s.seq >= 3, lambda: fleet.states())
        stream = fleet.stream("web-17")
        samples = stream.samples()
        seqs = [next(samples).seq for _ in LINES]
        with pytest.raises(BpftopError, match="can be done there alone"):
            stream.accept_offer("eth0")
        stream.close()
        assert list(samples) == []
    assert seqs == list(range(len(LINES)))


def test_kept_lines_are_bounded_in_number_and_size() -> None:
    kept = KeptLines(3, 1 << 20)
    for line in (b"a", b"b", b"c", b"d"):
        kept.push(line)
    assert kept.lines() == [b"b", b"c", b"d"]
    small = KeptLines(100, 64)
    for number in range(20):
        small.push(bytes(range(number, number + 40)))
    assert small.lines() == [bytes(range(19, 59))]


def test_the_command_is_a_list_and_never_asks() -> None:
    command = ssh_command("ops@web-17; reboot", ["-p", "22"], 1.0)
    assert command[:3] == ["ssh", "-p", "22"]
    assert "BatchMode=yes" in command
    assert command[command.index("--") + 1] == "ops@web-17; reboot"  # one word, which no shell here reads


def test_a_command_that_ignores_its_end_is_killed(tmp_path: Path) -> None:
    with fleet_of(tmp_path, "trap '' TERM; echo $$ >$1; while :; do sleep 0.1; done") as fleet:
        pid = until(lambda: (tmp_path / "lines").read_text().strip(), "the start")
        assert fleet.states()[0].contact == "connecting"
    assert not Path(f"/proc/{pid}").exists()
