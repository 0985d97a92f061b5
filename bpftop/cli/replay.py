"""``bpftop replay``: the live screen on a recording, or on samples from standard input; one moment of it without."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bpftop.cli.options import add_output, add_settings, add_theme, settings_of
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import SNAPSHOT

if TYPE_CHECKING:
    from bpftop.store.recording import Recording
    from bpftop.store.replay import Replay

STDIN = "-"
_PAST_NS = 600 * 10**9
"""What a rule may look back on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recording", metavar="FILE|-", help="what `bpftop record` wrote; -: lines of `bpftop watch --format samples`"
    )
    parser.add_argument(
        "--at", metavar="MOMENT", help="begin there: 03:12, 03:12:44, 2025-11-26T03:12Z (UTC), or -5m from the end"
    )
    parser.add_argument(
        "--format", choices=tuple(SNAPSHOT), metavar="FORMAT",
        help=f"no screen, but the moment as a document: {', '.join(SNAPSHOT)} (with -o alone: json)",
    )  # fmt: skip
    parser._negative_number_matcher = re.compile("-[0-9]")  # so that `--at -5m` needs no `=`; argparse takes only -5
    add_output(parser, "once the document is there")
    add_settings(parser)
    add_theme(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.recording == STDIN:
        return _stream(arguments)
    from bpftop.store.recording import Recording

    recording = Recording(arguments.recording)
    _say_what_is_missing(recording)
    if arguments.format or arguments.output:
        return _document(arguments, recording)
    from bpftop.cli.screen import require_terminal, screen_settings, show, theme_of
    from bpftop.store.replay import Replay

    require_terminal("`bpftop replay FILE --at MOMENT --format table` does without one")
    settings = screen_settings(arguments)
    theme = theme_of(arguments, settings)
    replay = Replay(recording, _tick(recording, arguments.at) if arguments.at else None)
    return show(replay, settings, theme, replay=replay, remarks=lambda: _remarks(replay))


def _say_what_is_missing(recording: Recording) -> None:
    from bpftop.cli.output import complain

    extent = recording.extent()
    if extent is not None and extent.lost:
        whole = extent.ticks + extent.lost
        complain(f"{recording.path}: {extent.lost} of {whole} ticks are missing: the disk did not take them in time")


def _document(arguments: argparse.Namespace, recording: Recording) -> int:
    """The moment as the screen showed it then, as a document."""
    from bpftop.cli.output import opened
    from bpftop.history.analyzer import Analyzer

    settings = settings_of(arguments)
    tick = _tick(recording, arguments.at)
    analyzer = Analyzer(settings.rules())
    for one in recording.ticks(recording.first_tick_within(tick, _PAST_NS), tick):
        analyzer.push(one.sample)
    if analyzer.snapshot is None:
        raise BpftopError(f"{recording.path} has no tick at {arguments.at} any more: the recorder let it go")
    chosen = SNAPSHOT[arguments.format or "json"]
    with opened(arguments.output, private=not chosen.public) as output:
        output.write(chosen.load()(analyzer.snapshot))
    return 0


def _tick(recording: Recording, moment: str | None) -> int:
    """Of this moment, or the last one."""
    from bpftop.store.time_expressions import moment as wall_clock

    extent = recording.extent()
    if extent is None:
        raise BpftopError(f"{recording.path} has no tick any more")
    if not moment:
        return extent.last
    return recording.tick_at(wall_clock(moment, extent.begin_ns, extent.end_ns, extent.last_ns))


def _remarks(replay: Replay) -> Iterator[str]:
    if replay.lost:
        yield f"{replay.lost} ticks before this one are missing: the disk did not take them in time"
    if replay.at_end:
        yield "this is the end of the recording; ← goes back, @ elsewhere"


def _stream(arguments: argparse.Namespace) -> int:
    if arguments.at or arguments.format or arguments.output:
        raise UsageError("--at, --format and -o are for a file: samples from standard input come as they come")
    from bpftop.cli.screen import require_terminal, screen_settings, show, theme_of
    from bpftop.store.line_source import LineSource

    source = LineSource(_keyboard_beside_stdin())
    require_terminal("start it in one")
    settings = screen_settings(arguments)
    theme = theme_of(arguments, settings)

    def remarks() -> Iterator[str]:
        if source.skipped:
            yield f"{source.skipped} lines were no whole samples and were left out; of the last one: {source.why}"

    return show(source, settings, theme, live=False, remarks=remarks)


def _keyboard_beside_stdin() -> int:
    """Standard input's descriptor under another number; its own becomes the terminal, where the keys come from.

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
