"""The verbs. A new one is a line here and a module of the package ``bpftop.cli``, which is imported only when it runs.

Such a module has two functions: ``add_arguments(parser)`` and ``run(arguments)``, which returns the exit code. It
imports what it runs on within ``run``, so that ``--help`` and a usage error do not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT = "monitor"

VERBS: Mapping[str, tuple[str, str]] = {
    "monitor": ("bpftop.cli.monitor", "the live screen; the same as `bpftop IFACE...`"),
    "demo": ("bpftop.cli.demo", "the live screen on private namespaces with traffic of their own"),
    "snapshot": ("bpftop.cli.snapshot", "two samples, one interval apart, one document"),
    "watch": ("bpftop.cli.watch", "no screen: a line or a document per interval"),
    "diagnose": ("bpftop.cli.diagnose", "watch for a while: what is wrong, and why; the exit code says how bad"),
    "export": ("bpftop.cli.export", "a Prometheus endpoint"),
    "record": ("bpftop.cli.record", "no screen: every tick into one file, to look at later"),
    "replay": ("bpftop.cli.replay", "the live screen on a recording, or on samples from standard input"),
    "diff": ("bpftop.cli.diff", "two snapshots, or two moments of recordings, side by side"),
    "profile": ("bpftop.cli.profile", "what map operations cost on this machine, from user space and in the kernel"),
    "bench": ("bpftop.cli.bench", "programs compared with each other: what each costs on this machine"),
    "doctor": ("bpftop.cli.doctor", "what works here and why not, by probes that ran"),
}
"""Verb -> its module, and what it does in a line of the help."""

VALUE_OPTIONS = frozenset({"-i", "--interval", "--attach", "--netns", "--theme", "--config", "-o", "--output"})
"""The common options that take a value: these may stand before the verb, and their value is no verb."""


def split(words: list[str]) -> tuple[str | None, list[str]]:
    """The verb that the command line names, None where it names none, and the other words in their order.

    The first word that is neither an option nor an option's value is the verb, or else an interface; behind ``--``
    there are only interfaces.
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
