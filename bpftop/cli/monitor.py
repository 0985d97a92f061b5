"""``bpftop IFACE...``: the live screen on interfaces of this machine."""

from __future__ import annotations

import argparse

from bpftop.cli.options import (
    add_attach,
    add_interfaces,
    add_settings,
    add_theme,
    attach_choice,
    interfaces,
    netns_name,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=False)
    add_settings(parser)
    add_attach(parser)
    add_theme(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.screen import require_terminal, screen_settings, show, theme_of

    require_terminal(f"`bpftop watch {' '.join(arguments.interfaces) or 'IFACE'}` does without one")
    settings = screen_settings(arguments)
    theme = theme_of(arguments, settings)
    names = interfaces(arguments)
    from bpftop.collect.live import LiveSource

    choice = attach_choice(arguments, settings)
    source = LiveSource(
        names,
        attach=choice.attach,
        may_disturb_device=choice.may_disturb_device,
        interactive=True,
        interval_s=settings.interval_s,
        retreat_bits_per_sec=settings.retreat_bits_per_sec,
        netns=arguments.netns,
        netns_name=netns_name(arguments.netns),
        drops=arguments.drops,
    )
    return show(source, settings, theme)
