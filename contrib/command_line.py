"""The command line as data, read from the parsers of the verbs, for the manual pages and the completions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from bpftop.cli.options import parser_for
from bpftop.cli.verb_table import DEFAULT, MODULES, VERBS
from bpftop.cli.verbs import profile
from bpftop.measure.programs.comparison import SUITES

ROOT = Path(__file__).parents[1]

INTERFACES, NETNS, PROGRAMS, MAPS = "interfaces", "netns", "programs", "maps"
THEMES, RECORDINGS, FILES = "themes", "recordings", "files"
"""Kinds of values that a shell looks up when it completes."""

_LOOKED_UP = {
    "interfaces": INTERFACES,
    "interface": INTERFACES,
    "netns": NETNS,
    "map": MAPS,
    "programs": PROGRAMS,
    "theme": THEMES,
    "recording": RECORDINGS,
}
_LISTS = {"type": profile.TYPES, "operation": profile.OPERATIONS, "access": profile.ACCESSES}
_FILE_METAVARS = ("FILE", "HEX|PCAP", "A", "B")


@dataclass(frozen=True)
class Argument:
    """An option or, without flags, an operand.

    ``words`` are the values that can be listed; with ``separated``, several of them with commas between them. ``kind``
    says how else values are looked up; empty: not at all. An argument without metavar takes no value.
    """

    flags: tuple[str, ...]
    metavar: str
    help: str
    words: tuple[str, ...]
    separated: bool
    kind: str
    optional: bool
    repeated: bool

    @property
    def shown_metavar(self) -> str:
        """Return the value in the form of a usage line: ``[IFACE...]``."""
        name = f"{self.metavar}..." if self.repeated else self.metavar
        return f"[{name}]" if self.optional else name


@dataclass(frozen=True)
class Command:
    """A verb with its arguments."""

    verb: str
    description: str
    options: tuple[Argument, ...]
    operands: tuple[Argument, ...]


def commands() -> dict[str, Command]:
    """Return all verbs with their arguments, in the order of the help."""
    return {verb: _command(verb, parser_for(verb)) for verb in VERBS}


def plain_command() -> Command:
    """Return ``bpftop`` without a verb."""
    return _command(DEFAULT, parser_for(None))


def theme_names() -> tuple[str, ...]:
    """Return the names of the themes that come with bpftop."""
    return tuple(sorted(path.stem for path in ROOT.glob("themes/*.yaml")))


def _command(verb: str, parser: argparse.ArgumentParser) -> Command:
    add_arguments: Callable[[argparse.ArgumentParser], None] = import_module(f"{MODULES}.{verb}").add_arguments
    add_arguments(parser)
    arguments = tuple(_arguments(parser))
    return Command(
        verb,
        parser.description or "",
        tuple(argument for argument in arguments if argument.flags),
        tuple(argument for argument in arguments if not argument.flags),
    )


def _arguments(parser: argparse.ArgumentParser) -> Iterator[Argument]:
    for action in parser._actions:
        takes_value = action.nargs != 0
        listed = _LISTS.get(action.dest, "").split(", ") if action.metavar == "LIST" else ()
        words = tuple(SUITES) if action.dest == "suites" else tuple(map(str, action.choices or listed or ()))
        kind = _LOOKED_UP.get(action.dest, FILES if action.metavar in _FILE_METAVARS else "")
        yield Argument(
            tuple(action.option_strings),
            str(action.metavar) if takes_value else "",
            (action.help or "") % {**vars(action), "prog": parser.prog},
            tuple(filter(None, words)),
            action.metavar == "LIST",
            kind if takes_value else "",
            action.nargs in ("*", "?"),
            action.nargs in ("*", "+"),
        )
