"""``bpftop replay``: the live screen on a recording or on samples from standard input, or a document of a moment."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bpftop.cli.options import add_output, add_screen, add_settings, settings_of
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import FLOWS, SNAPSHOT

if TYPE_CHECKING:
    from bpftop.store.recording import Recording
    from bpftop.store.replay import Replay

STDIN = "-"
FLOWS_MOST = 20
_LOOK_BACK_NS = 600 * 10**9
"""Longest time that a rule looks back."""


SHOWS_PROBLEMS = True
"""The screen shows what cannot be used of the configuration."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recording", metavar="FILE|-", help="recording of `bpftop record`; -: output of `bpftop watch --format samples`"
    )
    parser.add_argument(
        "--at",
        metavar="MOMENT",
        help="moment to begin at: 03:12, 03:12:44, 2025-11-26T03:12Z (UTC), or -5m from the end",
    )
    parser.add_argument(
        "--format", choices=tuple(SNAPSHOT), metavar="FORMAT",
        help=f"write the moment as a document instead of showing it: {', '.join(SNAPSHOT)} (with -o alone: json)",
    )  # fmt: skip
    parser.add_argument(
        "--pane",
        choices=("flows",),
        metavar="PANE",
        help="flows: write the flows of the moment instead of its snapshot, as far as they were recorded",
    )
    parser._negative_number_matcher = re.compile("-[0-9]")  # accept `--at -5m` without `=`; argparse accepts only -5
    add_output(parser, "when the document is complete")
    add_settings(parser)
    add_screen(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.pane is not None and (arguments.format or "json") not in FLOWS:
        raise UsageError(f"flows are written as {', '.join(FLOWS)}, not as {arguments.format}")
    if arguments.recording == STDIN:
        return _stream(arguments)
    from bpftop.store.recording import Recording

    recording = Recording(arguments.recording)
    _report_missing_ticks(recording)
    if arguments.format or arguments.output or arguments.pane:
        return _document(arguments, recording)
    from bpftop.cli.recorded_moment import tick_at
    from bpftop.cli.screen import require_terminal, show
    from bpftop.cli.screen_setup import screen_setup
    from bpftop.store.replay import Replay

    remedy = "without a terminal use `bpftop replay FILE --at MOMENT --format table`"
    require_terminal(remedy)
    setup = screen_setup(arguments)
    replay = Replay(recording, tick_at(recording, arguments.at) if arguments.at else None)
    return show(replay, setup, replay=replay, remarks=lambda: _remarks(replay))


def _report_missing_ticks(recording: Recording) -> None:
    from bpftop.cli.output import complain

    extent = recording.extent()
    if extent is not None and extent.lost:
        whole = extent.ticks + extent.lost
        complain(f"{recording.path}: {extent.lost} of {whole} ticks are missing: the disk did not take them in time")


def _document(arguments: argparse.Namespace, recording: Recording) -> int:
    """Write the document of the moment, as the screen showed it."""
    from bpftop.cli.output import complain, document_output
    from bpftop.cli.recorded_moment import snapshot_at

    if arguments.loaded.message is not None:
        complain(arguments.loaded.message)
    snapshot = snapshot_at(recording, arguments.at, _LOOK_BACK_NS, settings_of(arguments).rules())
    chosen = SNAPSHOT[arguments.format or "json"]
    if arguments.pane == "flows":
        if not any(name.startswith("flows/") for name in snapshot.readings):
            raise BpftopError(
                f"{recording.path} has no flows at that moment; `bpftop record` keeps them, unless --flows is 0"
            )
        chosen = FLOWS[arguments.format or "json"]
    with document_output(arguments, chosen) as output:
        write = chosen.load()
        output.write(write(snapshot, "flow", FLOWS_MOST) if arguments.pane == "flows" else write(snapshot))
    return 0


def _remarks(replay: Replay) -> Iterator[str]:
    if replay.lost:
        yield f"{replay.lost} ticks before this one are missing: the disk did not take them in time"
    if replay.at_end:
        yield "this is the end of the recording; ← goes back, @ jumps to a moment"


def _stream(arguments: argparse.Namespace) -> int:
    if arguments.at or arguments.format or arguments.output:
        raise UsageError("--at, --format and -o need a file: samples from standard input are shown as they arrive")
    from bpftop.cli.screen import require_terminal, show
    from bpftop.cli.screen_setup import screen_setup
    from bpftop.store.line_source import LineSource

    source = LineSource(_keyboard_beside_stdin())
    require_terminal("start it in one")
    setup = screen_setup(arguments)

    def remarks() -> Iterator[str]:
        if source.skipped:
            yield f"{source.skipped} invalid lines were skipped; the last one: {source.why}"

    return show(source, setup, live=False, remarks=remarks)


def _keyboard_beside_stdin() -> int:
    """Duplicate standard input and return the copy; standard input becomes the terminal, for the keys.

    Raises BpftopError.
    """
    if os.isatty(0):
        raise BpftopError(
            "standard input is the keyboard; pipe samples into it: "
            "`ssh HOST bpftop watch IFACE --format samples | bpftop replay -`"
        )
    samples = os.dup(0)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise BpftopError(f"the live screen needs a terminal, and there is none ({error.strerror})") from error
    os.dup2(terminal, 0)
    os.close(terminal)
    return samples
