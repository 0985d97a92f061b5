"""Waiting for a condition, with a limit so long that no busy machine reaches it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from bpftop.model.snapshot import Snapshot
    from bpftop.tui.sampling_thread import SamplingThread

Result = TypeVar("Result")

LIMIT_S = 60.0
POLL_S = 0.01


def until(condition: Callable[[], Result | None], what: str | Callable[[], object], limit_s: float = LIMIT_S) -> Result:
    """Call ``condition`` until it returns a true value, and return that value.

    Args:
        what: the condition in words, or a function that returns the state to report.

    Raises:
        AssertionError: the condition is still false after ``limit_s`` seconds.
    """
    for result in _attempts(condition, what, limit_s):
        if result:
            return result
        time.sleep(POLL_S)
    raise AssertionError("not reached")


def first_rates(sampling_thread: SamplingThread) -> Snapshot:
    """Return the newest snapshot as soon as there are rates. Raises the error of the source."""
    until(lambda: sampling_thread.ended or _has_rates(sampling_thread.latest), "rates, or the end of the source")
    if sampling_thread.error is not None:
        raise sampling_thread.error
    assert sampling_thread.latest is not None
    return sampling_thread.latest


def _has_rates(snapshot: Snapshot | None) -> bool:
    return snapshot is not None and snapshot.interval_ns is not None


async def until_async(
    condition: Callable[[], Result | None], what: str | Callable[[], object], limit_s: float = LIMIT_S
) -> Result:
    """Do what ``until`` does, and leave the event loop to others meanwhile."""
    for result in _attempts(condition, what, limit_s):
        if result:
            return result
        await asyncio.sleep(POLL_S / 5)
    raise AssertionError("not reached")


def _attempts(
    condition: Callable[[], Result | None], what: str | Callable[[], object], limit_s: float
) -> Iterator[Result | None]:
    end_s = time.monotonic() + limit_s
    late = False
    while not late:
        # The clock is read before the condition: a stall between the two must not fail a condition that holds by now.
        late = time.monotonic() > end_s
        yield condition()
    raise AssertionError(f"still not after {limit_s:g} s: {what() if callable(what) else what}")
