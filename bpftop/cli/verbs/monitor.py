"""``bpftop IFACE...``: the live screen on interfaces of this machine."""

from __future__ import annotations

import argparse

from bpftop.cli.options import add_live, add_screen

SHOWS_PROBLEMS = True
"""The screen shows what cannot be used of the configuration."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    add_screen(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import ProgressRemark, live_source
    from bpftop.cli.screen import require_terminal, show
    from bpftop.cli.screen_setup import screen_setup

    remedy = f"without a terminal use `bpftop watch {' '.join(arguments.interfaces) or 'IFACE'}`"
    require_terminal(remedy)
    setup = screen_setup(arguments)
    progress = ProgressRemark()
    source = live_source(arguments, setup.settings, on_screen=progress)
    return show(source, setup, remarks=progress.remarks, netns=arguments.netns)
