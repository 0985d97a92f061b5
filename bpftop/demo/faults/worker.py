"""Run child processes that make traffic inside a namespace: prepared first, started by one byte, ended at once.

A worker runs one job, a function ``job(orders, blob, **arguments)`` of a module that the child can import. It prepares,
calls ``orders.wait()``, works until ``orders.over()`` says so, and returns what it did as a JSON object. It also ends
when the process that started it does, however that ends (its standard input closes), and after ``MOST_S``.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bpftop.errors import BpftopError

JobResult = dict[str, float]
"""Counters that a job returns: name -> number."""

Inside = Callable[[Callable[[], Any]], Any]
"""Runs a function inside a network namespace, and returns its result."""

MOST_S = 120.0
ANSWER_S = 10.0
_ROOT = str(Path(__file__).resolve().parents[3])
_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv.pop()); from bpftop.demo.faults.worker import main; main()"
_BYTE_CODE = ["-B"] if sys.dont_write_bytecode else []  # -I hides the variable that says so, behind sudo
_HEAD = struct.Struct("!II")


class FaultError(BpftopError):
    """The traffic of a fault could not be made."""


class Orders:
    """Orders to a job, from the process that started it."""

    def __init__(self) -> None:
        self._end_s = float("inf")
        self._over = False

    def wait(self) -> None:
        """Say that all is prepared, and wait for the start."""
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        self._over = not os.read(0, 1)
        self._end_s = time.monotonic() + MOST_S

    def over(self, wait_s: float = 0.0) -> bool:
        """Return True when it is time to end. Waits at most ``wait_s`` for the order."""
        if not self._over and select.select([0], [], [], max(0.0, wait_s))[0]:
            self._over = not os.read(0, 64)
        return self._over or time.monotonic() >= self._end_s


class Worker:
    """A job in a child process. It prepares at once; ``go`` starts the traffic.

    Raises FaultError with the job's last words when it failed.
    """

    def __init__(self, inside: Inside, job: Callable[..., JobResult], blob: bytes = b"", **arguments: object) -> None:
        self._job = job.__name__
        self.result: dict[str, float] = {}
        self._process: subprocess.Popen[bytes] = inside(_start)
        head = json.dumps({"module": job.__module__, "job": self._job, "arguments": arguments}).encode()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(_HEAD.pack(len(head), len(blob)) + head + blob)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()

    def ready(self) -> Worker:
        """Wait until the job has prepared."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], ANSWER_S)[0] or not self._process.stdout.readline():
            self._fail()
        return self

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"g")
        self._process.stdin.flush()

    def halt(self) -> None:
        """Order the job to end, and do not wait."""
        if self._process.stdin is not None:
            self._process.stdin.close()
            self._process.stdin = None

    def stop(self) -> dict[str, float]:
        """End the job, and return its result. May be repeated."""
        self.halt()
        if self._process.stdout is not None and not self._process.stdout.closed:
            try:
                said, complaint = self._process.communicate(timeout=ANSWER_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                said, complaint = self._process.communicate()
            if self._process.returncode:
                raise FaultError(f"{self._job} failed: {complaint.decode().strip().splitlines()[-1:]}")
            self.result = json.loads(said.decode().splitlines()[-1])
        return self.result

    def _fail(self) -> None:
        self._process.kill()
        complaint = self._process.communicate()[1].decode().strip().splitlines()
        raise FaultError(f"{self._job} did not start: {complaint[-1:]}")


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", *_BYTE_CODE, "-c", _BOOTSTRAP, _ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )


def _read(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            sys.exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main() -> None:
    """Run the job that standard input names, and print its result. The child begins here."""
    head_size, blob_size = _HEAD.unpack(_read(_HEAD.size))
    head = json.loads(_read(head_size))
    job = getattr(importlib.import_module(head["module"]), head["job"])
    outcome = job(Orders(), _read(blob_size), **head["arguments"])
    print(json.dumps(outcome), flush=True)
