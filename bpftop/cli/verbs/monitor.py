"""``bpftop IFACE...``: the live screen on interfaces of this machine."""

from __future__ import annotations

import argparse

from bpftop.cli.options import add_live, add_screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    add_screen(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import ProgressRemark, live_source
    from bpftop.cli.screen import settings_and_theme, show

    remedy = f"without a terminal use `bpftop watch {' '.join(arguments.interfaces) or 'IFACE'}`"
    settings, theme = settings_and_theme(arguments, remedy)
    progress = ProgressRemark()
    source = live_source(arguments, settings, on_screen=progress)
    return show(source, settings, theme, remarks=progress.remarks)
