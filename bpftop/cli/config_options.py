"""Options of the command line as fields of ``config.yaml``: common ones by their names, the others under their verb."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from bpftop.cli.options import Parser, parser_for
from bpftop.cli.verb_table import DEFAULT, MODULES, VERBS
from bpftop.config.settings_file import Known, Loaded, load

COMMON = ("interval", "attach", "netns", "drops", "yes", "theme", "ascii", "mouse", "low_bandwidth")
"""Options with a field of their own, which holds for every verb that has the option."""
_AS_DEFAULTS = ("netns", "drops", "yes", "ascii", "mouse", "low_bandwidth")
"""Common options that the file sets as defaults of the parser. The others are combined where they are used."""
NOT_IN_A_FILE = {
    "help": "prints and exits",
    "version": "prints and exits",
    "list": "prints and exits",
    "default": "prints and exits",
    "check": "prints and exits",
    "config": "names the file",
    "xdp": "`attach: native` says the same",
    "report": "`diagnose: {format: markdown}` says the same",
}
"""Options without a field, and why."""


def known() -> Known:
    """Return the names that the fields of a file may have."""
    return Known(keys=_keys, columns=_columns, options={verb: partial(_parsers, verb) for verb in VERBS})


def configured(parser: Parser, verb: str | None, words: list[str]) -> Loaded:
    """Read the configuration, and make its values the defaults of the parser, so that the command line wins.

    Raises UsageError: the file of ``--config`` cannot be opened.
    """
    loaded = load(_named_file(words) if "--config" in parser.options() else None, known=known())
    settings = loaded.settings
    defaults = {name: getattr(settings, name) for name in _AS_DEFAULTS} | dict(settings.verbs.get(verb or DEFAULT, {}))
    for action in parser._actions:
        if action.dest in defaults and action.dest in (*_AS_DEFAULTS, *(option.dest for option in own_options(parser))):
            action.default = defaults[action.dest]
            action.required = action.required and action.default is None
    return loaded


def _named_file(words: list[str]) -> Path | None:
    """Return the file of ``--config`` before anything else of the command line is parsed."""
    if not any(word.startswith("--config") for word in words):
        return None
    only = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    only.add_argument("--config")
    try:
        name = only.parse_known_args(words)[0].config
    except argparse.ArgumentError:  # without a value: the parser of the verb says so
        return None
    return None if name is None else Path(name)


def own_options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options of a verb that stand in the verb's own field."""
    has_settings = any(action.dest == "config" for action in parser._actions)
    for action in parser._actions:
        is_common = action.dest in COMMON and (has_settings or action.dest != "interval")
        if action.option_strings and not is_common and action.dest not in NOT_IN_A_FILE:
            yield action


def verb_parser(verb: str) -> Parser:
    """Return the parser of a verb with all its arguments."""
    parser = parser_for(verb)
    import_module(f"{MODULES}.{verb}").add_arguments(parser)
    return parser


def _parsers(verb: str) -> Mapping[str, Callable[[str], object]]:
    return {action.dest: partial(_value, action) for action in own_options(verb_parser(verb))}


def _value(action: argparse.Action, text: str) -> object:
    """Parse the value of an option as the command line does. Raises ValueError with the reason."""
    if action.nargs == 0:
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is not one of true, false")
        return text == "true"
    if action.nargs == "+":
        return text.split(",")
    parse = action.type if callable(action.type) else str
    try:
        value: object = parse(text)
    except argparse.ArgumentTypeError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        raise ValueError(f"{text!r} is not valid: {action.help}") from None
    if action.choices is not None and value not in action.choices:
        raise ValueError(f"{text!r} is not one of {', '.join(map(str, action.choices))}")
    return value


def _columns() -> dict[str, list[str]]:
    from bpftop.render.column_tables import COLUMN_TABLES

    return {pane: [column.id for column in columns[1:]] for pane, columns in COLUMN_TABLES.items()}


def _keys() -> dict[str, str]:
    from bpftop.tui.actions import ACTIONS

    return {action.id: action.keys for action in ACTIONS}
