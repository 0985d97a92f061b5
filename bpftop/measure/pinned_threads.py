"""Threads pinned to chosen CPUs; the caller waits for them and can be interrupted."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_map import Stop

T = TypeVar("T")
_POLL_S = 0.05


def run_pinned(
    work: Sequence[Callable[[], T]], cpus: Sequence[int], stop: Stop, give_up: Callable[[], None] = lambda: None
) -> list[T]:
    """Run each piece of work on its CPU, all at the same time, and return the results in order.

    The first exception of a thread is raised after all threads have ended. ``give_up`` is called when a thread fails,
    so that the others do not wait for it. An interrupt of the caller sets ``stop``, and is raised when all threads
    have ended.
    """
    results: dict[int, T] = {}
    errors: list[BaseException] = []
    ended = threading.Semaphore(0)

    def body(number: int, piece: Callable[[], T], cpu: int) -> None:
        try:
            _pin(cpu)
            results[number] = piece()
        except BaseException as error:  # noqa: BLE001 raised in the caller's thread
            errors.append(error)
            give_up()
        finally:
            ended.release()

    started = awaited = 0
    try:
        for number, (piece, cpu) in enumerate(zip(work, cpus, strict=True)):
            threading.Thread(target=body, args=(number, piece, cpu), name=f"profile-{cpu}", daemon=True).start()
            started += 1
        # An interrupted Thread.join takes a thread for ended that still uses our memory (CPython 3.10 to 3.12).
        while awaited < started:
            awaited += ended.acquire(timeout=_POLL_S)
    except BaseException:
        stop.set()
        give_up()
        while awaited < started:
            awaited += ended.acquire()
        raise
    if errors:
        raise errors[0]
    return [results[number] for number in range(started)]


def on_cpu(cpu: int, stop: Stop, piece: Callable[[], T]) -> T:
    """Run one piece of work on a CPU and return its result."""
    return run_pinned([piece], [cpu], stop)[0]


def _pin(cpu: int) -> None:
    try:
        os.sched_setaffinity(0, {cpu})  # 0: this thread
    except OSError as error:
        raise BpftopError(
            f"cannot run on CPU {cpu}: {error.strerror}; choose fewer threads, or allow this process more CPUs"
        ) from error
