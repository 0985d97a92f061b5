"""The options that the verbs share, and what they and ``config.yaml`` come to together."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from bpftop import __version__
from bpftop.cli.output import complain
from bpftop.cli.verbs import VERBS
from bpftop.config import ATTACH_MODES, Settings, interval_s, load
from bpftop.errors import BpftopError, UsageError
from bpftop.hooks.facts import AttachMode

EXIT_CODES = """\
exit codes: 0 fine; 1 it could not do it, and says why; 2 bad usage;
3 diagnose found a warning, 4 something critical;
128 + N: signal N came before it was done. Data goes to standard output,
everything else to standard error."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Lines of a description stay lines, but one that is too long is wrapped."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap

        return "\n".join(textwrap.fill(line, width, initial_indent=indent) for line in text.splitlines())


class Parser(argparse.ArgumentParser):
    """argparse, with errors in one line and options only in full."""

    def __init__(self, prog: str, *, usage: str | None = None, description: str = "", epilog: str = "") -> None:
        super().__init__(
            prog,
            usage=usage,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=_Help,
        )
        self.add_argument("--version", action="version", version=f"bpftop {__version__}")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parser_for(verb: str | None) -> Parser:
    """A parser that does not know its verb's arguments yet; None: the one for ``bpftop`` without a verb."""
    if verb is not None:
        return Parser(
            f"bpftop {verb}", description=f"{VERBS[verb][1][0].upper()}{VERBS[verb][1][1:]}.", epilog=EXIT_CODES
        )
    width = max(map(len, VERBS))
    commands = "\n".join(f"  {name:<{width}}  {what}" for name, (_, what) in VERBS.items())
    return Parser(
        "bpftop",
        usage="bpftop [OPTIONS] [IFACE...]\n       bpftop COMMAND [OPTIONS] ...",
        description="What arrives on a network interface, counted in the kernel and shown live.",
        epilog=f"commands (`bpftop COMMAND --help` says more):\n{commands}\n\n"
        f"An interface that is called like a command: `bpftop monitor NAME`.\n{EXIT_CODES}",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Interval, configuration and tracepoints: what every verb that counts has."""
    parser.add_argument(
        "-i", "--interval", metavar="SECONDS", type=_interval, help="time between two ticks, 0.1 to 3600 (default: 1)"
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: ~/.config/bpftop/config.yaml)")
    parser.add_argument(
        "--no-drops",
        action="store_false",
        dest="drops",
        help="set no tracepoints: no drop reasons, XDP exceptions and redirect errors",
    )


def add_attach(parser: argparse.ArgumentParser) -> None:
    """Where to count, for verbs that count on interfaces which are not their own."""
    hooks = parser.add_mutually_exclusive_group()
    hooks.add_argument(
        "--attach",
        metavar="HOW",
        choices=ATTACH_MODES,
        help=f"where to count: {', '.join(ATTACH_MODES)} (default: auto, without disturbing the device)",
    )
    hooks.add_argument("--xdp", action="store_true", help="the same as --attach native --yes")
    parser.add_argument("--yes", action="store_true", help="go ahead even where the attachment disturbs the device")


def add_theme(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--theme", metavar="NAME", help="colours: dark, light, ansi16 or one of yours (default: dark)")


def add_interfaces(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "interfaces",
        metavar="IFACE",
        nargs="+" if required else "*",
        help="the interfaces to watch" if required else "the interfaces to watch (default: that of the default route)",
    )
    add_netns(parser)


def add_netns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--netns", metavar="NAME|PID", type=_netns, help="the network namespace that the interfaces are in"
    )


@dataclass(frozen=True)
class AttachChoice:
    """How to attach, and whether it may disturb the device."""

    attach: AttachMode
    may_disturb_device: bool


def attach_choice(arguments: argparse.Namespace, settings: Settings) -> AttachChoice:
    """The command line wins over the configuration, whose ``attach: native`` is a yes once and for all."""
    if arguments.xdp:
        return AttachChoice("native", True)
    if arguments.attach is not None:
        return AttachChoice(arguments.attach, arguments.yes)
    return AttachChoice(settings.attach, arguments.yes or settings.attach == "native")


def settings_of(arguments: argparse.Namespace, *, actions: Collection[str] | None = None) -> Settings:
    """The configuration with the command line's interval; what in the file was not used is said on standard error."""
    loaded = load(None if arguments.config is None else Path(arguments.config), actions=actions)
    if loaded.message is not None:
        complain(loaded.message)
    return loaded.settings if arguments.interval is None else replace(loaded.settings, interval_s=arguments.interval)


def interfaces(arguments: argparse.Namespace) -> list[str]:
    """The interfaces that were named, each once; where none was, that of the default route. Raises BpftopError."""
    if arguments.interfaces:
        return list(dict.fromkeys(arguments.interfaces))
    from bpftop.kernel.netns import inside

    with inside(arguments.netns) if arguments.netns else nullcontext():
        name = _of_default_route()
    if name is None:
        raise BpftopError(
            "there is no default route to choose an interface by; name one (`bpftop IFACE`) or run `bpftop demo`"
        )
    return [name]


def _of_default_route() -> str | None:
    from bpftop.kernel.net.netdev import Netdev

    with closing(Netdev()) as netdev:
        ifindex = netdev.default_route()
        device = None if ifindex is None else netdev.device(ifindex)
        return None if device is None else device.name


def _netns(text: str) -> str:
    """The path of a namespace that `ip netns` knows by this name, or that the process of this number is in."""
    named, process = os.path.join("/run/netns", text), os.path.join("/proc", text, "ns/net")
    if text and "/" not in text and os.path.exists(named):
        return named
    if text.isdecimal() and os.path.exists(process):
        return process
    raise argparse.ArgumentTypeError(
        f"no network namespace is called {text!r}, and it is no process; `ip netns` lists the names"
    )


def _interval(text: str) -> float:
    try:
        return interval_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_format(parser: argparse.ArgumentParser, formats: Collection[str], default: str) -> None:
    parser.add_argument(
        "--format",
        choices=tuple(formats),
        default=default,
        metavar="FORMAT",
        help=f"{', '.join(formats)} (default: {default})",
    )


def add_output(parser: argparse.ArgumentParser, when: str) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help=f"write to FILE, which is replaced as a whole {when}")


def netns_name(path: str | None) -> str | None:
    """What --netns takes: the NAME of /run/netns/NAME, the PID of /proc/PID/ns/net."""
    return path.removeprefix("/run/netns/").removeprefix("/proc/").removesuffix("/ns/net") if path else None
