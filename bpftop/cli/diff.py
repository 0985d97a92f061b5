"""``bpftop diff``: two snapshots, or two moments of recordings, side by side."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_output
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import DIFF

if TYPE_CHECKING:
    from bpftop.export.diff.diff_document import DiffSide
    from bpftop.export.snapshot.snapshot_types import SnapshotDocument

_SQLITE = b"SQLite format 3\0"
_PAST_S = 10.0
"""How far before a moment its rates look for the sample before, or three intervals where that is more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "a file of `bpftop snapshot`, or a moment of a recording: FILE@03:12, FILE@2025-11-26T03:12Z (UTC), FILE@-5m"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", help="the same; @MOMENT alone is one of the recording that A names")
    add_format(parser, DIFF, "table")
    add_output(parser, "once the document is there")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import opened

    before = _moment(arguments.before)
    named = arguments.after
    if named.startswith("@") and not os.path.exists(named):
        file, _, _ = _parts(arguments.before)
        named = f"{file}{named}"
    after = _moment(named)
    chosen = DIFF[arguments.format]
    text = chosen.load()(before, after)
    with opened(arguments.output, private=not chosen.public) as output:
        output.write(text)
    return 0


def _parts(name: str) -> tuple[str, str, str]:
    """File, ``@`` and moment; a file that is called so as a whole goes first."""
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
            raise UsageError(f"{file} is no recording, and only those have moments; leave {at}{moment} away")
        return DiffSide(name, read_snapshot(file))
    if not moment:
        raise UsageError(f"{file} is a recording: say which moment of it, as in {file}@03:12 or {file}@-5m")
    return DiffSide(name, _recorded(file, moment))


def _is_sqlite(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # why, is said by whoever reads it as a snapshot


def _recorded(file: str, text: str) -> SnapshotDocument:
    """The document of a moment of a recording, with the rates that the screen showed then."""
    from bpftop.export.snapshot.document import document
    from bpftop.history.analyzer import Analyzer
    from bpftop.store.recording import Recording
    from bpftop.store.time_expressions import moment

    recording = Recording(file)
    try:
        extent = recording.extent()
        if extent is None:
            raise BpftopError(f"{file} has no tick any more: the recorder let them go")
        tick = recording.tick_at(moment(text, extent.begin_ns, extent.end_ns, extent.last_ns))
        past_ns = int(max(_PAST_S, 3 * recording.interval_s()) * 1e9)
        analyzer = Analyzer()
        for one in recording.ticks(recording.first_tick_within(tick, past_ns), tick):
            analyzer.push(one.sample)
    finally:
        recording.close()
    if analyzer.snapshot is None:
        raise BpftopError(f"{file} has no tick at {text} any more: the recorder let it go")
    return document(analyzer.snapshot)
