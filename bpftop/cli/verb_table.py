"""Table of the verbs. A new verb is a line here and a module of its name in ``bpftop.cli.verbs``.

The module is imported only when the verb runs. It has two functions: ``add_arguments(parser)``, and ``run(arguments)``,
which returns the exit code. ``run`` imports the rooms that the verb needs: ``--help`` and usage errors stay fast.
"""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.fields import frozen

DEFAULT = "monitor"


@frozen
class Verb:
    """``summary`` is the line in the help, ``examples`` are command lines with what each of them answers."""

    summary: str
    examples: Mapping[str, str]


@frozen
class Group:
    """Verbs that stand together in the help and on one manual page, ``bpftop-NAME(1)``."""

    name: str
    title: str
    verbs: Mapping[str, Verb]


GROUPS = (
    Group(
        "screen",
        "the live screen",
        {
            "monitor": Verb(
                "the live screen; the same as `bpftop IFACE...`",
                {
                    "sudo bpftop": "watch the interface of the default route",
                    "sudo bpftop eth0 eth1": "watch two interfaces",
                    "sudo bpftop --netns blue eth0": "watch in another network namespace",
                    "sudo bpftop --xdp eth0": "use native XDP at once, even if that resets the device",
                },
            ),
            "demo": Verb(
                "the live screen on private namespaces with generated traffic",
                {
                    "sudo bpftop demo": "try the screen; needs no network card",
                    "sudo bpftop demo --fault syn-flood": "see how a fault looks; `bpftop demo --list` lists them",
                    "sudo bpftop demo --tour": "see all faults, one after the other",
                },
            ),
            "config": Verb(
                "print a commented configuration file, or check the file that is there",
                {
                    "bpftop config --default": "print every setting, to begin a file of your own with",
                    "bpftop config --check": "check each name, key, type and limit of the file",
                },
            ),
        },
    ),
    Group(
        "headless",
        "without a screen",
        {
            "diagnose": Verb(
                "watch for 10 s and report problems; the exit code is the severity",
                {
                    "sudo bpftop diagnose eth0": "say what is wrong, why, and what to look at next",
                    "sudo bpftop diagnose eth0 --report": "the same as Markdown, to paste into a ticket",
                    "bpftop diagnose --list": "list the checks with their limits",
                },
            ),
            "snapshot": Verb(
                "one document with the rates of one interval",
                {
                    "sudo bpftop snapshot eth0 --format table": "print what arrives in one second",
                    "sudo bpftop snapshot eth0 -i 10 -o before.json": "keep ten seconds for `bpftop diff`",
                },
            ),
            "watch": Verb(
                "a line or a document per interval, without a screen",
                {
                    "sudo bpftop watch eth0 --count 10": "print ten lines, one a second",
                    "sudo bpftop watch eth0 --until-finding": "wait for a problem; ends like diagnose",
                    "ssh HOST sudo bpftop watch eth0 --format samples | bpftop replay -": "watch another machine",
                },
            ),
            "fleet": Verb(
                "many hosts over ssh on one screen, a row each",
                {
                    "bpftop fleet web-17 web-18": "watch two hosts; they need bpftop, and sudo without a password",
                    "bpftop fleet ops@10.0.0.7 --ssh '-p 2222 -J bastion'": "reach a host with options of ssh",
                    "bpftop fleet web-17 web-18 --format json --count 1": "one document for a script",
                },
            ),
            "export": Verb(
                "a Prometheus endpoint",
                {
                    "sudo bpftop export eth0": "serve http://127.0.0.1:9435/metrics",
                    "sudo bpftop export eth0 --listen [::1]:9436": "serve at another address",
                },
            ),
        },
    ),
    Group(
        "traffic",
        "flows and packets",
        {
            "flows": Verb(
                "the busiest flows with their processes: both directions in a row, shares that add up",
                {
                    "sudo bpftop flows eth0": "what the bandwidth is used for, and by which process",
                    "sudo bpftop flows eth0 --by process --format json": "a row per process, for scripts",
                    "sudo bpftop flows eth0 --by address --top 5": "the five busiest addresses",
                },
            ),
            "capture": Verb(
                "write dropped packets, or those of an interface, to a file for Wireshark",
                {
                    "sudo bpftop capture eth0 --drops -o drops.pcapng": "what is dropped, with the kernel's reason",
                    "sudo bpftop capture eth0 --flow :53 --count 100 -o dns.pcapng": "100 packets of one port",
                    "sudo bpftop capture eth0 --drops --reason NO_SOCKET -o closed.pcapng": "one reason only",
                    "sudo bpftop capture eth0 --finding syn-flood -o flood.pcapng": "wait for a flood, and take it",
                },
            ),
        },
    ),
    Group(
        "recording",
        "record and compare",
        {
            "record": Verb(
                "record every sample into a file for replay, without a screen",
                {
                    "sudo bpftop record eth0 -o night.bpftop": "record until Ctrl-C, at most some 1.1 GiB a day",
                    "sudo bpftop record eth0 -o ring.bpftop --keep 24h": "keep the last 24 hours",
                },
            ),
            "replay": Verb(
                "the live screen on a recording, or on samples from standard input",
                {
                    "bpftop replay night.bpftop": "show the recording; needs no root",
                    "bpftop replay night.bpftop --at 03:12 --format markdown": "print one moment as a document",
                },
            ),
            "diff": Verb(
                "compare two snapshots, or two moments of recordings",
                {
                    "bpftop diff before.json after.json": "what changed between two snapshots",
                    "bpftop diff night.bpftop@02:00 @03:12": "what changed between two moments",
                },
            ),
        },
    ),
    Group(
        "machine",
        "measure this machine",
        {
            "profile": Verb(
                "measure what map operations cost on this machine",
                {
                    "sudo bpftop profile --type array,hash": "compare two map types",
                    "sudo bpftop profile my_map": "measure a copy of an existing map",
                },
            ),
            "bench": Verb(
                "measure what BPF programs cost, next to their alternatives",
                {
                    "bpftop bench --list": "list the suites",
                    "sudo bpftop bench counters": "run one suite",
                    "sudo bpftop bench --object mine.o": "measure your own program",
                },
            ),
            "progs": Verb(
                "every BPF program: what it costs, where it is attached, who holds it",
                {
                    "sudo bpftop progs": "the programs by CPU time, measured for a second",
                    "sudo bpftop progs my_prog": "everything about one program",
                    "sudo bpftop progs --watch": "measure and print again every second",
                },
            ),
            "maps": Verb(
                "every BPF map: how full it is, who uses it, and what is in it",
                {
                    "sudo bpftop maps": "the maps, the fullest first",
                    "sudo bpftop maps my_map": "its entries, decoded by BTF",
                    "sudo bpftop maps my_map --sort packets -i 1": "with the change per second, by one field",
                },
            ),
            "doctor": Verb(
                "probe which parts of bpftop work on this machine, and why not",
                {
                    "sudo bpftop doctor": "what works on this machine",
                    "sudo bpftop doctor eth0": "also where bpftop would count on eth0",
                },
            ),
        },
    ),
)

