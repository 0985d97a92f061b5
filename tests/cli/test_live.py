"""Real packets, real documents: packets that are sent over a cable of our own are in the commands' documents."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.bpf.sender import send_exactly
from tests.cli.running import COMMAND, Terminal, await_rest, bpftop, environment
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

SCHEMA = json.loads(files("bpftop.export.snapshot").joinpath("snapshot.schema.json").read_text())
PACKETS = 1_000

ETHERNET = bytes.fromhex(WATCHED.mac.replace(":", "") + GENERATOR.mac.replace(":", "") + "0800")
# 198.18.9.1:53 to 198.18.9.2:40000, 40 bytes of UDP: a frame of 74 bytes, from a port that reflection attacks use
DATAGRAM = (
    ETHERNET + bytes.fromhex("4500003c000000004011000ac6120901c61209020035 9c400028 0000".replace(" ", "")) + bytes(32)
)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(quiet=True) as lab:
        yield lab


def start(lab: Lab, *words: str) -> subprocess.Popen[str]:
    """Start the command in the watched namespace."""
    command = [*COMMAND, *words]
    pipe = subprocess.PIPE
    return lab.call_in(
        WATCHED, lambda: subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment())
    )


def run_with_packets(lab: Lab, *words: str) -> str:
    """Run the command in the watched namespace; once it counts, send the packets. Its standard output."""
    process = start(lab, *words)
    await_program(lab)
    await_rest(process.pid)  # bpftop waits for the second sample
    lab.call_in(GENERATOR, lambda: send_exactly(GENERATOR.interface, [DATAGRAM], PACKETS))
    written, message = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, message
    return written


def await_program(lab: Lab) -> None:
    until(lambda: "prog/xdp" in lab.run_in(WATCHED, ["ip", "link", "show", lab.interface]).stdout, "XDP is attached")


def test_a_snapshot_counts_what_was_sent(lab: Lab) -> None:
    whole = json.loads(run_with_packets(lab, "snapshot", lab.interface, "-i", "4"))
    Draft202012Validator(SCHEMA).validate(whole)
    assert whole["interval_s"] > 3.9
    interface: dict[str, Any] = whole["interfaces"][0]
    assert (interface["name"], interface["driver"], interface["state"]) == (lab.interface, "veth", "up")
    assert (interface["hooks"]["rx"]["hook"], interface["hooks"]["rx"]["mode"]) == ("xdp", "native")
    counted = {"packets": PACKETS, "bytes": PACKETS * len(DATAGRAM)}
    assert counted.items() <= interface["totals"]["rx"].items()
    udp = next(row for row in interface["protocols"] if (row["direction"], row["name"]) == ("rx", "UDP"))
    assert counted.items() <= udp.items()
    assert counted.items() <= interface["udp_ports"]["rx"]["53"].items()
    assert counted.items() <= interface["l3"]["rx"]["ipv4"].items()
    bins = {row["size"]: row["packets"] for row in interface["sizes"] if row["direction"] == "rx"}
    assert bins["65-127"] == sum(bins.values()) == PACKETS
    assert sum(row["packets"] for row in interface["cpus"] if row["direction"] == "rx") == PACKETS
    assert whole["host"]["kernel"] == os.uname().release
    assert whole["host"]["sysctls"]["net.core.somaxconn"] > 0
    assert interface["device"]["channels"]["rx"] >= 1
    assert interface["device"]["features"]
    assert {row["id"]: row["since_start"] for row in whole["losses"]}["backlog"] is not None
    assert whole["own"]["resident_bytes"] > 1 << 20
    rate = interface["totals"]["rx"]["packets_per_sec"]
    assert rate * whole["interval_s"] == pytest.approx(PACKETS, rel=0.02)


def test_all_formats_have_the_same_figures(lab: Lab) -> None:
    rows = csv.DictReader(io.StringIO(run_with_packets(lab, "snapshot", lab.interface, "-i", "4", "--format", "csv")))
    udp = [row for row in rows if (row["direction"], row["family"], row["label"]) == ("rx", "protocols", "UDP")]
    assert [(row["packets"], row["bytes"]) for row in udp] == [(str(PACKETS), str(PACKETS * len(DATAGRAM)))]
    page = run_with_packets(lab, "snapshot", lab.interface, "-i", "4", "--format", "table")
    assert f"{lab.interface}  rx xdp native, tx tcx" in page
    begin = page.splitlines().index(next(line for line in page.splitlines() if line.startswith("Protocol")))
    assert [line.split()[0] for line in page.splitlines()[begin + 1 : begin + 3]] == ["all", "UDP"]


def test_watch_writes_ticks_that_add_up(lab: Lab) -> None:
    totals: list[int] = []
    with start(lab, "watch", lab.interface, "-i", "0.2", "--format", "samples") as process:
        assert process.stdout is not None
        for line in process.stdout:
            totals.append(sum(json.loads(line)["readings"][f"protocols/{lab.interface}/rx"]["values"]))
            if len(totals) == 2:
                lab.call_in(GENERATOR, lambda: send_exactly(GENERATOR.interface, [DATAGRAM], PACKETS))
            if len(totals) > 10 and totals[-1] >= PACKETS + PACKETS * len(DATAGRAM):
                break
        process.terminate()
    assert totals[:2] == [0, 0]
    assert totals == sorted(totals)
    assert totals[-1] == PACKETS + PACKETS * len(DATAGRAM)


def test_a_namespace_by_the_process_in_it(lab: Lab) -> None:
    for words in (["snapshot", lab.interface], ["watch", lab.interface, "--count", "1"]):
        done = bpftop(*words, "--netns", str(lab.pid(WATCHED)), "-i", "0.1", "--format", "json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["interfaces"][0]["hooks"]["rx"]["hook"] == "xdp"
    refused = bpftop("snapshot", lab.interface, "--netns", "no-such")
    assert refused.returncode == 2
    assert "argument --netns: there is no network namespace and no process 'no-such'" in refused.stderr


def test_without_a_name_the_default_route_is_watched() -> None:
    with Lab(quiet=True) as own:
        words = ("watch", "--count", "1", "--netns", str(own.pid(WATCHED)), "-i", "0.1", "--format", "json")
        refused = bpftop(*words)
        own.run_in(WATCHED, ["ip", "route", "add", "default", "via", GENERATOR.ipv4[0]])
        done = bpftop(*words)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no interface was named, and without a default route there is no default" in refused.stderr
    assert [each["name"] for each in json.loads(done.stdout)["interfaces"]] == [own.interface], done.stderr


def test_nothing_stays_attached(lab: Lab) -> None:
    with start(lab, "watch", lab.interface, "-i", "0.1", "--count", "5") as process:
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert "prog/xdp" not in lab.run_in(WATCHED, ["ip", "link", "show", lab.interface]).stdout


@pytest.mark.bpf
def test_demo_without_root_names_sudo() -> None:
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    readable = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")  # the checkout may be root's alone
    with Terminal("demo", command=(*as_nobody, *readable, *COMMAND)) as terminal:
        assert terminal.await_end() == 1
    assert "use sudo: `sudo bpftop demo`" in terminal.written.decode()
