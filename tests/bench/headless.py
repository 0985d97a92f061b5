"""The commands without a screen, on the demo's traffic: from exec to the last byte of the answer.

The limits are multiples of what Python itself takes for nothing, run in turn with the commands and before all other
programs. The least of several runs counts, because what else runs on the machine only adds.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from bpftop.errors import BpftopError
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed
from tests.bench.programs import bpftop, environment, python

ROUNDS = 9
INTERVAL_S = 0.1
# Times `python -c pass`.
LIMIT_SNAPSHOT, LIMIT_VERSION = 3.5, 2.5


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where a command fails."""
    say("snapshot and --version")
    with TemporaryDirectory(prefix="bpftop-bench-") as scratch, Lab() as lab:
        lab.start_traffic()
        inside = Inside(lab, environment(scratch))
        snapshot = ["snapshot", lab.interface, "-i", str(INTERVAL_S)]
        commands = {
            "snapshot": bpftop(*snapshot),
            "version": bpftop("--version"),
            "python": python("-c", "pass"),
        }
        for turn in range(ROUNDS + 1):  # the first one fills the caches and is not kept
            for name, command in commands.items():
                inside.run(name, command, keep=turn > 0)
        rates = _rates(inside.answers["snapshot"])
        inside.run("imports", python("-X", "importtime", "-m", "bpftop.cli", *snapshot))
    yield from _figures(inside, rates)


def _figures(inside: Inside, rates: int) -> Iterator[Figure]:
    least = {name: min(each) for name, each in inside.took_ms.items()}
    how = {name: f"least of {ROUNDS}, median {median(each):.0f}" for name, each in inside.took_ms.items()}
    beyond_ms = least["snapshot"] - 1000 * INTERVAL_S
    words = f"-i {INTERVAL_S}; {how['snapshot']} with the interval; {rates} rows with rates"
    times = beyond_ms / least["python"]
    yield Figure("headless", "snapshot beyond its interval / python -c pass", times, "", LIMIT_SNAPSHOT, words)
    yield Figure("headless", "snapshot as JSON, beyond the interval", beyond_ms, "ms")
    imported = {line.rpartition("|")[2].strip() for line in inside.errors["imports"].splitlines() if "|" in line}
    screen = [name for name in imported if name.partition(".")[0] == "textual"]
    yield Figure("headless", "modules of Textual that it imports", len(screen), "", 0, f"of {len(imported)} modules")
    times = least["version"] / least["python"]
    yield Figure("headless", "bpftop --version / python -c pass", times, "", LIMIT_VERSION)
    yield Figure("headless", "bpftop --version", least["version"], "ms", None, how["version"])
    yield Figure("headless", "Python itself: -c pass", least["python"], "ms", None, how["python"])


@dataclass(frozen=True)
class Inside:
    """Runs commands in the demo's watched namespace and keeps how long they took and what they said."""

    lab: Lab
    environment: dict[str, str]
    took_ms: dict[str, list[float]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, command: Sequence[str], *, keep: bool = True) -> None:
        with undisturbed():
            took_s, outcome = self.lab.call_in(WATCHED, lambda: _timed(command, self.environment))
        if outcome.returncode:
            last = (outcome.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise BpftopError(f"`{' '.join(command)}` ended with exit code {outcome.returncode}: {last}")
        self.answers[name], self.errors[name] = outcome.stdout, outcome.stderr
        if keep:
            self.took_ms.setdefault(name, []).append(1000 * took_s)


def _timed(command: Sequence[str], settings: Mapping[str, str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Seconds until the last of its answer was there, which for a silent command is its end; and the answer."""
    with TemporaryFile() as errors:
        start_s = end_s = time.perf_counter()
        with subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process:
            assert process.stdout is not None
            answer = b""
            while chunk := os.read(process.stdout.fileno(), 1 << 16):
                answer += chunk
                end_s = time.perf_counter()
            code = process.wait()
        if not answer:
            end_s = time.perf_counter()
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    return end_s - start_s, subprocess.CompletedProcess(command, code, answer.decode(), said)


def _rates(text: str) -> int:
    """Count the protocol rows with a rate above zero. Raises BpftopError if there is none."""
    rows = [row for interface in json.loads(text)["interfaces"] for row in interface["protocols"]]
    moving = sum(1 for row in rows if row["packets_per_sec"])
    if not moving:
        raise BpftopError("the snapshot of the demo shows no rates, so its time means nothing")
    return moving
