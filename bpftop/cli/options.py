"""The options that the verbs share, and their combination with ``config.yaml``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from bpftop import __version__
from bpftop.cli.output import ClosedPipe
from bpftop.cli.verb_table import GROUPS, VERBS, Verb
from bpftop.config.settings import ATTACH_MODES, Settings, interval_s
from bpftop.errors import BpftopError, UsageError, spelling_hint
from bpftop.fields import replace
from bpftop.hooks.attach_facts import AttachRequest

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

N = TypeVar("N", int, float)

EXIT_CODES = {
    "0": "success",
    "1": "failure; standard error says what failed, why, and what to do",
    "2": "bad usage",
    "3": "diagnose, or watch --until-finding, found a warning",
    "4": "the same: found something critical",
    "5": "the same: found no problem, but a check was blind: no privilege, or a failed reading",
    "128 + N": "ended early by signal N",
}

DESCRIPTION = "Live monitor of a network interface; packets are counted in the kernel by BPF programs."
STREAMS = "Data goes to standard output, everything else to standard error."


_COLUMNS = re.compile(r" +(\S+( \S+)*  +)?")
"""The beginning of an indented line: its indentation, and columns before the last."""
_LINE_BREAK = re.compile(r"(?<=\S)\n(?=\S)")
"""The end of a line inside a paragraph."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """A formatter that fills paragraphs, and keeps indented lines, each wrapped below its last column.

    No name is broken at its hyphens: names of faults, checks and options are copied from here.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap

        def filled(line: str) -> str:
            columns = _COLUMNS.match(line)
            below = " " * (columns.end() if columns else 0)
            return textwrap.fill(
                line, width, initial_indent=indent, subsequent_indent=indent + below, break_on_hyphens=False
            )

        return "\n".join(map(filled, _LINE_BREAK.sub(" ", text).splitlines()))

    def _split_lines(self, text: str, width: int) -> list[str]:
        import textwrap

        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


_UNSEEN = partial(argparse.HelpFormatter, width=80)
"""The formatter by which argparse checks each argument. To find the terminal's width takes 3 ms: it imports shutil."""


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors and without abbreviated options."""

    def __init__(self, prog: str, *, usage: str | None = None, description: str = "", epilog: str = "") -> None:
        super().__init__(
            prog,
            usage=usage,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=_UNSEEN,
        )
        self.add_argument("--version", action="version", version=f"bpftop {__version__}")

    def format_help(self) -> str:
        self.formatter_class = _Help
        return super().format_help()

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        try:  # argparse hides a full disk
            (file or sys.stderr).write(message)
        except BrokenPipeError:
            raise ClosedPipe from None
        except OSError as error:
            raise BpftopError(f"cannot write the help: {error.strerror}; give it another place") from error

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += spelling_hint(str(value), map(str, action.choices or ()))
            raise

    def options(self) -> tuple[str, ...]:
        """Return all options of this parser."""
        return tuple(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def parser_for(verb: str | None) -> Parser:
    """Return a parser without the verb's own arguments; None: the parser for ``bpftop`` without a verb."""
    if verb is not None:
        return Parser(f"bpftop {verb}", description=sentence(VERBS[verb]), epilog=_examples(VERBS[verb]))
    width = max(map(len, VERBS))
    commands = "\n\n".join(
        f"{group.title}:\n"
        + "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in group.verbs.items())
        + f"\n  example:  {next(iter(next(iter(group.verbs.values())).examples))}"
        for group in GROUPS
    )
    codes = "\n".join(f"  {code:<7}  {meaning}" for code, meaning in EXIT_CODES.items())
    return Parser(
        "bpftop",
        usage="bpftop [OPTIONS] [IFACE...]\n       bpftop COMMAND [OPTIONS] ...",
        description=DESCRIPTION,
        epilog=f"{commands}\n\n`bpftop COMMAND --help` has the options and examples of a command.\n"
        f"For an interface with the name of a command: `bpftop monitor NAME`.\n\nexit codes:\n{codes}\n\n{STREAMS}",
    )


