"""bpftop as a person runs it, and this guest's kernel."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bpftop.model.families import FAMILIES

LINUX = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
HAS_BATCH, HAS_FRAGS, HAS_TCX = LINUX >= (5, 13), LINUX >= (5, 18), LINUX >= (6, 6)
COMMAND = (sys.executable, "-m", "bpftop.cli")
INTERVAL_S = 0.25
OTHER_ETHERTYPE = 260  # bpf_objects/bpftop.h


def bpftop(*words: str) -> str:
    """Run a command to its end: its output. AssertionError where it fails, or says something that is no sentence."""
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"bpftop {' '.join(words)}: exit {done.returncode}: {done.stderr}{done.stdout}"
    sentences(done.stderr)
    return done.stdout


def sentences(said: str) -> list[str]:
    """Return the lines that bpftop wrote on standard error. AssertionError if a line is no sentence of bpftop."""
    lines = said.splitlines()
    for line in lines:
        assert line.startswith("bpftop: "), said
        assert line.endswith("."), said
        assert "is a bug in bpftop" not in line, said
        assert "please report" not in line, said
    return lines


@dataclass(frozen=True)
class Moment:
    """One line of `watch --format samples`."""

    line: str

    @cached_property
    def sample(self) -> Any:
        return json.loads(self.line)

    def hooks(self, label: str) -> tuple[str, str]:
        """RX and TX: the hook, and XDP's mode."""
        (interface,) = (one for one in self.sample["interfaces"] if one["label"] == label)
        rx, tx = (interface["hooks"].get(direction, {"hook": "none", "mode": None}) for direction in ("rx", "tx"))
        return " ".join(filter(None, (rx["hook"], rx["mode"]))), " ".join(filter(None, (tx["hook"], tx["mode"])))

    def rows(self, *where: str) -> dict[tuple[Any, ...], list[int | None]]:
        """Rows of a reading, named by its family and interface: key without interface and direction -> its cells."""
        reading = self.sample["readings"].get("/".join(where))
        if reading is None:
            return {}
        keys, values, missing = reading["keys"], reading["values"], set(reading["missing"])
        cells = [None if i in missing else value for i, value in enumerate(values)]
        stride = len(values) // len(keys) if keys else 0
        return {tuple(key[len(where) - 1 :]): cells[row * stride : (row + 1) * stride] for row, key in enumerate(keys)}

    def cell(self, column: str, *where: str) -> int | None:
        """Return a column of a reading that has one row."""
        (cells,) = self.rows(*where).values()
        return cells[FAMILIES[where[0]].columns.index(column)]

    def counted(self, *where: str) -> dict[tuple[Any, ...], tuple[int, int]]:
        """Packets and bytes of each row that has any, all CPUs together."""
        halves = {key: (cells[: len(cells) // 2], cells[len(cells) // 2 :]) for key, cells in self.rows(*where).items()}
        totals = {key: tuple(sum(cell or 0 for cell in half) for half in both) for key, both in halves.items()}
        return {key: (packets, size) for key, (packets, size) in totals.items() if packets}


class Watch:
    """`bpftop watch --format samples` while the block runs; ``said`` is then what it wrote on standard error."""

    first: Moment
    said: str

    def __init__(self, *words: str) -> None:
        command = [*COMMAND, "watch", *words, "--format", "samples", "-i", str(INTERVAL_S)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Watch:
        self.first = self.next()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=30)
        if kind is None:
            self.said = " ".join(sentences(said))
            # 128 + SIGINT is a forced exit: in a guest, detaching may take longer than the grace for an orderly end.
            ends = (0, -signal.SIGKILL, 128 + signal.SIGINT)
            assert self._process.returncode in ends, self._process.returncode

    def next(self) -> Moment:
        """Return the next sample."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate(timeout=30)
            raise AssertionError(f"bpftop ended, exit {self._process.returncode}: {said}")
        return Moment(line)

    def settled(self) -> Moment:
        """Return a sample that was begun after this call: the second that is not from before it.

        Samples wait in the pipe where the caller was slow, and a sample has its time when its maps are read.
        """
        called_ns = time.monotonic_ns()
        while self.next().sample["mono_ns"] < called_ns:
            pass
        return self.next()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def run(*command: str) -> str:
    """Run another program, and return its output. Raises AssertionError with its messages."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout


def ip(words: str) -> str:
    return run("ip", *words.split())
