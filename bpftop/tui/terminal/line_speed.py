"""Measure the speed of a line by questions that the terminal answers once it has read the output before them.

Nothing nearer than the terminal knows the line. A write to a pseudo-terminal blocks only after 20 KiB, which are 17 s
at 1 200 bytes a second; TIOCOUTQ is 0 until then, and sshd reads ahead of its connection besides.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

QUESTION = "\x1b[6n"
"""Asks for the position of the cursor: DSR of ECMA-48, 8.3.35, which terminals since the VT100 answer."""
MEASURED_BYTES = 256
"""The answer to fewer bytes says little about the speed of the line."""
SLOW_BYTES_PER_SEC = 4_000
FAST_BYTES_PER_SEC = 20_000
SLOW_DELAY_S = 0.25
"""A shorter delay is not felt, and a busy machine has as much."""
SLOW_ANSWERS = 2
"""Answers in a row that make a line slow: one alone may be a hiccup."""
FIRST_DELAY_S = 0.6
"""A delay of the first picture that makes a line slow by itself: ticks may be too small to measure it again."""
FAST_ANSWERS = 100
"""Answers in a row that make a slow line fast again: about a minute of ticks."""
SLOW_CHUNK, FIRST_CHUNK = 400, 1_000
"""Bytes that are under way at once on a slow line, and while the speed is unknown."""
BEHIND_S = 1.0
"""On a line that is not slow, ticks wait while an answer is missing for longer than this."""
GIVE_UP_S = 10.0
"""An answer that has not come by then is lost. Nothing waits for answers until the terminal answers again."""


class LineSpeed:
    """Counts the bytes under way to a terminal. A terminal that never answers is never waited for.

    ``heard`` is called by the thread that reads the terminal, all others by the thread that writes.

    Args:
        clock: Returns seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.is_slow: bool | None = None
        """None: not known yet."""
        self.bytes_per_sec = 0.0
        """The speed by the last slow answer."""
        self.answers = False
        self._asked: deque[tuple[int, float]] = deque()  # bytes since the question before, and the time of the question
        self._unasked_bytes = 0
        self._shortest_s = float("inf")  # from a question to its answer: the way there and back
        self._slow_in_row = self._fast_in_row = 0

    def begin(self) -> str:
        """Return the first question to a terminal. Older questions are forgotten."""
        self._asked.clear()
        self._unasked_bytes = 0
        return self._ask()

    def limit(self) -> int | None:
        """Return how many bytes may be written now; None: any number."""
        waited_s = self._waited_s()
        if waited_s is not None and waited_s > GIVE_UP_S:
            self.answers = False
        if not self.answers or self.is_slow is False:
            return None
        if waited_s is not None:
            return 0
        return SLOW_CHUNK if self.is_slow else FIRST_CHUNK

    @property
    def is_awaited(self) -> bool:
        """True if the terminal owes an answer, and is one that answers."""
        return self.answers and bool(self._asked)

    @property
    def is_behind(self) -> bool:
        """True if a tick would only wait behind the bytes under way."""
        if self.is_slow is False:
            return self.answers and (self._waited_s() or 0.0) > BEHIND_S
        return self.limit() == 0

    def _waited_s(self) -> float | None:
        """Return for how long the terminal has owed its oldest answer; None if it owes none.

        The thread that reads the terminal may take the answer, and with it the question, at any moment.
        """
        try:
            _, asked_s = self._asked[0]
        except IndexError:
            return None
        return self._clock() - asked_s

    def wrote(self, size: int) -> str:
        """Count bytes, and return the question to write after them; empty: none."""
        self._unasked_bytes += size
        if not self.answers or self._asked or not size:
            return ""
        return self._ask() if self.is_slow is not False or self._unasked_bytes >= MEASURED_BYTES else ""

    def _ask(self) -> str:
        self._asked.append((self._unasked_bytes, self._clock()))
        self._unasked_bytes = 0
        return QUESTION

    def heard(self) -> None:
        """Take the answer to the oldest question."""
        try:
            size, asked_s = self._asked.popleft()
        except IndexError:
            return  # F3 with a modifier is the same sequence; or the question has just been forgotten
        took_s = self._clock() - asked_s
        self.answers = True
        self._shortest_s = min(self._shortest_s, took_s)
        if size < MEASURED_BYTES:
            return
        delay_s = took_s - self._shortest_s
        is_slow = delay_s > SLOW_DELAY_S and size < SLOW_BYTES_PER_SEC * delay_s
        self._slow_in_row = self._slow_in_row + 1 if is_slow else 0
        self._fast_in_row = self._fast_in_row + 1 if size > FAST_BYTES_PER_SEC * delay_s else 0
        if is_slow:
            self.bytes_per_sec = size / delay_s
        if self._slow_in_row >= SLOW_ANSWERS or (is_slow and self.is_slow is None and delay_s > FIRST_DELAY_S):
            self.is_slow = True
        elif not is_slow and (self.is_slow is None or self._fast_in_row >= FAST_ANSWERS):
            self.is_slow = False
