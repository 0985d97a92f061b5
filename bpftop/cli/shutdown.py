"""End by SIGTERM, SIGHUP and SIGINT (Ctrl-C): they unwind the program, so that everything is detached.

A signal raises an exception only while the program waits (``interruptible``), or else at the next wait. Elsewhere an
exception could interrupt set-up or clean-up halfway, or be lost in a callback that must not raise.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Ended(BaseException):
    """A signal asked the program to end. A BaseException, so that ``except Exception`` does not catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _State:
    """``signal`` is the number of the first signal, or 0. ``waiting``: a signal may raise now."""

    signal = 0
    waiting = False


_state = _State()


@contextmanager
def ending_signals() -> Iterator[None]:
    """Let signals end the main thread inside the block, where it is ``interruptible``.

    A signal that was ignored at the start (nohup, or a background job of a script) stays ignored.
    """
    _state.signal, _state.waiting = 0, False
    before = {number: signal.getsignal(number) for number in wanted()}
    for number in before:
        signal.signal(number, _on_signal)
    try:
        yield
    finally:
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


def wanted() -> list[signal.Signals]:
    """Return the ending signals that were not ignored when this process started."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def ignore() -> None:
    """Ignore the ending signals during the rest of the clean-up."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    _state.signal = _state.signal or number
    if _state.waiting:
        _state.waiting = False
        raise Ended(_state.signal)
