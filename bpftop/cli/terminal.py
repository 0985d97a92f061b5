"""Giving the terminal back when the program cannot leave the screen in the ordinary way."""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress

from bpftop.tui.terminal.traits import BELOW_SCREEN

_LEAVE_SCREEN = (
    f"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?7h\x1b[?1004l\x1b[?2004l\x1b[<u{BELOW_SCREEN}\x1b[?1049l\x1b[?25h\r"
).encode()
"""End the reports of mouse and focus, bracketed paste and the kitty keyboard modes; wrap lines; leave the screen."""

_RETRY_S = 0.3


def terminal_restorer() -> Callable[[], None]:
    """Return a function that gives the terminal its present modes again, and leaves the alternate screen.

    The function drops output that the terminal has not taken and undoes Ctrl-S. It never waits for the terminal.
    """
    terminal = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2
    modes = termios.tcgetattr(terminal)

    def restore() -> None:
        # A background process would be stopped by its change of the terminal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with suppress(termios.error, OSError):
            termios.tcsetattr(terminal, termios.TCSANOW, modes)
            # A description of its own: O_NONBLOCK on the inherited description would reach the shell.
            descriptor = os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            end_s = time.monotonic() + _RETRY_S
            while not _written(descriptor) and time.monotonic() < end_s:
                time.sleep(0.005)  # a thread of Textual still writes: it holds the terminal's lock meanwhile

    return restore


def _written(descriptor: int) -> bool:
    termios.tcflow(descriptor, termios.TCOOFF)  # only a change from stopped to started wakes a blocked writer
    termios.tcflush(descriptor, termios.TCOFLUSH)
    termios.tcflow(descriptor, termios.TCOON)
    try:
        return os.write(descriptor, _LEAVE_SCREEN) == len(_LEAVE_SCREEN)
    except BlockingIOError:
        return False