MODULES = "bpftop.cli.verbs"
VERBS: Mapping[str, Verb] = {name: verb for group in GROUPS for name, verb in group.verbs.items()}

VALUE_OPTIONS = frozenset({"-i", "--interval", "--attach", "--netns", "--theme", "--config", "-o", "--output"})
"""Common options with a value. They may stand before the verb, and their value is not the verb."""


COUNTING_VERBS = frozenset({"monitor", "snapshot", "watch", "record", "diagnose", "flows", "export"})
"""Verbs that count on interfaces of this machine."""
_COUNTS_NOTHING = frozenset({"-h", "--help", "--version", "none", "--attach=none"})
"""Words with which those verbs count nothing."""


def will_count(verb: str | None, words: list[str]) -> bool:
    """Return True if the command will count on interfaces, as far as its words tell before they are parsed."""
    return (verb or DEFAULT) in COUNTING_VERBS and _COUNTS_NOTHING.isdisjoint(words)


def likely_interfaces(words: list[str]) -> list[str]:
    """Return the words that may be interfaces of this namespace; values of options are among them."""
    if any(word.startswith("--netns") for word in words):
        return []
    return [word for word in words if not word.startswith("-")]


def joined_values(words: list[str]) -> list[str]:
    """Join a long option and a value such as ``-i key``, which argparse would take for the option -i.

    A word with a dash in front and a space in it is no option. The value of --ssh is always options, of ssh.
    """
    joined: list[str] = []
    for word in words:
        before = joined[-1] if joined else ""
        is_value = before == "--ssh" or (" " in word and before.startswith("--") and before != "--")
        if word.startswith("-") and is_value and "=" not in before:
            joined[-1] = f"{before}={word}"
        else:
            joined.append(word)
    return joined


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