def sentence(verb: Verb) -> str:
    """Return the summary of a verb as a sentence."""
    return f"{verb.summary[0].upper()}{verb.summary[1:]}."


def _examples(verb: Verb) -> str:
    return "examples:\n" + "\n".join(f"  {command}\n      {answer}" for command, answer in verb.examples.items())


def add_live(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verbs that count on interfaces of this machine."""
    parser.add_argument(
        "interfaces",
        metavar="IFACE",
        nargs="*",
        help="interfaces to watch (default: the one with the default route)",
    )
    add_netns(parser)
    add_settings(parser)
    add_attach(parser)
    parser.set_defaults(bpf=False, lists_bpf=False, inner=False)


def add_interval(
    parser: argparse.ArgumentParser, help_text: str = "seconds between updates, 0.1 to 3600 (default: 1)"
) -> None:
    """Add --interval."""
    parser.add_argument("-i", "--interval", metavar="SECONDS", type=_interval, help=help_text)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options of every verb that counts: interval, configuration, tracepoints."""
    add_interval(parser)
    add_config(parser)
    parser.add_argument(
        "--no-drops",
        action="store_false",
        dest="drops",
        help="do not attach to tracepoints; drop reasons, XDP exceptions and redirect errors are then not counted",
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument("--config", metavar="FILE", help="configuration file (default: ~/.config/bpftop/config.yaml)")


def add_attach(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the hook, for verbs that count on existing interfaces."""
    hooks = parser.add_mutually_exclusive_group()
    hooks.add_argument(
        "--attach",
        metavar="HOW",
        choices=ATTACH_MODES,
        help=f"hook to count at: {', '.join(ATTACH_MODES)}; tc is tcx, or clsact before Linux 6.6 (default: auto, "
        "which never disturbs the device)",
    )
    hooks.add_argument("--xdp", action="store_true", help="the same as --attach native --yes")
    parser.add_argument(
        "--yes", action="store_true", help="attach even if this resets the device or switches its offloads off"
    )


def add_bpf(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add --bpf, for verbs whose samples can have the BPF programs and maps of the machine."""
    parser.add_argument(
        "--bpf",
        action="store_true",
        help=f"{purpose}; run statistics are on meanwhile, which cost each run of every BPF program two clock readings",
    )


def add_screen(parser: argparse.ArgumentParser) -> None:
    """Add the options of every verb with a live screen: colours, characters, mouse and bytes."""
    parser.add_argument(
        "--theme",
        metavar="NAME",
        help="colours: dark, light, high-contrast, colour-blind, warm, ansi16, or the name of your own theme (default: "
        "dark, with up to sixteen colours ansi16)",
    )
    parser.add_argument(
        "--no-mouse", action="store_false", dest="mouse", help="leave the mouse to the terminal, for selecting text"
    )
    parser.add_argument(
        "--low-bandwidth",
        action="store_true",
        help="write at most 1 kB/s: ticks wait for the line, and there are sixteen colours at most",
    )
    add_ascii(parser)


def add_netns(parser: argparse.ArgumentParser) -> None:
    """Add --netns."""
    parser.add_argument("--netns", metavar="NAME|PID", type=_netns, help="network namespace of the interfaces")


def attach_request(arguments: argparse.Namespace, settings: Settings, *, interactive: bool = False) -> AttachRequest:
    """Return how to attach. The command line wins over the configuration.

    ``attach: native`` in the configuration is also the consent to disturb the device.
    """
    mode, may_disturb_device = settings.attach, arguments.yes or settings.attach == "native"
    if arguments.xdp:
        mode, may_disturb_device = "native", True
    elif arguments.attach is not None:
        mode, may_disturb_device = arguments.attach, arguments.yes
    return AttachRequest(
        mode,
        may_disturb_device=may_disturb_device,
        terminal=interactive,
        limits=settings.load_limits,
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the configuration with the command line's interval."""
    settings: Settings = arguments.loaded.settings
    return settings if arguments.interval is None else replace(settings, interval_s=arguments.interval)


def interface_names(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the named interfaces, each once, or else the interface of the default route. Raises BpftopError."""
    if arguments.interfaces:  # the locale decoded the command line
        from bpftop.kernel.net.names import name_text

        return tuple(dict.fromkeys(name_text(os.fsencode(name)) for name in arguments.interfaces))
    from bpftop.kernel.netns import inside

    with inside(arguments.netns):
        name = _default_route_interface()
    if name is None:
        raise BpftopError(
            "no interface was named, and without a default route there is no default; name one (`bpftop IFACE`) or run "
            "`bpftop demo`"
        )
    return (name,)


def _default_route_interface() -> str | None:
    from bpftop.kernel.net.netdev import Netdev

    with closing(Netdev()) as netdev:
        ifindex = netdev.default_route()
        device = None if ifindex is None else netdev.device(ifindex)
        return None if device is None else device.name


def _netns(text: str) -> str:
    """Return the path of the network namespace with this name (`ip netns`), or of the process with this id."""
    named, process = os.path.join("/run/netns", text), os.path.join("/proc", text, "ns/net")
    if text and "/" not in text and os.path.exists(named):
        return named
    if text.isdecimal():
        try:
            os.stat(process)
            return process
        except PermissionError:
            raise argparse.ArgumentTypeError(
                f"the network namespace of process {text} may not be read by this user; run bpftop as root, or with "
                "CAP_SYS_PTRACE"
            ) from None
        except OSError:
            if _is_process(int(text)):
                raise argparse.ArgumentTypeError(
                    f"process {text} is hidden here: this /proc does not show it to this user (hidepid); run bpftop "
                    "as root"
                ) from None
    raise argparse.ArgumentTypeError(
        f"there is no network namespace and no process {text!r}; `ip netns` lists the names"
    )


def _is_process(pid: int) -> bool:
    """Return True if a process has this id. A signal sees processes that /proc hides."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0


def _interval(text: str) -> float:
    try:
        return interval_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def number(kind: Callable[[str], N], accepts: Callable[[N], bool], expected: str) -> Callable[[str], N]:
    """Return a parser for argparse. Where ``accepts`` refuses the number, its error says "not ``expected``"."""

    def parse(text: str) -> N:
        with suppress(ValueError):
            if accepts(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")

    return parse


def whole(text: str) -> int:
    """Return a whole number without a sign. Raises ValueError."""
    if not text.isdecimal():
        raise ValueError
    return int(text)


FROM_1 = number(whole, lambda value: value >= 1, "a whole number from 1 up")


def from_1_to(most: int) -> Callable[[str], int]:
    """Return a parser for argparse of whole numbers from 1 to ``most``."""
    return number(whole, lambda value: 1 <= value <= most, f"a whole number from 1 to {most}")


def add_count(parser: argparse.ArgumentParser) -> None:
    """Add --count, for verbs that can run for ever."""
    parser.add_argument(
        "--count",
        metavar="N",
        type=FROM_1,
        help="end after N intervals (default: run until Ctrl-C)",
    )


def add_format(parser: argparse.ArgumentParser, formats: Collection[str], default: str) -> None:
    """Add --format with these formats, and --ascii."""
    parser.add_argument(
        "--format",
        choices=tuple(formats),
        default=default,
        metavar="FORMAT",
        help=f"{', '.join(formats)} (default: {default})",
    )
    add_ascii(parser)


def add_ascii(parser: argparse.ArgumentParser) -> None:
    """Add --ascii."""
    parser.add_argument(
        "--ascii",
        action="store_true",
        help="only ASCII, for bars, trends and marks too (default: if the locale is not UTF-8, or TERM is a console)",
    )


def add_output(parser: argparse.ArgumentParser, when: str) -> None:
    """Add --output. ``when``: how often the file is replaced, such as "at the end"."""
    parser.add_argument("-o", "--output", metavar="FILE", help=f"write to FILE, which is replaced atomically {when}")


def netns_name(path: str | None) -> str | None:
    """Return the value of --netns for this path: NAME of /run/netns/NAME, PID of /proc/PID/ns/net."""
    return path.removeprefix("/run/netns/").removeprefix("/proc/").removesuffix("/ns/net") if path else None
