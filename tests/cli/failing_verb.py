"""A verb that fails in a way that nobody foresaw."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*")


def run(arguments: argparse.Namespace) -> int:
    raise LookupError("the third\x1b[31m gate")
