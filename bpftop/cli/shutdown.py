"""Ending on request: SIGTERM, SIGHUP and SIGINT (Ctrl-C) unwind the program, so that what is attached is detached.

A signal raises only where the program waits (``interruptible``). Elsewhere it is kept until then: an exception out of
nowhere would tear the set-up and the clean-up in the middle, or be lost in a callback that may not raise.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Ended(BaseException):
    """A signal asked the program to end. Not an error, hence no Exception: only who means it may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _State:
    """``asked`` is the signal that came first, 0 before it; ``waiting``: it may raise now."""

    asked = 0
    waiting = False


_state = _State()


@contextmanager
def ending_signals() -> Iterator[None]:
    """While this lasts, the main thread can be ended by signals, where it is ``interruptible``.

    A signal that was ignored at the start (nohup, or a background job of a script) stays ignored.
    """
    _state.asked, _state.waiting = 0, False
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
    """Raises Ended as soon as a signal comes, or at once where one has come already; in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        _state.waiting = True
        if _state.asked:
            raise Ended(_state.asked)
        yield
    finally:
        _state.waiting = False


def wanted() -> list[signal.Signals]:
    """The ending signals that whoever started this process did not ask it to ignore."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def ignore() -> None:
    """Let nothing but SIGKILL disturb what remains to be cleaned up."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    _state.asked = _state.asked or number
    if _state.waiting:
        _state.waiting = False
        raise Ended(_state.asked)
