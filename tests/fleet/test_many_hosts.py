"""``bpftop fleet`` on real namespaces behind a command of our own in place of ssh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from contrib.json_schemas import EXPORT
from tests.cli.running import bpftop, started
from tests.fleet.hosts import Hosts
from tests.waiting import until

REFUSED = "ssh: connect to host db-1 port 22: Connection refused"
SCHEMA = json.loads((EXPORT / "fleet/fleet.schema.json").read_text())


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.run_in(WATCHED, ["ip", "route", "add", "default", "via", GENERATOR.ipv4[0]])
        lab.start_traffic()
        yield lab


def documents(process: subprocess.Popen[str]) -> Iterator[dict[str, dict[str, Any]]]:
    """Yield the hosts of each document by their names."""
    assert process.stdout is not None
    for line in process.stdout:
        document = json.loads(line)
        jsonschema.validate(document, SCHEMA)
        yield {host["host"]: host for host in document["hosts"]}


@pytest.mark.bpf
def test_a_host_has_rates_and_a_failed_host_its_reason(hosts: Hosts, lab: Lab) -> None:
    hosts.add_namespace("web-17", lab.pid())
    hosts.add("db-1", f"#!/bin/sh\necho '{REFUSED}' >&2; exit 255\n")
    words = ("fleet", "web-17", "db-1", "--ssh", "-o 'User=a b' -p 2222", "-i", "0.5", "--format", "json")
    with started(*words, "--count", "2", env=hosts.env) as process:
        *_, last = documents(process)
        assert process.wait() == 0
    web, db = last["web-17"], last["db-1"]
    assert (web["contact"], web["why"], [each["name"] for each in web["interfaces"]]) == ("watching", None, ["demo0"])
    assert web["interfaces"][0]["rx"]["packets_per_sec"] > 0
    assert web["interfaces"][0]["tx"]["bits_per_sec"] > 0
    assert (db["why"], db["interfaces"]) == (REFUSED, [])
    assert hosts.arguments()[:4] == ["-o", "User=a b", "-p", "2222"]
    assert hosts.arguments()[-7:] == ["-n", "bpftop", "watch", "--format", "samples", "-i", "0.5"]


@pytest.mark.bpf
def test_a_failed_host_is_tried_again_until_it_is_there(hosts: Hosts, lab: Lab) -> None:
    hosts.add("web-17", f"#!/bin/sh\necho try >>{hosts.folder}/tries; echo '{REFUSED}' >&2; exit 255\n")
    with started("fleet", "web-17", "-i", "0.2", "--format", "json", env=hosts.env) as process:
        states = (document["web-17"] for document in documents(process))
        waits = [next(state for state in states if state["contact"] == "failed")["retry_in_s"]]
        until(lambda: len((hosts.folder / "tries").read_text().split()) >= 3, "three attempts")
        waits.append(max(state["retry_in_s"] or 0.0 for state, _ in zip(states, range(15), strict=False)))
        hosts.add_namespace("web-17", lab.pid())
        state = next(state for state in states if state["contact"] == "watching")
        process.terminate()
    assert waits[0] <= 1.0 < waits[1]  # the wait has doubled, twice
    assert state["why"] is None


@pytest.mark.bpf
def test_no_process_outlives_the_fleet(hosts: Hosts, lab: Lab) -> None:
    hosts.add_namespace("web-17", lab.pid())
    with started("fleet", "web-17", "-i", "0.2", "--format", "json", env=hosts.env) as process:
        next(documents(process))
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        children += [int(p) for t in os.listdir(f"/proc/{process.pid}/task")
                     for p in Path(f"/proc/{process.pid}/task/{t}/children").read_text().split()]  # fmt: skip
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.bpf
def test_a_kill_ends_the_commands_of_the_hosts_too(hosts: Hosts, lab: Lab) -> None:
    hosts.add_namespace("web-17", lab.pid())
    with started("fleet", "web-17", "-i", "0.2", "--format", "json", env=hosts.env) as process:
        next(documents(process))
        tasks = os.listdir(f"/proc/{process.pid}/task")
        children = [Path(f"/proc/{process.pid}/task/{task}/children").read_text().split() for task in tasks]
        process.kill()
    (child,) = {int(pid) for pids in children for pid in pids}
    until(lambda: not Path(f"/proc/{child}").exists(), "the end of the command: its pipe is closed")


def test_without_any_host_the_exit_code_is_1(hosts: Hosts) -> None:
    hosts.add("db-1", f"#!/bin/sh\necho '{REFUSED}' >&2; exit 255\n")
    done = bpftop("fleet", "db-1", "--count", "1", env=hosts.env)
    assert done.returncode == 1
    assert f"failed: {REFUSED}; next attempt in " in done.stdout.splitlines()[2]
    assert done.stderr == "bpftop: no host could be watched; the reason of each host is in its row\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--", "-oProxyCommand=reboot"), "'-oProxyCommand=reboot' is no name of a host"),
        (("web-17", "--ssh", "-o 'open"), '"-o \'open" cannot be split into options of ssh: No closing quotation'),
    ],
)
def test_words_that_ssh_must_not_see(words: tuple[str, ...], message: str) -> None:
    done = bpftop("fleet", *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"bpftop: {message}\n")


def test_what_a_host_says_cannot_drive_the_terminal(hosts: Hosts) -> None:
    hosts.add("db-1", "#!/bin/sh\nprintf '\\033[2J\\377 gone\\n' >&2; exit 1\n")
    table = bpftop("fleet", "db-1", "--count", "1", env=hosts.env).stdout
    assert r"failed: \x1b[2J\udcff gone; next attempt" in table
    document = json.loads(bpftop("fleet", "db-1", "--count", "1", "--format", "json", env=hosts.env).stdout)
    assert document["hosts"][0]["why"] == "\x1b[2J\\udcff gone"
