"""``bpftop diff``: compare two snapshots, or two moments of recordings."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_output
from bpftop.errors import UsageError
from bpftop.export.formats import DIFF

if TYPE_CHECKING:
    from bpftop.export.diff.diff_document import DiffSide
    from bpftop.export.snapshot.snapshot_types import SnapshotDocument

_SQLITE = b"SQLite format 3\0"
_LOOK_BACK_S = 10.0
"""Time before a moment in which its previous sample is searched; at least three intervals."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    side = "file of `bpftop snapshot`, or moment of a recording: FILE@03:12, FILE@2025-11-26T03:12Z (UTC), FILE@-5m"
    parser.add_argument("before", metavar="A", help=side)
    parser.add_argument("after", metavar="B", help="the same; @MOMENT alone: another moment of the recording of A")
    parser.add_argument("--all", action="store_true", help="as a table: also the rows that did not change, any number")
    add_format(parser, DIFF, "table")
    add_output(parser, "when the document is complete")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import document_output

    before = _moment(arguments.before)
    name = arguments.after
    if name.startswith("@") and not os.path.exists(name):
        file, _, _ = _parts(arguments.before)
        name = f"{file}{name}"
    after = _moment(name)
    chosen = DIFF[arguments.format]
    every_row = {"every_row": True} if arguments.all and arguments.format == "table" else {}
    text = chosen.load()(before, after, **every_row)
    with document_output(arguments, chosen) as output:
        output.write(text)
    return 0


def _parts(name: str) -> tuple[str, str, str]:
    """Split into file, ``@`` and moment. An existing file with the whole name has precedence."""
    if os.path.exists(name):
        return name, "", ""
    file, at, moment = name.rpartition("@")
    return (file, at, moment) if file and os.path.exists(file) else (name, "", "")


def _moment(name: str) -> DiffSide:
    from bpftop.export.diff.diff_document import DiffSide
    from bpftop.export.diff.snapshot_file import read_snapshot

    file, at, moment = _parts(name)
    if not _is_sqlite(file):
        if at:
            raise UsageError(f"{file} is no recording, and a snapshot has no other moments; leave out {at}{moment}")
        return DiffSide(name, read_snapshot(file))
    if not moment:
        raise UsageError(f"{file} is a recording: add a moment, as in {file}@03:12 or {file}@-5m")
    return DiffSide(name, _recorded(file, moment))


def _is_sqlite(path: str) -> bool:
    from bpftop.config.untrusted_file import Refused
    from bpftop.config.untrusted_file import opened as opened_file

    try:
        with opened_file(path, named=True) as descriptor:
            return os.read(descriptor, len(_SQLITE)) == _SQLITE
    except (OSError, Refused):
        return False  # read_snapshot reports why


def _recorded(file: str, moment: str) -> SnapshotDocument:
    """Return the document of a moment of a recording, with the rates that the screen showed."""
    from bpftop.cli.recorded_moment import snapshot_at
    from bpftop.export.snapshot.document import document
    from bpftop.store.recording import Recording

    with closing(Recording(file)) as recording:
        look_back_ns = int(max(_LOOK_BACK_S, 3 * recording.interval_s()) * 1e9)
        return document(snapshot_at(recording, moment, look_back_ns))
