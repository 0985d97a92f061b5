"""``bpftop record``: record every sample into one file, without a screen."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from bpftop.cli.options import add_bpf, add_live, number, settings_of, whole
from bpftop.cli.shutdown import Ended, before_forced_exit
from bpftop.cli.verbs.watch import duration_s, until
from bpftop.errors import UsageError
from bpftop.model.source import RECORDED_FLOWS

if TYPE_CHECKING:
    from bpftop.history.analyzer import Analyzer
    from bpftop.model.sample import Sample
    from bpftop.model.snapshot import Snapshot
    from bpftop.store.recorder import Recorder
    from bpftop.store.recording_writer import RecordingLimits

AROUND_FINDINGS_NS = 30 * 86_400 * 10**9
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kMGT]?)i?B?")
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    add_bpf(parser, "record also what each BPF program costs; the programs and maps are recorded anyway")
    parser.set_defaults(lists_bpf=True)
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="recording to write; an existing recording is continued"
    )
    parser.add_argument(
        "--flows",
        metavar="N",
        type=number(whole, lambda value: value >= 0, "a whole number"),
        default=RECORDED_FLOWS,
        help="keep the N busiest flows of each interface and direction, with their processes "
        f"(default: {RECORDED_FLOWS}); 0: only those that are counted for 10 s when a flood or the like is found",
    )
    parser.add_argument("--duration", metavar="SECONDS", type=duration_s, help="end after this time")
    parser.add_argument(
        "--max-size",
        metavar="SIZE",
        type=size_bytes,
        help="limit of the file, as in 500M or 2G; the oldest samples are deleted",
    )
    parser.add_argument(
        "--ring",
        metavar="TIME",
        type=_ring_s,
        help="keep this time, as in 2h, and for 30 days what was around findings: for a recorder that runs for months",
    )
    parser.add_argument(
        "--keep",
        metavar="TIME|N",
        type=_keep,
        help="delete samples older than this: 30m, 24h, 7d; N: keep the last N samples",
    )


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import DETACH_LIMIT_S, arriving, flow_sampling, live_source, with_notices
    from bpftop.cli.output import complain
    from bpftop.cli.recording_switch import ended
    from bpftop.collect.broadcast import Broadcast
    from bpftop.history.analyzer import Analyzer
    from bpftop.history.top_flows import with_top_flows
    from bpftop.kernel.least_privilege import FILES, SAMPLING, keep_only, refuse_system_calls
    from bpftop.store.recorder import Recorder

    if arguments.output == "-":
        raise UsageError("a recording is a file and cannot go to standard output; `bpftop watch --format samples` can")
    settings = settings_of(arguments)
    limits, analyzer = _limits(arguments), Analyzer(settings.rules())
    broadcast = Broadcast(live_source(arguments, settings))
    refuse_system_calls()
    keep_only((*SAMPLING, *FILES))
    recorder = Recorder(arguments.output, limits)
    keep_only(SAMPLING)
    broadcast.tap(lambda sample: recorder.offer(with_top_flows(sample, arguments.flows or RECORDED_FLOWS)))
    if arguments.flows:
        broadcast.source.watch_flows(True)
    reader = broadcast.reader()
    try:
        with before_forced_exit(partial(broadcast.close, DETACH_LIMIT_S)), broadcast:
            keep_only(())  # the recorder and the sampler have their threads and their privileges by now
            timely = until(arriving(reader.samples()), arguments.duration, settings.interval_s)
            _follow(with_notices(timely), recorder, analyzer, flow_sampling(settings, broadcast.source))
    except Ended:  # the normal end
        pass
    finally:
        progress = recorder.close()
    complain(f"recording {ended(progress)}")
    return 1 if progress.trouble else 0


def _follow(
    samples: Iterable[Sample], recorder: Recorder, analyzer: Analyzer, look_at: Callable[[Snapshot], object]
) -> None:
    """Pass the findings to the recorder and to ``look_at``, and print troubles of the disk."""
    from bpftop.cli.output import complain

    trouble: str | None = None
    low: str | None = None
    for sample in samples:
        snapshot = analyzer.push(sample)
        recorder.offer_findings(sample.mono_ns, snapshot.diagnosis.findings)
        look_at(snapshot)
        progress = recorder.progress
        if progress.trouble != trouble:
            complain(progress.trouble or f"{progress.path} can be written again; lost ticks: {progress.lost}")
            trouble = progress.trouble
        if progress.warning not in (trouble, low):
            low = progress.warning
            complain(str(low))


def _limits(arguments: argparse.Namespace) -> RecordingLimits:
    from bpftop.store.recording_writer import RecordingLimits

    if arguments.ring is not None:
        if arguments.keep is not None:
            raise UsageError("--ring says what is kept; leave --keep out")
        return RecordingLimits(arguments.max_size, None, int(arguments.ring * 1e9), AROUND_FINDINGS_NS)
    ticks, age_s = arguments.keep or (None, None)
    return RecordingLimits(arguments.max_size, ticks, None if age_s is None else int(age_s * 1e9))


def _ring_s(text: str) -> float:
    _, age_s = _keep(text)
    if age_s is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, such as 2h")
    return age_s


def size_bytes(text: str) -> int:
    """Parse a size such as 500M for argparse."""
    parts = _SIZE.fullmatch(text)
    if parts is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 500M or 2G")
    return int(float(parts[1]) * 1024 ** _POWERS[parts[2]])


def _keep(text: str) -> tuple[int | None, float | None]:
    """Return the number of ticks, or the number of seconds."""
    parts = _AGE.fullmatch(text)
    if parts is None or float(parts[1]) <= 0 or (not parts[2] and "." in parts[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a time, such as 24h, nor a number of ticks")
    return (None, float(parts[1]) * _SECONDS[parts[2]]) if parts[2] else (int(parts[1]), None)
