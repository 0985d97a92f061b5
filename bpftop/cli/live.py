"""The source of the verbs that watch this machine, and what its interfaces have to say, for those without a screen."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue

from bpftop.cli.options import attach_choice, interfaces, netns_name
from bpftop.cli.output import complain
from bpftop.cli.signals import interruptible
from bpftop.config import Settings
from bpftop.model.sample import Sample
from bpftop.model.source import Source

SAMPLES_KEPT = 8
"""How many samples wait for a reader that does not keep up; then ticks are left out, and rates span more than one."""

_Item = Sample | BaseException | None
"""None: there will be no more."""


@contextmanager
def live_samples(
    arguments: argparse.Namespace, settings: Settings, *, count: int | None = None
) -> Iterator[tuple[Iterator[Sample], Callable[[], None]]]:
    """Samples of the named interfaces for a verb that asks nobody; the first two are a whole interval apart.

    They are taken in a thread of its own, which signals do not reach: it attaches and detaches undisturbed. ``count``:
    take no more than these. The second value ends the samples, from any thread. When the block ends, all is detached.
    """
    from bpftop.collect.live import LiveSource

    choice = attach_choice(arguments, settings)
    source = LiveSource(
        interfaces(arguments),
        attach=choice.attach,
        yes=choice.yes,
        interactive=False,
        interval_s=settings.interval_s,
        first_gap_s=None,
        retreat_bits_per_sec=settings.retreat_bits_per_sec,
        netns=arguments.netns,
        netns_name=netns_name(arguments.netns),
    )
    taken: SimpleQueue[_Item] = SimpleQueue()
    sampler = threading.Thread(target=_take, args=(source, count, taken), name="sampler", daemon=True)
    sampler.start()
    try:
        yield _arriving(taken), source.close
    finally:
        source.close()
        sampler.join()


def _take(source: Source, count: int | None, taken: SimpleQueue[_Item]) -> None:
    samples = source.samples()
    try:
        for sample in islice(samples, count):
            if taken.qsize() < SAMPLES_KEPT:
                taken.put(sample)
        if isinstance(samples, Generator):
            samples.close()  # detaches now, and not when the garbage is collected
    except BaseException as error:  # noqa: BLE001 handed over to the main thread
        taken.put(error)
    finally:
        taken.put(None)


def _arriving(taken: SimpleQueue[_Item]) -> Iterator[Sample]:
    while True:
        with interruptible():
            item = taken.get()
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        yield item


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
