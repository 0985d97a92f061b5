"""End by a signal: SIGTERM, SIGHUP, SIGQUIT and SIGINT (Ctrl-C) unwind the program, so that everything is detached.

A signal raises an exception only while the program waits (``interruptible``), or else at the next wait. Elsewhere an
exception could interrupt set-up or clean-up halfway, or be lost in a callback that must not raise. Where no wait comes
(a file system that hangs, a terminal that takes nothing), the process detaches and exits ``GRACE_S`` after the signal.
Time in which this process was ready to run and got no CPU is added: on a busy machine an orderly end takes longer.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType, MappingProxyType

from bpftop.config.resources import waits_for_cpu_ns

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
GRACE_S = 1.2
WITHOUT_CPU_MOST_S = 10.0
"""Longest time without a CPU that is added to GRACE_S."""
_LOOK_S = 0.2


class Ended(BaseException):
    """A signal asked the program to end. A BaseException, so that ``except Exception`` does not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _State:
    """``signal`` is the number of the first signal, or 0. ``pending`` is the number that every wait raises, or 0.

    ``waiting``: a signal may raise now. ``quit`` handles a signal instead of an exception. ``last_steps`` run before a
    forced exit, newest first. ``force_s`` is the time of the forced exit (CLOCK_MONOTONIC), ``latest_s`` the latest to
    which it may move, ``waits_ns`` the last answer of ``waits_for_cpu_ns``. ``was_put_off``: it was put off for a step.
    """

    signal = 0
    pending = 0
    force_s = latest_s = 0.0
    waits_ns: Mapping[str, int] = MappingProxyType({})
    was_put_off = False
    waiting = False
    quit: Callable[[], object] | None = None
    last_steps: tuple[Callable[[], object], ...] = ()


_state = _State()


@contextmanager
def ending_signals() -> Iterator[None]:
    """Let signals end the main thread inside the block, where it is ``interruptible``.

    A signal that was ignored at the start (nohup, or a background job of a script) stays ignored.
    """
    _state.signal, _state.pending, _state.waiting, _state.was_put_off = 0, 0, False, False
    before = {number: signal.getsignal(number) for number in (*wanted(), signal.SIGALRM)}
    for number in before:
        signal.signal(number, _on_alarm if number == signal.SIGALRM else _on_signal)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Ended in the block as soon as a signal comes, or at once after an earlier signal; main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        _state.waiting = True
        if _state.pending:
            raise Ended(_state.pending)
        yield
    finally:
        _state.waiting = False


def interruptible_sleep(seconds: float) -> None:
    """Sleep; raise Ended as soon as a signal comes, or at once after an earlier signal."""
    with interruptible():
        time.sleep(seconds)


def acknowledge() -> None:
    """Let the waits from now on wait again, until another signal comes: the program knows of the signals so far.

    The time until a forced exit goes on.
    """
    _state.pending = 0


@contextmanager
def quitting(quit_program: Callable[[], object]) -> Iterator[None]:
    """Call ``quit_program`` for every signal inside the block; no signal raises there."""
    _state.quit = quit_program
    try:
        if _state.pending:
            quit_program()
        yield
    finally:
        _state.quit = None


@contextmanager
def before_forced_exit(step: Callable[[], object]) -> Iterator[None]:
    """Run ``step`` before a forced exit inside the block. It returns True if it had to wait until all is detached."""
    before, _state.last_steps = _state.last_steps, (step, *_state.last_steps)
    try:
        yield
    finally:
        _state.last_steps = before


def wanted() -> list[signal.Signals]:
    """Return the ending signals that were not ignored when this process started."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def _on_signal(number: int, _frame: FrameType | None) -> None:
    if not _state.signal:
        _state.signal = number
        _start_grace()
    _state.pending = _state.pending or number
    if _state.quit is not None:
        _state.quit()
    elif _state.waiting:
        _state.waiting = False
        raise Ended(_state.pending)


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    """Put the forced exit off by the time that threads waited for a CPU; it is looked up often, before threads end."""
    before, _state.waits_ns = _state.waits_ns, waits_for_cpu_ns()
    waited_ns = sum(wait_ns - before.get(thread, 0) for thread, wait_ns in _state.waits_ns.items())
    _state.force_s = min(_state.force_s + waited_ns / 1e9, _state.latest_s)
    if time.monotonic() >= _state.force_s:
        _force_exit()


def _force_exit() -> None:
    """Detach and exit without unwinding: the main thread may be stuck in a call that never returns.

    Where a step had to detach, the main thread may have waited for that: once, it gets GRACE_S more for an orderly end.
    """
    signal.setitimer(signal.ITIMER_REAL, 0)
    detached = False
    for step in _state.last_steps:
        with suppress(Exception):
            detached = step() is True or detached
    if _state.was_put_off or not detached:
        os._exit(128 + _state.signal)
    _state.was_put_off = True
    _start_grace()


def _start_grace() -> None:
    _state.force_s = time.monotonic() + GRACE_S
    _state.latest_s = _state.force_s + WITHOUT_CPU_MOST_S
    _state.waits_ns = waits_for_cpu_ns()
    signal.setitimer(signal.ITIMER_REAL, _LOOK_S, _LOOK_S)
