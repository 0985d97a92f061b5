"""``bpftop demo``: the live screen on private namespaces with generated traffic, with faults on request."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpftop.cli.options import add_screen, add_settings
from bpftop.demo.faults.offers import OFFERS

if TYPE_CHECKING:
    from bpftop.demo.lab import Lab

SHOWS_PROBLEMS = True
"""The screen shows what cannot be used of the configuration."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    faults = parser.add_mutually_exclusive_group()
    faults.add_argument(
        "--fault",
        metavar="NAME",
        choices=tuple(OFFERS),
        help="make a real fault in the namespaces, again and again: " + ", ".join(OFFERS),
    )
    faults.add_argument("--tour", action="store_true", help="make all faults, one after the other, 30 s each")
    faults.add_argument("--list", action="store_true", help="list the faults, each with what to look at")
    add_settings(parser)
    add_screen(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        return _list()
    from bpftop.cli.live_source import demo_source
    from bpftop.cli.screen import require_terminal, show
    from bpftop.cli.screen_setup import screen_setup

    require_terminal("start it in one; `bpftop demo --list` needs none")
    setup = screen_setup(arguments)
    from bpftop.demo.lab import Lab

    with Lab() as lab:
        lab.start_traffic()
        with _faults(arguments, lab) as remarks:
            source = demo_source(lab, setup.settings.interval_s, arguments.drops)
            return show(source, setup, remarks=remarks, netns=lab.netns_path())


@contextmanager
def _faults(arguments: argparse.Namespace, lab: Lab) -> Iterator[Callable[[], Iterable[str]]]:
    """Make the faults of the command line inside the block. Yield the remarks about them for the screen."""
    if not arguments.fault and not arguments.tour:
        yield tuple
        return
    from bpftop.demo.faults.tour import Tour

    tour = Tour(lab, OFFERS if arguments.tour else {arguments.fault: OFFERS[arguments.fault]})
    tour.start()
    try:
        yield tour.remarks
    finally:
        tour.stop()


def _list() -> int:
    from bpftop.cli.output import opened

    width = max(map(len, OFFERS))
    with opened(None) as output:
        for name, offer in OFFERS.items():
            output.write(f"{name:<{width}}  {offer.happens}\n{'':<{width}}  {offer.look}\n")
    return 0
