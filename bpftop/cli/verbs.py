"""Table of the verbs. A new verb is a line here and a module in ``bpftop.cli``, which is imported only when it runs.

The module has two functions: ``add_arguments(parser)``, and ``run(arguments)``, which returns the exit code. ``run``
imports the rooms that the verb needs, so that ``--help`` and usage errors are fast.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT = "monitor"

VERBS: Mapping[str, tuple[str, str]] = {
    "monitor": ("bpftop.cli.monitor", "the live screen; the same as `bpftop IFACE...`"),
    "demo": ("bpftop.cli.demo", "the live screen on private namespaces with generated traffic"),
    "snapshot": ("bpftop.cli.snapshot", "one document with the rates of one interval"),
    "watch": ("bpftop.cli.watch", "a line or a document per interval, without a screen"),
    "diagnose": ("bpftop.cli.diagnose", "watch for 10 s and report problems; the exit code is the severity"),
    "export": ("bpftop.cli.export", "a Prometheus endpoint"),
    "record": ("bpftop.cli.record", "record every sample into a file for replay, without a screen"),
    "replay": ("bpftop.cli.replay", "the live screen on a recording, or on samples from standard input"),
    "diff": ("bpftop.cli.diff", "compare two snapshots, or two moments of recordings"),
    "profile": ("bpftop.cli.profile", "measure what map operations cost on this machine"),
    "bench": ("bpftop.cli.bench", "measure what BPF programs cost, next to their alternatives"),
    "doctor": ("bpftop.cli.doctor", "probe which parts of bpftop work on this machine, and why not"),
}
"""Verb -> module, and line in the help."""

VALUE_OPTIONS = frozenset({"-i", "--interval", "--attach", "--netns", "--theme", "--config", "-o", "--output"})
"""Common options with a value. They may stand before the verb, and their value is not the verb."""


def split(words: list[str]) -> tuple[str | None, list[str]]:
    """Split the command line into the verb (None without a verb) and the other words.

    The first word that is neither an option nor the value of an option is the verb or an interface. After ``--`` there
    are only interfaces.
    """
    value_follows = False
    for position, word in enumerate(words):
        if word == "--":
            break
        if value_follows:
            value_follows = False
        elif not word.startswith("-") or word == "-":
            return (word, words[:position] + words[position + 1 :]) if word in VERBS else (None, words)
        else:
            value_follows = word in VALUE_OPTIONS
    return None, words
