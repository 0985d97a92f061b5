"""``bpftop config``: print a commented configuration file, or check the file that is there."""

from __future__ import annotations

import argparse

from bpftop.cli.options import add_config

SHOWS_PROBLEMS = True
"""The check prints them on standard output."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--default", action="store_true", help="print a file with every setting, its default and what it does, and exit"
    )
    what.add_argument(
        "--check",
        action="store_true",
        help="print what cannot be used in the file; the exit code is 1 if there is any",
    )
    add_config(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import opened

    with opened(None) as output:
        if arguments.default:
            from bpftop.cli.default_config import default_config

            output.write(default_config())
            return 0
        problems = arguments.loaded.problems
        if problems:
            output.write("".join(f"{problem}\n" for problem in problems))
            return 1
        file = arguments.loaded.file
        output.write("there is no configuration file; the defaults are used\n" if file is None else f"{file}: fine\n")
    return 0
