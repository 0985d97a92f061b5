"""Generator of the manual pages in contrib/man from the tables of the command line: `python -m contrib.man_pages`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bpftop import __version__
from bpftop.cli.options import DESCRIPTION, EXIT_CODES, STREAMS
from bpftop.cli.verb_table import GROUPS, Group
from contrib.command_line import Argument, Command, commands, plain_command

FOLDER = Path(__file__).with_name("man")
DATE = "2026-11-30"
"""Date of the last change that a reader of the pages should see."""

_FILES = {
    "~/.config/bpftop/config.yaml": "settings; $XDG_CONFIG_HOME takes the place of ~/.config",
    "~/.config/bpftop/themes/NAME.yaml": "your own theme NAME",
    "~/.local/state/bpftop/": "stored runs of profile and bench; $XDG_STATE_HOME takes the place of ~/.local/state",
}
_ENVIRONMENT = {
    "NO_COLOR": "not empty: no colours",
    "BPFTOP_DEBUG": "1: print the traceback of an error, for bug reports",
}


def texts() -> Iterator[tuple[Path, str]]:
    """Generate every page: its path and its text."""
    parsed = commands()
    yield FOLDER / "bpftop.1", _page(_main_page())
    for group in GROUPS:
        yield FOLDER / f"bpftop-{group.name}.1", _page(_group_page(group, parsed))


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _main_page() -> Iterator[str]:
    yield from _head("bpftop", "live monitor of a network interface")
    yield from (".SH SYNOPSIS", ".B bpftop", "[OPTIONS] [IFACE...]", ".br", ".B bpftop", "COMMAND [OPTIONS] ...")
    yield from (".SH DESCRIPTION", _text(f"{DESCRIPTION} {STREAMS}"), ".SH COMMANDS")
    for group in GROUPS:
        title = f"{group.title[0].upper()}{group.title[1:]}"
        yield from (f".SS {_roff(title)}", "Described in", f".BR bpftop\\-{group.name} (1).")
        yield from _list({name: verb.summary for name, verb in group.verbs.items()})
    yield from (".SH OPTIONS", "Without a command, or with the command", ".BR monitor :")
    yield from _options(plain_command())
    yield from (".SH EXIT STATUS", *_list(EXIT_CODES))
    yield from (".SH FILES", *_list(_FILES))
    yield from (".SH ENVIRONMENT", *_list(_ENVIRONMENT))
    yield from _see_also("bpftop")


def _group_page(group: Group, parsed: Mapping[str, Command]) -> Iterator[str]:
    name = f"bpftop-{group.name}"
    yield from _head(name, f"{group.title}: {', '.join(group.verbs)}")
    yield ".SH SYNOPSIS"
    for position, verb in enumerate(group.verbs):
        operands = " ".join(operand.shown_metavar for operand in parsed[verb].operands)
        yield from (*([".br"] if position else []), f".B bpftop {verb}", _roff(f"[OPTIONS] {operands}".rstrip()))
    for verb, entry in group.verbs.items():
        yield f'.SH "BPFTOP {verb.upper()}"'
        for position, paragraph in enumerate(parsed[verb].description.split("\n\n")):
            yield from (*([".PP"] if position else []), _text(paragraph))
        yield from _options(parsed[verb])
        yield from (".SS Examples", *_list(entry.examples))
    yield from _see_also(name)


def _head(name: str, summary: str) -> Iterator[str]:
    yield '.\\" Made by contrib/man_pages.py from the tables of the command line; do not edit.'
    yield f'.TH {name.upper()} 1 {DATE} "bpftop {__version__}" "bpftop"'
    yield from (".SH NAME", _text(f"{name} - {summary}"))


def _see_also(name: str) -> Iterator[str]:
    yield ".SH SEE ALSO"
    others = [other for other in ("bpftop", *(f"bpftop-{group.name}" for group in GROUPS)) if other != name]
    pages = [f".BR {_roff(other)} (1)" for other in others]
    yield from (*(f"{page}," for page in pages[:-1]), pages[-1])


def _options(command: Command) -> Iterator[str]:
    for argument in (*command.operands, *command.options):
        yield from (".TP", _title(argument), _text(argument.help))


def _title(argument: Argument) -> str:
    value = f"\\fI{_roff(argument.metavar)}\\fR" if argument.metavar else ""
    flags = ", ".join(f"\\fB{_roff(flag)}\\fR" for flag in argument.flags)
    return " ".join(filter(None, (flags, value)))


def _list(entries: Mapping[str, str]) -> Iterator[str]:
    for term, text in entries.items():
        yield from (".TP", f"\\fB{_roff(term)}\\fR", _text(text))


def _text(text: str) -> str:
    """Return running text in lines that mandoc's style check accepts."""
    lines = textwrap.wrap(_roff(text), 79, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines)


def _roff(text: str) -> str:
    """Escape a text of one line. What stands between backquotes is bold; every - is the one that people type."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    escaped = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main() -> None:
    """Write a manual page for bpftop and for each verb."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts():
        path.write_text(text)


if __name__ == "__main__":
    main()
