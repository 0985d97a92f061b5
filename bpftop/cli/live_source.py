"""The one builder of live sources, and helpers for the verbs that follow a live source without a screen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bpftop.cli.garbage_collection import SOON_S, garbage_kept, look_for_cycles_by
from bpftop.cli.options import attach_request, interface_names, netns_name
from bpftop.cli.output import complain
from bpftop.cli.shutdown import before_forced_exit, interruptible
from bpftop.config.settings import Settings
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.sample import Sample

if TYPE_CHECKING:
    from bpftop.collect.attach.attachments import AttachProgress
    from bpftop.collect.live import LiveSource
    from bpftop.demo.lab import Lab
    from bpftop.model.snapshot import Snapshot
    from bpftop.model.source import SampleSource

_PROGRESS_EVERY_S = 1.0

_NOTICES_MAX = 20
"""Notices printed at a time. Hundreds of interfaces have the same notice each."""

DETACH_LIMIT_S = 5.0
"""Longest wait for a detach before a forced exit. Only drivers that reset their rings for it take above 0.1 s."""


def live_source(
    arguments: argparse.Namespace, settings: Settings, *, on_screen: AttachProgress | None = None
) -> LiveSource:
    """Return a source that attaches when its samples are read, by the arguments of a verb and the configuration.

    Raises BpftopError without any interface. ``on_screen``: called while a source for the screen attaches, where the
    person can answer an offer to attach native XDP. A source without a screen prints its progress.
    """
    names = interface_names(arguments)
    look_for_cycles_by(len(names))
    request = attach_request(arguments, settings, interactive=on_screen is not None)
    with garbage_kept():
        from bpftop.collect.attach.early_start import EarlyStart

        early: EarlyStart | None = arguments.early
        if early is None and request.attach != "none":  # the words did not tell that they count
            early = EarlyStart()
        if early is not None and arguments.netns is None:
            early.read_devices(names)
            early.begin_attaching(request)
        from bpftop.collect.live import LiveSource
        from bpftop.collect.live_options import SCREEN_GAP_S, LiveOptions

    options = LiveOptions(
        request,
        interval_s=settings.interval_s,
        first_gap_s=None if on_screen is None else SCREEN_GAP_S,
        traffic_first=on_screen is not None,
        netns=arguments.netns,
        netns_name=netns_name(arguments.netns),
        drops=arguments.drops,
        bpf="statistics" if arguments.bpf else "list" if arguments.lists_bpf else "off",
        inner_flows=arguments.inner,
    )
    source = LiveSource(names, options, on_screen or _PrintedProgress(), early)
    if early is not None:
        early.taken = True
    return source


def demo_source(lab: Lab, interval_s: float = 1.0, drops: bool = True) -> LiveSource:
    """Return a source for the screen on the interface of the demo."""
    from bpftop.collect.live import LiveSource
    from bpftop.collect.live_options import LiveOptions

    request = AttachRequest("native", may_disturb_device=True, terminal=True)
    options = LiveOptions(request, interval_s, traffic_first=True, netns=lab.netns_path(), drops=drops)
    return LiveSource([lab.interface], options)


class _PrintedProgress:
    """Prints once a second how many interfaces are attached: all of them are, before the first sample is taken.

    So each row of a document is counted by the same means, and over the same interval.
    """

    def __init__(self) -> None:
        self._due_s = time.monotonic() + _PROGRESS_EVERY_S

    def __call__(self, attached: int, total: int) -> None:
        if attached < total and time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + _PROGRESS_EVERY_S
            complain(f"attached {attached} of {total} interfaces.")


class ProgressRemark:
    """The remark of the screen that interfaces still wait for their programs."""

    def __init__(self) -> None:
        self._counts = (0, 0)

    def __call__(self, attached: int, total: int) -> None:
        self._counts = attached, total

    def remarks(self) -> tuple[str, ...]:
        attached, total = self._counts
        if attached == total:
            return ()
        return (f"attached {attached} of {total} interfaces; the others show rtnetlink's totals meanwhile",)


@contextmanager
def live_samples(
    arguments: argparse.Namespace, settings: Settings, *, count: int | None = None
) -> Iterator[tuple[Iterator[Sample], Callable[[], None]]]:
    """Yield the samples of a live source, at most ``count``, and a function that ends them from any thread.

    The source runs in a thread of its own. Everything is detached when the block ends.
    """
    with live_session(arguments, settings, count=count) as (samples, source):
        yield samples, source.close


@contextmanager
def live_session(
    arguments: argparse.Namespace, settings: Settings, *, count: int | None = None, flows: bool = False
) -> Iterator[tuple[Iterator[Sample], SampleSource]]:
    """Yield the samples of a live source as ``live_samples`` does, and the source. ``flows``: count flows."""
    source = live_source(arguments, settings)
    with garbage_kept():
        from bpftop.collect.broadcast import Broadcast  # late: a program is being loaded by now

    broadcast = Broadcast(source, count)
    reader = broadcast.reader()
    with before_forced_exit(partial(broadcast.close, DETACH_LIMIT_S)), broadcast:
        source.wait_until_attached()
        with garbage_kept(SOON_S):
            import bpftop.collect.registry  # noqa: F401 the source needs it once it has attached

            # isort: split
            import psutil  # noqa: F401 and this at the second sample
        if flows:
            source.watch_flows(True)
        yield arriving(reader.samples()), source


def flow_sampling(settings: Settings, source: SampleSource) -> Callable[[Snapshot], object]:
    """Return a function that looks at each snapshot, and has flows counted for some seconds where a finding asks."""
    if settings.flows_on_finding == "never":
        return lambda snapshot: None
    from bpftop.history.flow_sampling import FlowSampling

    return FlowSampling(source.sample_flows).look_at


def arriving(samples: Generator[Sample, None, None]) -> Iterator[Sample]:
    """Pass the samples on; a signal ends the wait for the next sample."""
    while True:
        with interruptible():
            sample = next(samples, None)
        if sample is None:
            return
        yield sample


def with_notices(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Pass the samples on, and print the notices of their interfaces, each once for as long as it holds."""
    known: Collection[str] = ()
    for sample in samples:
        known = print_notices(sample, known)
        yield sample


def print_notices(sample: Sample, known: Collection[str] = ()) -> frozenset[str]:
    """Print the notices of the interfaces that are not ``known``. Return all notices."""
    notices = [f"{interface.label}: {notice}" for interface in sample.interfaces for notice in interface.notices]
    new = [notice for notice in notices if notice not in known]
    for notice in new[:_NOTICES_MAX]:
        complain(notice)
    if len(new) > _NOTICES_MAX:
        complain(f"{len(new) - _NOTICES_MAX} more notices are in `bpftop snapshot --format json`.")
    return frozenset(notices)
