"""The command as a process with pipes, or on a pseudo-terminal of the test."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from bpftop.cli.shutdown import ENDING
from tests.waiting import LIMIT_S, until

COMMAND = (sys.executable, "-m", "bpftop.cli")
PATIENCE_S = LIMIT_S
ON_AT_THE_START = (b"7", b"25")
"""DEC private modes of a new terminal: lines wrap, and the cursor is visible."""


def environment(config_home: str = "/nonexistent", **more: str) -> dict[str, str]:
    """Return the environment of the test without sudo, with the configuration in ``config_home``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SUDO_", "BPFTOP_", "XDG_"))}
    return {**kept, "XDG_CONFIG_HOME": config_home, "TERM": "xterm-256color", **more}


def default_signals() -> None:
    """Give the ending signals their default effect, as ``preexec_fn`` of a child.

    A shell without job control starts a background job with SIGINT and SIGQUIT ignored, and nohup ignores SIGHUP.
    Children inherit that, and bpftop leaves an ignored signal ignored.
    """
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def bpftop(*words: str, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run bpftop to its end with empty standard input."""
    return subprocess.run([*COMMAND, *words], timeout=PATIENCE_S, **_settings(env, more))


@contextmanager
def started(*words: str, env: Mapping[str, str] | None = None, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Start bpftop, and kill the process at the end of the block."""
    with subprocess.Popen([*COMMAND, *words], **_settings(env, more)) as process:
        try:
            yield process
        finally:
            process.kill()


def side_by_side(*commands: Sequence[str], **more: Any) -> list[subprocess.CompletedProcess[str]]:
    """Run bpftop once with the words of each command, all at the same time, and return their ends in that order."""
    with ExitStack() as stack:
        processes = [stack.enter_context(started(*words, **more)) for words in commands]
        return [finished(process) for process in processes]


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a process, and return its exit code and output."""
    output, complaints = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(process.args, process.returncode, output, complaints)


def _settings(env: Mapping[str, str] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return {**pipes, "text": True, "env": env or environment(), "preexec_fn": default_signals, **more}


def await_handlers(pid: int) -> None:
    """Wait until the process has its own handler for SIGTERM: from then on it is up to bpftop how it ends."""
    bit = 1 << (signal.SIGTERM - 1)

    def installed() -> bool:
        with open(f"/proc/{pid}/status") as status:
            caught = next(line for line in status if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) & bit)

    until(installed, "the handler for SIGTERM is installed")


def await_rest(pid: int) -> None:
    """Wait until all threads of the process sleep and stay asleep for six polls: the process waits for its next tick.

    A thread that waits for a CPU is runnable, so a busy machine only makes the wait longer.
    """

    def activity() -> tuple[bool, list[str]]:
        stats = []
        for path in Path(f"/proc/{pid}/task").glob("*/stat"):
            with suppress(ProcessLookupError, FileNotFoundError):  # the thread ended meanwhile
                stats.append(path.read_text().rpartition(") ")[2].split())
        return all(fields[0] == "S" for fields in stats), [word for fields in stats for word in fields[11:13]]

    before, same = activity(), 0

    def rests() -> bool:
        nonlocal before, same
        now = activity()
        before, same = now, same + 1 if now == before and now[0] else 0
        return same >= 6

    until(rests, "the process waits for its next tick")


def fdinfo(pid: int) -> list[str]:
    """Return the lines of all /proc/PID/fdinfo files of the process."""
    lines: list[str] = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # the descriptor was closed meanwhile
            lines += path.read_text().splitlines()
    return lines


class Terminal:
    """bpftop as the leader of a session on a pseudo-terminal. ``size``: its columns and lines."""

    def __init__(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
        size: tuple[int, int] = (100, 30),
    ) -> None:
        self.master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(self._slave)
        self.written = b""
        slave = self._slave

        def prepare() -> None:
            default_signals()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*command, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env or environment(),
            start_new_session=True,
            preexec_fn=prepare,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)

    def hang_up(self) -> None:
        """Close the window: the kernel sends SIGHUP, and whatever is written from now on fails with EIO."""
        os.close(self._slave)
        os.close(self.master)
        self.master = self._slave = -1

    def stop_output(self) -> None:
        """Stop the output, as Ctrl-S does: further bytes wait."""
        termios.tcflow(self._slave, termios.TCOOFF)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float) -> None:
        """Read output for this time, or until the process ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], min(left, 0.02))[0]:
                self.written += os.read(self.master, 65536)
            elif self.process.poll() is not None:
                return

    def await_text(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while text.encode() not in self.written:
            assert time.monotonic() < deadline, f"{text!r} did not come, only {self.written[-2000:]!r}"
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.written[-2000:]!r}"
            self.read(0.1)

    def shows(self, text: str) -> bool:
        """Read output for a moment. Return True if the text was ever on the screen."""
        self.read(0.1)
        return text.encode() in self.written

    def await_end(self) -> int:
        """Wait for the end, read the rest of the output, and return the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.written[-2000:]!r}"
            self.read(0.1)
        self.read(0.2)
        return self.process.returncode

    def as_it_was(self) -> bool:
        """Return True if the terminal has its modes of before: the kernel's, the old screen, a cursor, no mouse."""
        on = {mode: switch == b"h" for mode, switch in re.findall(rb"\x1b\[\?(\d+)([hl])", self.written)}
        as_at_the_start = all(is_on == (mode in ON_AT_THE_START) for mode, is_on in on.items())
        return termios.tcgetattr(self._slave) == self.before and as_at_the_start
