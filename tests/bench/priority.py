"""Measure before everything else that the machine does: a busy program waits instead of taking turns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def undisturbed() -> Iterator[None]:
    """Run this thread, and the threads and programs that it starts, by SCHED_FIFO.

    Not for threads that compete with each other for a CPU: they would not take turns either. A container that refuses
    SCHED_FIFO measures without it.
    """
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)
