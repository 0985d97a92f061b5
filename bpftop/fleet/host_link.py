"""The connection to one host: its process, the lines that it writes, and the next attempt after a failure."""

from __future__ import annotations

import os
import subprocess
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from bpftop.config.resources import exhausted
from bpftop.fields import replace
from bpftop.fleet.host_state import HostState
from bpftop.fleet.host_stream import HostStream
from bpftop.history.analyzer import Analyzer, other_session
from bpftop.model.sample import Sample
from bpftop.rules.rule import Rule
from bpftop.store.encoding.sample_lines import BadLine, LineReader
from bpftop.store.line_splitter import LineSplitter

LINE_MAX_BYTES = 8 << 20
"""A sample of a machine of 128 CPUs has 0.35 MB."""
KEPT_LINES, KEPT_BYTES = 60, 1 << 20
BAD_LINES_MAX = 1000
"""Lines without a sample in between after which a host is given up. A login shell prints fewer."""
FIRST_S, LONGEST_S = 1.0, 60.0
"""Wait before the second attempt, and the longest wait; each wait is twice the one before."""
FIRST_SAMPLE_S = 30.0
"""Time from the start of ssh to the first sample."""
SILENT_INTERVALS, SILENT_LEAST_S = 5, 5.0
"""After so many intervals, and so long at least, without a sample a host is silent; after thrice that it has failed."""
_END_S = 1.0
"""Wait for the end of a command."""
_READ_BYTES = 1 << 18
_ERROR_BYTES = 4096


