"""The screen of `bpftop fleet` on a pseudo-terminal: rows, a host's live screen, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.cli.running import Terminal, bpftop
from tests.fleet.hosts import Hosts

pytestmark = pytest.mark.bpf


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with Lab() as lab:
        lab.run_in(WATCHED, ["ip", "route", "add", "default", "via", GENERATOR.ipv4[0]])
        lab.start_traffic()
        hosts = Hosts(tmp_path)
        hosts.add_namespace("web-17", lab.pid())
        hosts.add("db-1", "#!/bin/sh\necho 'ssh: connect to host db-1: Connection refused' >&2; exit 255\n")
        yield hosts


def test_a_host_opens_its_live_screen_and_closes_it_again(hosts: Hosts) -> None:
    with Terminal("fleet", "db-1", "web-17", env=hosts.env) as terminal:
        terminal.await_text("Connection refused")
        terminal.await_text("Mb/s")  # the rates of web-17
        terminal.type("j\r")
        terminal.await_text("Protocol")  # the Overview
        terminal.written = b""
        terminal.type("q")
        terminal.await_text("hosts watched")
        terminal.type("q")
        assert terminal.await_end() == 0
        assert terminal.as_it_was()


def test_without_a_terminal_the_error_names_the_table(hosts: Hosts) -> None:
    done = bpftop("fleet", "db-1", env=hosts.env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "use `bpftop fleet HOST... --format table`" in done.stderr
