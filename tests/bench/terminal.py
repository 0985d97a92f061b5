"""Programs on pseudo-terminals of their own, seen from outside: the times of texts on the screen, and their cost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import TracebackType

import psutil
import pyte

from bpftop.errors import BpftopError
from bpftop.kernel.netns import enter

COLUMNS, ROWS = 160, 50
ENDING_S = 3.0
# Keyboard protocols, mode queries and pointer shapes: pyte would write their ends on the screen.
UNKNOWN_TO_PYTE = re.compile(
    rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*(?:u|\$p)|\x1b\]22;[^\x1b\x07]*(?:\x1b\\|\x07)"
)


@dataclass(frozen=True)
class Usage:
    """CPU time and memory of a program and its children until ``at_s``."""

    at_s: float
    cpu_s: float
    written_bytes: int
    resident_bytes: int


class OnTerminal:
    """A program on a pseudo-terminal; what it writes is kept with the time at which it came, and looked at later.

    ``netns_fd``: the network namespace it runs in. Use as a context manager: the end of it ends the program.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], netns_fd: int | None = None
    ) -> None:
        self.name = name
        self._chunks: list[tuple[float, bytes]] = []
        self._written = 0
        self._exit: int | None = None
        self.start_s = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            _become(command, environment, netns_fd)
        os.set_blocking(self._fd, False)

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def fileno(self) -> int:
        return self._fd

    @property
    def ended(self) -> bool:
        return self._exit is not None

    def take(self, size: int = 1 << 16) -> None:
        """Keep what has been written by now, at most ``size`` bytes."""
        try:
            chunk = os.read(self._fd, size)
        except BlockingIOError:
            return
        except OSError:  # EIO: the program has closed the terminal
            chunk = b""
        if chunk:
            self._chunks.append((time.perf_counter() - self.start_s, chunk))
            self._written += len(chunk)
        else:
            self._exit = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def output(self) -> bytes:
        """All that has been kept."""
        return b"".join(chunk for _, chunk in self._chunks)

    def forget(self) -> None:
        """Drop what has been kept so far."""
        self._chunks.clear()

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def usage(self) -> Usage:
        """Raises BpftopError where the program has ended by itself."""
        if self.ended:
            raise self.failure("ended by itself")
        process = psutil.Process(self.pid)
        everyone = [process, *process.children(recursive=True)]
        cpu_s = sum(cpu_time_s(one.pid) for one in everyone)
        resident = sum(one.memory_info().rss for one in everyone)
        return Usage(time.perf_counter(), cpu_s, self._written, resident)

    def screens(self) -> Iterator[tuple[float, str]]:
        """Yield the screen after every piece of output: seconds since the start, and its lines."""
        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        for at_s, chunk in self._chunks:
            stream.feed(UNKNOWN_TO_PYTE.sub(b"", chunk))
            yield at_s, "\n".join(line.rstrip() for line in screen.display)

    def first(self, pattern: re.Pattern[str]) -> float | None:
        """Seconds from the start until ``pattern`` was on the screen; None while it is not."""
        return next((at_s for at_s, screen in self.screens() if pattern.search(screen)), None)

    def screen(self) -> str:
        """Return the text that is on the screen now."""
        return max(self.screens(), key=itemgetter(0), default=(0.0, ""))[1]

    def failure(self, what: str) -> BpftopError:
        lines = [line.strip() for line in self.screen().splitlines() if line.strip()]
        said = f": {' | '.join(lines[-3:])}" if lines else ""
        code = "" if self._exit is None else f" (exit code {self._exit})"
        return BpftopError(f"{self.name} {what}{code}, so it cannot be measured{said}")

    def end(self) -> None:
        """Ask the program to end, make it end, and close its terminal."""
        if self._fd < 0:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)
                gather([self], time.perf_counter() + ENDING_S, until_ended=True)
        os.close(self._fd)
        self._fd = -1


def gather(programs: Sequence[OnTerminal], until_s: float, *, until_ended: bool = False) -> None:
    """Keep what the programs write until ``until_s`` (perf_counter), or until all have ended."""
    while (left_s := until_s - time.perf_counter()) > 0:
        running = [program for program in programs if not program.ended]
        if not running and until_ended:
            return
        ready, _, _ = select.select(running, [], [], left_s)
        for program in ready:
            program.take()


def first_shown(program: OnTerminal, pattern: re.Pattern[str], timeout_s: float, look_s: float) -> float:
    """Seconds until ``pattern`` was on the screen. Raises BpftopError where it does not come.

    The output is looked at only every ``look_s``: an emulated terminal takes CPU time that the program needs to start.
    """
    while True:
        gather([program], time.perf_counter() + look_s, until_ended=True)
        found = program.first(pattern)
        if found is not None:
            return found
        if program.ended or time.perf_counter() - program.start_s > timeout_s:
            raise program.failure("did not show what was waited for")


def _become(command: Sequence[str], environment: Mapping[str, str], netns_fd: int | None) -> None:
    """Set the terminal's size, enter the namespace and become the program. Runs in the child; does not return."""
    try:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        if netns_fd is not None:
            enter(netns_fd)
        os.execvpe(command[0], list(command), dict(environment))
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def cpu_time_s(pid: int) -> float:
    """CPU time of a process, by the clock that clock_getcpuclockid(3) names: nanoseconds, where /proc has 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)
