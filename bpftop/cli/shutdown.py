"""End by a signal: SIGTERM, SIGHUP, SIGQUIT and SIGINT (Ctrl-C) unwind the program, so that everything is detached.

A signal raises an exception only while the program waits (``interruptible``), or else at the next wait. Elsewhere an
exception could interrupt set-up or clean-up halfway, or be lost in a callback that must not raise. Where no wait comes
(a file system that hangs, a terminal that takes nothing), the process detaches and exits ``GRACE_S`` after the signal.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
GRACE_S = 1.2


class Ended(BaseException):
    """A signal asked the program to end. A BaseException, so that ``except Exception`` does not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _State:
    """``signal`` is the number of the first signal, or 0. ``waiting``: a signal may raise now.

    ``quit`` handles a signal instead of an exception. ``last_steps`` run before a forced exit, newest first.
    """

    signal = 0
    waiting = False
    quit: Callable[[], object] | None = None
    last_steps: tuple[Callable[[], object], ...] = ()


_state = _State()


@contextmanager
def ending_signals() -> Iterator[None]:
    """Let signals end the main thread inside the block, where it is ``interruptible``.

    A signal that was ignored at the start (nohup, or a background job of a script) stays ignored.
    """
    _state.signal, _state.waiting = 0, False
    before = {number: signal.getsignal(number) for number in (*wanted(), signal.SIGALRM)}
    for number in before:
        signal.signal(number, _force_exit if number == signal.SIGALRM else _on_signal)
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
        if _state.signal:
            raise Ended(_state.signal)
        yield
    finally:
        _state.waiting = False


@contextmanager
def quitting(quit_program: Callable[[], object]) -> Iterator[None]:
    """Call ``quit_program`` for every signal inside the block; no signal raises there."""
    _state.quit = quit_program
    try:
        if _state.signal:
            quit_program()
        yield
    finally:
        _state.quit = None


@contextmanager
def before_forced_exit(step: Callable[[], object]) -> Iterator[None]:
    """Run ``step``, which must take at most some tenths of a second, before a forced exit inside the block."""
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
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)
    if _state.quit is not None:
        _state.quit()
    elif _state.waiting:
        _state.waiting = False
        raise Ended(_state.signal)


def _force_exit(_number: int, _frame: FrameType | None) -> None:
    """Detach and exit without unwinding: the main thread may be stuck in a call that never returns."""
    for step in _state.last_steps:
        with suppress(Exception):
            step()
    os._exit(128 + _state.signal)
