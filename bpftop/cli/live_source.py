"""The source of the verbs that watch this machine, and what its interfaces have to say, for those without a screen."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bpftop.cli.options import attach_choice, interfaces, netns_name
from bpftop.cli.output import complain
from bpftop.cli.shutdown import interruptible
from bpftop.config import Settings
from bpftop.model.sample import Sample

if TYPE_CHECKING:
    from bpftop.collect.live import LiveSource


def live_source(arguments: argparse.Namespace, settings: Settings) -> LiveSource:
    """The named interfaces, for a verb that asks nobody; the first two samples are a whole interval apart."""
    from bpftop.collect.live import LiveSource

    choice = attach_choice(arguments, settings)
    return LiveSource(
        interfaces(arguments),
        attach=choice.attach,
        may_disturb_device=choice.may_disturb_device,
        interactive=False,
        interval_s=settings.interval_s,
        first_gap_s=None,
        retreat_bits_per_sec=settings.retreat_bits_per_sec,
        netns=arguments.netns,
        netns_name=netns_name(arguments.netns),
        drops=arguments.drops,
    )


@contextmanager
def live_samples(
    arguments: argparse.Namespace, settings: Settings, *, count: int | None = None
) -> Iterator[tuple[Iterator[Sample], Callable[[], None]]]:
    """Samples of ``live_source``, taken in a thread of its own; ``count``: no more than these.

    The second value ends them, from any thread. When the block ends, all is detached.
    """
    from bpftop.collect.broadcast import Broadcast

    fan = Broadcast(live_source(arguments, settings), count)
    reader = fan.reader()
    with fan:
        yield arriving(reader.samples()), fan.source.close


def arriving(samples: Generator[Sample, None, None]) -> Iterator[Sample]:
    """The samples, with a main thread that signals reach while it waits for one."""
    while True:
        with interruptible():
            sample = next(samples, None)
        if sample is None:
            return
        yield sample


class Notices:
    """Says on standard error what the interfaces' notices say, each sentence once for as long as it holds."""

    def __init__(self) -> None:
        self._holding: frozenset[tuple[str, str]] = frozenset()

    def say(self, sample: Sample) -> None:
        now = [(interface.label, notice) for interface in sample.interfaces for notice in interface.notices]
        for label, notice in now:
            if (label, notice) not in self._holding:
                complain(f"{label}: {notice}")
        self._holding = frozenset(now)