class HostLink:
    """Starts the command of a host, and turns its sample lines into snapshots, all in the fleet's thread."""

    def __init__(
        self, host: str, command: Sequence[str], rules: Iterable[Rule], interval_s: float, begin_s: float
    ) -> None:
        self.state = HostState(host)
        self.process: subprocess.Popen[bytes] | None = None
        self.streams: list[HostStream] = []
        self.kept = KeptLines(KEPT_LINES, KEPT_BYTES)
        self._command = command
        self._rules = tuple(rules)
        self._interval_s = interval_s
        self._silent_s = max(SILENT_LEAST_S, SILENT_INTERVALS * interval_s)
        self._due_s = begin_s
        self._wait_s = FIRST_S
        self._reset()

    def _reset(self) -> None:
        self._splitter, self._reader, self._analyzer = LineSplitter(LINE_MAX_BYTES), LineReader(), Analyzer(self._rules)
        self._sample: Sample | None = None
        self._errors, self._errors_ended = b"", False
        self._bad_lines = 0
        self._sampled_s: float | None = None

    def due_s(self) -> float:
        """Return the CLOCK_MONOTONIC time at which ``advance`` has something to do."""
        return self._due_s

    def advance(self, now_s: float) -> None:
        """Start the command when its time has come, and judge a host that sends nothing."""
        if now_s < self._due_s:
            return
        if self.process is None:
            self._start(now_s)
        elif self._sampled_s is None:
            self.fail(f"no sample came within {FIRST_SAMPLE_S:.0f} s; try `{self._by_hand()}`", now_s)
        elif self.state.contact == "watching":
            self.state = replace(self.state, contact="silent", why="no samples come any more")
            self._due_s = now_s + 2 * self._silent_s
        else:
            self.fail(f"no sample came for {3 * self._silent_s:.0f} s", now_s)

    def _by_hand(self) -> str:
        return f"ssh {self.state.host} sudo -n bpftop watch"

    def _start(self, now_s: float) -> None:
        self._reset()
        try:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # signals of the terminal are for the fleet, and no password can be asked for
            )
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                why = "the command `ssh` is missing; install the package openssh-client"
            else:
                why = exhausted(error) or f"cannot start ssh: {error.strerror}"
            self.fail(why, now_s)
            return
        if self.process.stderr is not None:
            os.set_blocking(self.process.stderr.fileno(), False)
        self.state = replace(self.state, contact="connecting", retry_s=None, skipped=0)
        self._due_s = now_s + FIRST_SAMPLE_S

    def readers(self) -> dict[int, Callable[[float], None]]:
        """Return the descriptors that the command writes to, each with the function that reads it."""
        if self.process is None or self.process.stdout is None or self.process.stderr is None:
            return {}
        errors = {} if self._errors_ended else {self.process.stderr.fileno(): self._read_errors}
        return {self.process.stdout.fileno(): self._read, **errors}

    def _read_errors(self, _now_s: float) -> None:
        """Read what has come on standard error. It may stay open: a shared connection of ssh keeps it."""
        if self.process is None or self.process.stderr is None:
            return
        try:
            while chunk := os.read(self.process.stderr.fileno(), _READ_BYTES):
                self._errors = (self._errors + chunk)[-_ERROR_BYTES:]
        except BlockingIOError:
            return
        self._errors_ended = True

    def _read(self, now_s: float) -> None:
        """Read samples that have come."""
        if self.process is None or self.process.stdout is None:  # it has failed in this turn
            return
        chunk = os.read(self.process.stdout.fileno(), _READ_BYTES)
        if not chunk:
            self.fail(self._last_words(self.process), now_s)
            return
        for line in self._splitter.feed(chunk):
            try:
                self._take(line, now_s)
            except BadLine as error:
                self.state = replace(self.state, skipped=self.state.skipped + 1)
                self._bad_lines += 1
                if self._bad_lines >= BAD_LINES_MAX:
                    self.fail(f"{BAD_LINES_MAX} lines were no samples; the last was none because {error}", now_s)
                    return
            except Exception as error:  # noqa: BLE001 - one host's samples must not end the others'
                fault = f"{type(error).__name__}: {error}"
                self.fail(f"its samples meet a fault in bpftop ({fault}); please report it", now_s)
                return

    def _take(self, line: bytes | None, now_s: float) -> None:
        """Analyze a line. A host gets four samples an interval at most, so that it leaves time for the others."""
        if line is None:
            raise BadLine(f"it is longer than {LINE_MAX_BYTES >> 20} MiB")
        if self._sampled_s is not None and now_s - self._sampled_s < self._interval_s / 4:
            self.state = replace(self.state, skipped=self.state.skipped + 1)
            return
        sample = self._reader.read(line)
        if self._sample is not None and other_session(self._sample, sample):
            self._analyzer = Analyzer(self._rules)
            self.kept.clear()
        self._sample, self._sampled_s, self._bad_lines = sample, now_s, 0
        snapshot = self._analyzer.push(sample)
        self.kept.push(line)
        for stream in self.streams:
            stream.offer(line)
        self._due_s, self._wait_s = now_s + self._silent_s, FIRST_S
        decided = self.state.decided or snapshot.interval_ns is not None
        self.state = replace(self.state, contact="watching", why="", snapshot=snapshot, decided=decided)

    def _last_words(self, process: subprocess.Popen[bytes]) -> str:
        """Return the reason of the command's end: the last line that it wrote on standard error, or its exit code."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        self._read_errors(0.0)
        lines = [line for line in self._errors.decode(errors="surrogateescape").splitlines() if line.strip()]
        if lines:
            return lines[-1].strip()
        return f"ssh ended with exit code {process.returncode} and said nothing; try `{self._by_hand()}`"

    def fail(self, why: str, now_s: float) -> None:
        """End the command, and plan the next attempt."""
        self.stop()
        self._due_s = now_s + self._wait_s
        self.state = replace(self.state, contact="failed", why=why, retry_s=self._due_s, decided=True)
        self._wait_s = min(LONGEST_S, 2 * self._wait_s)

    def terminate(self) -> None:
        """Tell the command to end. ssh ends at once, and bpftop on the host when its pipe closes."""
        if self.process is not None:
            self.process.terminate()

    def stop(self) -> None:
        """End the command, and wait for its end."""
        self.terminate()
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_LEVEL = 1
"""0.1 ms for 16 kB, which become 2 kB; level 6 takes three times as long for 20 % less."""


class KeptLines:
    """At most ``lines`` lines, and at most ``limit_bytes`` of them when compressed."""

    def __init__(self, lines: int, limit_bytes: int) -> None:
        self._lines: deque[bytes] = deque(maxlen=lines)
        self._limit_bytes = limit_bytes

    def push(self, line: bytes) -> None:
        self._lines.append(zlib.compress(line, _LEVEL))
        while len(self._lines) > 1 and sum(map(len, self._lines)) > self._limit_bytes:
            self._lines.popleft()

    def lines(self) -> list[bytes]:
        """Return the lines, the oldest first."""
        return [zlib.decompress(line) for line in self._lines]

    def clear(self) -> None:
        self._lines.clear()
