"""Bytes that the live screen writes on a slow line: ticks with ``--low-bandwidth``, and the first rows of each pane.

A line of 1 200 bytes a second carries what stands before the first rows of a pane in so many seconds; they are worked
out from the bytes, so that nothing else on the machine changes the figure. Without ``--low-bandwidth`` the terminal
takes so many bytes a second and answers, and bytes that are under way when the key is pressed count, too.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from tempfile import TemporaryDirectory

import pyte

from bpftop.demo.lab import Lab
from tests.bench.figures import Figure
from tests.bench.programs import RATES, bpftop, environment
from tests.bench.terminal import COLUMNS, ROWS, UNKNOWN_TO_PYTE, OnTerminal, first_shown, gather

WINDOW_S = 60.0
SETTLE_S = 20.0
SWITCH_S = 4.0
LINE_BYTES_PER_SEC = 1_200
LIMIT_BYTES_PER_SEC = 1_000
LIMIT_FIRST_ROWS_S = 2.0
NOTICED = re.compile("line is slow")
NOTICED_WITHIN_S = 60.0
STEP_S = 0.05
STEP = 20
"""Bytes that the terminal takes between two looks at the screen."""

PANES: Mapping[str, re.Pattern[str]] = {
    "2": re.compile("NET_RX/s"),
    "3": re.compile("^Stage ", re.MULTILINE),
    "4": re.compile("^Other side ", re.MULTILINE),
    "8": re.compile("severity"),
    "1": re.compile("^LOST ", re.MULTILINE),
}
"""Key of a pane -> its first row: the titles of its table, or LOST on the Overview."""


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where the screen does not show rates."""
    with TemporaryDirectory(prefix="bpftop-bench-") as scratch, Lab() as lab:
        lab.start_traffic()
        netns_fd = os.open(lab.netns_path(), os.O_RDONLY | os.O_CLOEXEC)
        try:
            command = bpftop(lab.interface, "--xdp", "--low-bandwidth")
            with OnTerminal("bpftop", command, environment(scratch), netns_fd) as program:
                say(f"--low-bandwidth for {WINDOW_S:.0f} s")
                first_shown(program, RATES, 20.0, 1.0)
                gather([program], time.perf_counter() + SETTLE_S)
                yield _ticks(program)
                say("the first rows of each pane")
                screen = pyte.Screen(COLUMNS, ROWS)
                took = {key: _first_rows_s(program, screen, key, pattern) for key, pattern in PANES.items()}
            say("a line that turns out to be slow")
            settings = {**environment(scratch), "COLORTERM": "truecolor"}
            with OnTerminal("bpftop", bpftop(lab.interface, "--xdp"), settings, netns_fd) as program:
                line = SlowTerminal(program)
                line.carry_until(NOTICED)
                line.carry_for(SETTLE_S)
                noticed = {key: line.first_rows_s(key, pattern) for key, pattern in PANES.items()}
        finally:
            os.close(netns_fd)
    yield _first_rows(f"a line of {LINE_BYTES_PER_SEC} B/s with --low-bandwidth", took)
    yield _first_rows(f"a line that turns out to carry {LINE_BYTES_PER_SEC} B/s, all colours", noticed)


def _first_rows(line: str, took: Mapping[str, float]) -> Figure:
    how = ", ".join(f"pane {key} {seconds:.1f} s" for key, seconds in took.items())
    title = f"titles and first rows of a pane on {line}, {COLUMNS}x{ROWS}"
    return Figure("slow_line", title, max(took.values()), "s", LIMIT_FIRST_ROWS_S, how)


def _ticks(program: OnTerminal) -> Figure:
    before = program.usage()
    gather([program], time.perf_counter() + WINDOW_S)
    after = program.usage()
    per_sec = (after.written_bytes - before.written_bytes) / (after.at_s - before.at_s)
    title = f"--low-bandwidth, Overview {COLUMNS}x{ROWS}: to the terminal"
    return Figure("slow_line", title, per_sec, "B/s", LIMIT_BYTES_PER_SEC, f"mean of {WINDOW_S:.0f} s")


def _first_rows_s(program: OnTerminal, screen: pyte.Screen, key: str, pattern: re.Pattern[str]) -> float:
    """Return how long a slow line takes until the first rows of a pane are on the screen, worked out from the bytes.

    Raises BpftopError where they do not come.
    """
    stream = pyte.ByteStream(screen)
    stream.feed(UNKNOWN_TO_PYTE.sub(b"", program.output))
    program.forget()
    program.type(key)
    gather([program], time.perf_counter() + SWITCH_S)
    written = program.output
    for taken in range(0, len(written), STEP):
        stream.feed(UNKNOWN_TO_PYTE.sub(b"", written[taken : taken + STEP]))
        if pattern.search("\n".join(screen.display)):
            return (taken + STEP) / LINE_BYTES_PER_SEC
    raise program.failure(f"does not show pane {key}")


class SlowTerminal(pyte.Screen):
    """A terminal that answers, at the end of a line of LINE_BYTES_PER_SEC."""

    def __init__(self, program: OnTerminal) -> None:
        super().__init__(COLUMNS, ROWS)
        self._program = program
        self._stream = pyte.ByteStream(self)

    def write_process_input(self, data: str) -> None:
        self._program.type(data)

    def carry_for(self, seconds: float) -> None:
        """Show what the program writes in this time."""
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            self._carry()

    def carry_until(self, pattern: re.Pattern[str]) -> int:
        """Return the bytes until the pattern is on the screen. Raises BpftopError where it does not come."""
        end_s = time.perf_counter() + NOTICED_WITHIN_S
        carried = 0
        while not pattern.search("\n".join(self.display)):
            if time.perf_counter() > end_s:
                raise self._program.failure(f"does not show {pattern.pattern}")
            carried += self._carry()
        return carried

    def first_rows_s(self, key: str, pattern: re.Pattern[str]) -> float:
        """Return how long the line takes until the first rows of a pane are on the screen, by the bytes."""
        self._program.type(key)
        seconds = self.carry_until(pattern) / LINE_BYTES_PER_SEC
        self.carry_for(SWITCH_S)
        return seconds

    def _carry(self) -> int:
        """Take what the line carries in STEP_S, and return how many bytes that were."""
        time.sleep(STEP_S)
        self._program.forget()
        self._program.take(int(LINE_BYTES_PER_SEC * STEP_S))
        output = self._program.output
        self._stream.feed(UNKNOWN_TO_PYTE.sub(b"", output))
        return len(output)
