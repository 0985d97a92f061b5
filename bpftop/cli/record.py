"""``bpftop record``: no screen; every tick of interfaces of this machine into one file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bpftop.cli.options import add_attach, add_interfaces, add_settings, settings_of
from bpftop.cli.shutdown import Ended
from bpftop.cli.watch import duration_s, until
from bpftop.errors import UsageError

if TYPE_CHECKING:
    from bpftop.history.analyzer import Analyzer
    from bpftop.model.sample import Sample
    from bpftop.store.recorder import Recorder
    from bpftop.store.writer import Limits

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kMGT]?)i?B?")
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_interfaces(parser, required=True)
    add_settings(parser)
    add_attach(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="the recording; one that is there already is gone on with"
    )
    parser.add_argument("--duration", metavar="SECONDS", type=duration_s, help="end after this time")
    parser.add_argument(
        "--max-size", metavar="SIZE", type=_size, help="let the oldest ticks go where it would be larger: 500M, 2G"
    )
    parser.add_argument(
        "--keep", metavar="TIME|N", type=_keep, help="let ticks go that are older than this: 30m, 24h, 7d; N: all but N"
    )


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import LiveOptions, arriving
    from bpftop.cli.output import complain
    from bpftop.cli.recording_switch import ended
    from bpftop.collect.broadcast import Broadcast
    from bpftop.history.analyzer import Analyzer
    from bpftop.store.recorder import Recorder

    if arguments.output == "-":
        raise UsageError("a recording is a file and cannot go to standard output; `bpftop watch --format samples` can")
    settings = settings_of(arguments)
    limits, analyzer = _limits(arguments), Analyzer(settings.rules())
    broadcast = Broadcast(LiveOptions.of(arguments, settings).source())
    recorder = Recorder(arguments.output, limits)
    broadcast.tap(recorder.offer)
    reader = broadcast.reader()
    try:
        with broadcast:
            timely = until(arriving(reader.samples()), arguments.duration, settings.interval_s)
            _follow(timely, recorder, analyzer)
    except Ended:  # how one ends it: no error
        pass
    finally:
        progress = recorder.close()
    complain(f"recording {ended(progress)}")
    return 1 if progress.trouble else 0


def _follow(samples: Iterable[Sample], recorder: Recorder, analyzer: Analyzer) -> None:
    """Say what the interfaces and the disk have to say; around findings every CPU is recorded in every tick."""
    from bpftop.cli.live_source import Notices
    from bpftop.cli.output import complain

    notices, trouble = Notices(), None
    for sample in samples:
        notices.print_new(sample)
        recorder.offer_findings(sample.mono_ns, analyzer.push(sample).diagnosis.findings)
        now = recorder.progress
        if now.trouble != trouble:
            complain(now.trouble or f"{now.path} can be written again; {now.lost} ticks were lost")
            trouble = now.trouble


def _limits(arguments: argparse.Namespace) -> Limits:
    from bpftop.store.writer import Limits

    ticks, age_s = arguments.keep or (None, None)
    return Limits(arguments.max_size, ticks, None if age_s is None else int(age_s * 1e9))


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 500M or 2G")
    return int(float(found[1]) * 1024 ** _POWERS[found[2]])


def _keep(text: str) -> tuple[int | None, float | None]:
    """How many ticks, or how many seconds."""
    found = _AGE.fullmatch(text)
    if found is None or float(found[1]) <= 0 or (not found[2] and "." in found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a time, such as 24h, nor a number of ticks")
    return (None, float(found[1]) * _SECONDS[found[2]]) if found[2] else (int(found[1]), None)
