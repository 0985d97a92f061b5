"""`bpftop diagnose` from outside: the document, the exit codes with real faults, and every way to end it early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from bpftop.history.analyzer import Analyzer
from bpftop.rules.table import RULES, chosen
from tests.cli.running import Terminal, await_rest, bpftop, environment, finished, side_by_side, started
from tests.cli.running_fault import faulty, in_namespace
from tests.faults.scenarios.tcp import AcceptQueueOverflow
from tests.faults.scenarios.udp import UdpSocketOverflow
from tests.tui.fake_source import FakeSource
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.bpf

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.diagnosis").joinpath("diagnosis.schema.json").read_text())
LO = ("lo", "--attach", "none", "--duration", "4")


def diagnose(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return bpftop("diagnose", *words, **more)


def expected_code(document: dict[str, Any]) -> int:
    """Return the exit code that belongs to a diagnosis of this machine."""
    blind = any(rule["kind"] == "blind" for rule in document["unknown"])
    return {"warning": 3, "critical": 4}.get(document["verdict"]["severity"], 5 if blind else 0)


def test_the_document_fits_its_schema() -> None:
    done = diagnose(*LO, "--format", "json")
    document = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    assert document["interfaces"][0]["name"] == "lo"
    assert document["duration_s"] >= 3.5
    assert {"link-saturated", "packet-storm"} <= {rule["id"] for rule in document["unknown"]}
    named = {*document["ruled_out"], *(rule["id"] for rule in document["unknown"])}
    assert named | {finding["id"] for finding in document["findings"]} == {rule.id for rule in RULES}
    assert done.returncode == expected_code(document)
    assert expected_code(document) in (3, 4, 5)  # no program counts without an attachment: checks are blind


def test_an_idle_namespace_has_no_findings() -> None:
    with Lab(quiet=True) as lab, in_namespace(lab) as pid:
        done = diagnose(WATCHED.interface, "--netns", str(pid), "--duration", "4", "--format", "json")
    document = json.loads(done.stdout)
    own = [f for f in document["findings"] if f["scope"] != "host" and f["severity"] != "info"]
    assert own == []
    assert done.returncode == expected_code(document)


def test_a_warning_is_exit_code_3_and_names_the_socket() -> None:
    with faulty(UdpSocketOverflow) as (pid, interface):
        done = diagnose(interface, "--netns", pid, "--duration", "5", "--format", "json")
    document = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    (finding,) = [f for f in document["findings"] if f["id"] == "udp-socket-overflow"]
    assert f"{WATCHED.ipv4[0]}:9200 of " in finding["title"]
    assert f"[{os.getpid()}]" in finding["title"]  # the test holds the socket
    assert done.returncode == 3, done.stdout


@pytest.mark.needs("tshark")
def test_the_first_packets_of_a_finding_are_captured(tmp_path: Path) -> None:
    path = tmp_path / "finding.pcapng"
    with faulty(UdpSocketOverflow) as (pid, interface):
        done = diagnose(interface, "--netns", pid, "--duration", "8", "--capture", str(path))
    assert f"bpftop: 100 packets in {path}; " in done.stderr
    listing = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", "-e", "frame.comment", "-e", "udp.dstport"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in listing.stdout.splitlines()]
    assert len(rows) == 100
    assert {port for _, port in rows} == {"9200"}
    assert all(comment.startswith("dropped: SOCKET_RCVBUFF in ") for comment, _ in rows)


def test_a_flood_names_port_sources_and_process(tmp_path: Path) -> None:
    """Flows are counted for the finding, unless the configuration says never."""
    with ExitStack() as stack:
        commands = []
        for mode in ("auto", "never"):
            config = tmp_path / f"{mode}.yaml"
            config.write_text(f"flows_on_finding: {mode}\n")
            pid, interface = stack.enter_context(faulty(UdpSocketOverflow))
            options = ("--netns", pid, "--duration", "12", "--config", str(config), "--format", "json")
            commands.append(("diagnose", interface, *options))
        documents = [json.loads(done.stdout) for done in side_by_side(*commands)]
    auto, never = (
        " ".join(finding["evidence"])
        for document in documents
        for finding in document["findings"]
        if finding["id"] == "udp-socket-overflow"
    )
    assert "of what arrives goes to UDP 9200 (" in auto
    assert f"[{os.getpid()}]" in auto  # the test holds the socket
    assert "Largest sources of all that arrives: " in auto
    assert "Largest sources of all that arrives: " not in never


def test_watch_names_them_too() -> None:
    with (
        faulty(UdpSocketOverflow) as (pid, interface),
        started("watch", interface, "--netns", pid, "--format", "json") as process,
    ):
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        findings = (finding for document in lines for finding in document["findings"])
        said = (" ".join(each["evidence"]) for each in findings if each["id"] == "udp-socket-overflow")
        named = next(words for words in said if "of what arrives goes to UDP 9200 (" in words)
    assert f"[{os.getpid()}]" in named
    assert "Largest sources of all that arrives: " in named


def test_without_a_finding_nothing_is_captured(tmp_path: Path) -> None:
    path = tmp_path / "nothing.pcapng"
    with Lab(quiet=True) as lab, in_namespace(lab) as pid:
        done = diagnose("lo", "--netns", str(pid), "--attach", "none", "--duration", "4", "--capture", str(path))
    assert f"nothing was found, so {path} has no packets" in done.stderr
    assert path.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"


def test_something_critical_is_exit_code_4() -> None:
    with faulty(AcceptQueueOverflow) as (pid, interface):
        done = diagnose(interface, "--netns", pid, "--duration", "5", "--report")
    assert done.returncode == 4, done.stdout
    assert done.stdout.startswith(f"**Critical on {interface}: Accept queue overflows: ")
    for part in ("does not accept as fast", "ListenOverflows", "```sh", "**Ruled out:** ", "**Not checked:**"):
        assert part in done.stdout
    assert f"- {interface}  RX " in done.stdout.replace("\\", "")
    assert "pps (listen)" in done.stdout.partition("\n- lost ")[2].partition("\n")[0]


def test_fail_on_limits_what_the_exit_code_tells() -> None:
    with faulty(UdpSocketOverflow) as (pid, interface):
        watched = (interface, "--netns", pid)
        critical, done, blind = side_by_side(
            ("diagnose", *watched, "--duration", "5", "--fail-on", "critical"),
            ("watch", *watched, "--until-finding", "udp-socket-overflow", "--duration", "60"),
            ("diagnose", *LO, "--fail-on", "warning"),
        )
    assert critical.returncode == 0
    assert blind.returncode in (0, 3, 4)  # never 5, although checks are blind
    assert done.returncode == 3
    last = done.stdout.splitlines()[-1]
    assert "▲ UDP socket" in last
    assert int(done.stdout.count("\n")) < 50  # it did not wait for --duration


def test_marks_are_ascii_on_request_or_by_the_locale() -> None:
    with faulty(UdpSocketOverflow) as (pid, interface):
        words = ("diagnose", interface, "--netns", pid, "--duration", "5", "--ascii")
        until = ("--until-finding", "udp-socket-overflow", "--duration", "60")
        with started("watch", *words[1:4], *until, env=environment(LC_ALL="C")) as process:
            requested, document = side_by_side(words, (*words, "--format", "json"))
            watched = finished(process)
    assert "^ WARNING  UDP socket" in requested.stdout
    assert "^ UDP socket" in watched.stdout.splitlines()[-1]
    assert requested.stdout.isascii()
    assert watched.stdout.isascii()
    assert [f["id"] for f in json.loads(document.stdout)["findings"]] == ["udp-socket-overflow"]


def test_until_finding_names_only_existing_checks() -> None:
    done = bpftop("watch", "lo", "--until-finding", "udp-floot")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no active check 'udp-floot' (did you mean udp-flood?)" in done.stderr
    done = bpftop("watch", "lo", "--attach", "none", "-i", "0.1", "--count", "1", "--until-finding")
    assert done.returncode == 5  # no finding in the one tick, and checks are blind without programs


def test_a_terminal_sees_the_progress() -> None:
    with Terminal("diagnose", *LO) as terminal:
        terminal.await_text("checks decide")
        terminal.await_end()
    progress = terminal.written.decode().partition("\r\x1b[K")[2]
    assert progress.startswith("watching, ")
    assert " of 4 s, " in progress


def test_ten_seconds_are_enough_for_all_but_the_slow_checks() -> None:
    analyzer = Analyzer(chosen())
    for sample in FakeSource(count=11).samples():
        analyzer.push(sample)
    assert analyzer.snapshot is not None
    slow = set(analyzer.snapshot.diagnosis.waiting)
    assert slow == {"packet-storm", "rx-dropped-harmless"}
    for check in slow:
        assert check in "".join(bpftop("diagnose", "--help").stdout.split())


def test_a_past_fault_is_reported() -> None:
    with Lab(quiet=True) as lab, UdpSocketOverflow(lab) as fault, in_namespace(lab) as pid:
        words = (WATCHED.interface, "--netns", str(pid), "--duration", "15", "--format", "json")
        with started("diagnose", *words) as process:
            await_rest(process.pid)
            fault.begin()
            time.sleep(4.5)
            fault.end()
            said, _ = process.communicate(timeout=LIMIT_S)
    document = json.loads(said)
    (finding,) = [f for f in document["findings"] if f["id"] == "udp-socket-overflow"]
    assert (finding["active"], finding["ended_s_ago"] > 0) == (False, True)
    assert "(it has ended)" in document["verdict"]["sentence"]
    assert process.returncode == 3


def test_the_list_needs_no_interface_and_no_privilege() -> None:
    done = diagnose("--list")
    assert done.returncode == 0
    for rule in RULES:
        assert f"{rule.id}  (" in done.stdout


def test_list_shows_active_rules_with_configured_limits(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("silence: [firewall-drops]\nthresholds: {conntrack-full: {warning: 0.6}}\n")
    done = diagnose("--list", "--config", str(tmp_path / "c.yaml"))
    assert "firewall-drops  (" not in done.stdout
    assert "warning: 0.6 share, clears at 0.56" in done.stdout


def test_output_goes_to_a_file_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "verdict.md"
    target.write_text("old")
    done = diagnose(*LO, "--report", "-o", str(target))
    assert done.stdout == ""
    assert target.read_text().startswith("**")
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.md"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("lo", "--duration", "3"), 2, "from 4 to 86400"),
        (("lo", "--duration", "long"), 2, "from 4 to 86400"),
        (("lo", "--duration", "6", "-i", "5"), 2, "is too short for an interval of 5 s"),
        (("lo", "--format", "csv"), 2, "invalid choice"),
        (("no-such-interface", "--duration", "4"), 1, "no-such-interface"),
        (("lo", "--duration", "4", "--netns", "no-such-namespace"), 2, "no-such-namespace"),
        (("lo", "--duration", "4", "-o", "/nonexistent/verdict"), 1, "/nonexistent"),
    ],
)
def test_bad_usage_is_one_sentence(words: tuple[str, ...], code: int, said: str) -> None:
    done = diagnose(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_still_writes_the_verdict(number: signal.Signals) -> None:
    with started("diagnose", "lo", "--attach", "none", "--duration", "60", "--format", "json") as process:
        await_rest(process.pid)
        time.sleep(4.5)
        process.send_signal(number)
        said, complaints = process.communicate(timeout=LIMIT_S)
    document = json.loads(said)
    Draft202012Validator(SCHEMA).validate(document)
    assert 3 <= document["duration_s"] < 60
    assert process.returncode == 128 + number
    assert "Traceback" not in complaints


def test_a_signal_before_the_second_sample() -> None:
    with started("diagnose", "lo", "--attach", "none", "--duration", "600", "-i", "300") as process:
        await_rest(process.pid)
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=LIMIT_S)
    assert said == ""
    assert process.returncode == 130
    assert "Traceback" not in complaints


def test_a_closed_pipe_ends_it_quietly() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = diagnose(*LO, "--format", "json", stdout=write_end)
    finally:
        os.close(write_end)
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr
