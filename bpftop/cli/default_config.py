"""The commented configuration file of ``bpftop config --default``, made from the options of the command line."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping

from bpftop.cli.config_options import COMMON, own_options, verb_parser
from bpftop.cli.verb_table import DEFAULT, VERBS

_HEAD = (
    "Settings of bpftop. Put this file at ~/.config/bpftop/config.yaml, or at $XDG_CONFIG_HOME/bpftop/config.yaml. "
    "Every setting is optional; remove the # at the begin of a line to use it. An option of the command line wins over "
    "this file. `bpftop config --check` names what cannot be used here."
)

_OTHERS: Mapping[str, tuple[str, str]] = {
    "keys": (
        "Keys of the screen: the id of an action, then a key, or several with commas between them. The help of the "
        "screen (?) has the ids.",
        "keys:\n  pause: p,space",
    ),
    "thresholds": (
        "Limits of the checks, by the check's id and the name of the limit; shares are parts of 1. `bpftop diagnose "
        "--list` has the names. NAME_clear is the level at which a finding ends.",
        "thresholds:\n  conntrack-full:\n    warning: 0.75",
    ),
    "columns": (
        "Columns of the tables of the screen, by the pane: overview, cpus, path, flows, bpf_programs, bpf_maps, "
        "measure, findings. The first column always stays. The settings on the screen (,) list the names.",
        "columns:\n  overview: [rx_packets_per_sec, rx_bits_per_sec, share, trend]",
    ),
    "silence": ("Checks that are not run.", "silence: [packet-storm]"),
    "flows_on_finding": (
        "When a flood, a storm or the like is found: auto counts flows for 10 s, so that the finding names ports, "
        "sources and processes; never does not.",
        "flows_on_finding: auto",
    ),
}
_COMMON_DEFAULTS = {"interval": "1", "attach": "auto", "theme": "dark"}
"""Defaults that the parsers do not have, because the file is asked first."""
_WIDTH = 110


def default_config() -> str:
    """Return the file. Every setting is a comment, with its default where it has one, else with nothing."""
    return "\n".join((*_comment(_HEAD), *_common(), *_others(), *_verbs())) + "\n"


def _common() -> Iterator[str]:
    options = {action.dest: action for verb in ("diff", DEFAULT) for action in verb_parser(verb)._actions}
    for name in COMMON:
        yield from (
            "",
            *_comment(_sentence(options[name])),
            f"#{name}: {_COMMON_DEFAULTS.get(name) or _default(options[name])}".rstrip(),
        )


def _others() -> Iterator[str]:
    for text, example in _OTHERS.values():
        yield from ("", *_comment(text), *(f"#{line}" for line in example.splitlines()))


def _verbs() -> Iterator[str]:
    for verb, entry in VERBS.items():
        options = list(own_options(verb_parser(verb)))
        if options:
            yield from ("", *_comment(f"bpftop {verb}: {entry.summary}."), f"#{verb}:")
            for action in options:
                yield from (f"#  {line}" for line in _comment(_sentence(action)))
                yield f"#  {action.dest}: {_default(action)}".rstrip()


def _sentence(action: argparse.Action) -> str:
    text = (action.help or "") % {**vars(action), "prog": "bpftop"}
    if action.nargs == 0:
        return f"{str(action.const).lower()}: {text}."
    return f"Format: {text}." if action.metavar == "FORMAT" else f"{text[0].upper()}{text[1:]}."


def _default(action: argparse.Action) -> str:
    """Return the default as YAML; empty where there is none."""
    value = action.default
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value in (None, ()) else f"{value:g}" if isinstance(value, float) else str(value)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
