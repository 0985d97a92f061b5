"""``bpftop demo``: the live screen on a private pair of namespaces with generated traffic, counted by native XDP."""

from __future__ import annotations

import argparse

from bpftop.cli.options import add_settings, add_theme


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_theme(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.screen import settings_and_theme, show

    settings, theme = settings_and_theme(arguments, "start it in one")
    from bpftop.collect.live import LiveSource
    from bpftop.demo.lab import Lab
    from bpftop.hooks.attach_facts import AttachRequest

    request = AttachRequest("native", may_disturb_device=True, terminal=True)
    with Lab() as lab:
        lab.start_traffic()
        source = LiveSource(
            [lab.interface], request, interval_s=settings.interval_s, netns=lab.netns_path(), drops=arguments.drops
        )
        return show(source, settings, theme)
