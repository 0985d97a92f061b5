"""``bpftop fleet``: many hosts over ssh, a row per host and interface, as a table or a document per interval."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bpftop.cli.options import add_config, add_count, add_interval, add_output, add_screen, settings_of
from bpftop.cli.shutdown import Ended, interruptible
from bpftop.config.settings import Settings
from bpftop.errors import BpftopError
from bpftop.export.formats import FLEET
from bpftop.fleet.ssh_command import host_name, ssh_options

if TYPE_CHECKING:
    from bpftop.fleet.fleet import Fleet

_LOOK_S = 0.1
"""Interval at which the first table looks whether every host is decided."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "hosts", metavar="HOST", nargs="+", type=host_name, help="hosts as ssh takes them: NAME, USER@NAME, an alias"
    )
    parser.add_argument(
        "--ssh",
        metavar="OPTIONS",
        type=ssh_options,
        default=(),
        help="options for ssh, in one word: --ssh '-p 2222 -J bastion'",
    )
    parser.add_argument(
        "--format", choices=tuple(FLEET), metavar="FORMAT",
        help=f"write a table or document per interval instead of the screen: {', '.join(FLEET)}",
    )  # fmt: skip
    add_count(parser)
    add_output(parser, "at the end")
    add_interval(parser)
    add_config(parser)
    add_screen(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import document_output, when_closed

    if arguments.format is None and arguments.output is None and arguments.count is None:
        return _screen(arguments)
    arguments.format = arguments.format or "table"
    settings = settings_of(arguments)
    ended: Ended | None = None
    with watching(arguments, settings) as fleet, document_output(arguments, FLEET[arguments.format]) as output:
        when_closed(output, fleet.close)
        try:
            for text in _texts(arguments, fleet, settings.interval_s):
                output.write(text)
        except Ended as signal:
            ended = signal
        if not any(state.snapshot for state in fleet.states()):
            raise BpftopError("no host could be watched; the reason of each host is in its row")
    if ended is not None and arguments.count is not None:
        raise ended
    return 0


def _screen(arguments: argparse.Namespace) -> int:
    """Show all hosts, and the live screen of the host that the person chooses, until the person quits."""
    from bpftop.cli.screen import require_terminal, show, show_fleet
    from bpftop.cli.screen_setup import screen_setup

    require_terminal("without a terminal use `bpftop fleet HOST... --format table`")
    setup = screen_setup(arguments)
    with watching(arguments, setup.settings) as fleet:
        host = ""
        while host := show_fleet(fleet.states, setup, host):
            show(fleet.stream(host), setup, live=False, remarks=partial(_remarks, fleet, host))
    return 0


def _remarks(fleet: Fleet, host: str) -> Iterator[str]:
    """Yield why no samples come from the host of a live screen."""
    state = next(state for state in fleet.states() if state.host == host)
    if state.contact != "watching":
        yield f"{host} {state.contact}: {state.why}"


@contextmanager
def watching(arguments: argparse.Namespace, settings: Settings) -> Iterator[Fleet]:
    """Watch the hosts of the command line inside the block."""
    from bpftop.fleet.fleet import Fleet
    from bpftop.fleet.ssh_command import ssh_command

    commands = {host: ssh_command(host, arguments.ssh, settings.interval_s) for host in arguments.hosts}
    fleet = Fleet(commands, settings.rules(), settings.interval_s)
    fleet.start()
    try:
        yield fleet
    finally:
        fleet.stop()


def _texts(arguments: argparse.Namespace, fleet: Fleet, interval_s: float) -> Iterator[str]:
    """Yield ``--count`` texts, one an interval, the first when every host has sent rates or has failed."""
    write = FLEET[arguments.format].load()
    while not all(state.decided for state in fleet.states()) and _waited(fleet, _LOOK_S):
        pass
    written, due_s = 0, time.monotonic()
    while True:
        yield write(fleet.states(), time.time_ns())
        written += 1
        due_s = max(due_s + interval_s, time.monotonic())
        if written == arguments.count or not _waited(fleet, due_s - time.monotonic()):
            return


def _waited(fleet: Fleet, timeout_s: float) -> bool:
    """Wait that long. Return False as soon as the fleet is closed."""
    with interruptible():
        return fleet.wait(timeout_s)
