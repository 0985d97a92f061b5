"""The commands without a screen, from exec to exit, on the demo's traffic."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from tempfile import TemporaryDirectory

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from bpftop.errors import BpftopError
from tests.bench.figures import Figure
from tests.bench.programs import bpftop, environment, python

ROUNDS = 9
INTERVAL_S = 0.1
LIMIT_SNAPSHOT_S = 0.15
TIMEOUT_S = 20.0


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
    took = {name: median(each) for name, each in inside.took_s.items()}
    spread = {name: f"{min(each):.3f} to {max(each):.3f}" for name, each in inside.took_s.items()}
    how = (
        f"-i {INTERVAL_S}; median of {ROUNDS}, {spread['snapshot']} with the interval; {rates} protocol rows with rates"
    )
    yield Figure(
        "headless", "snapshot as JSON, beyond the interval", took["snapshot"] - INTERVAL_S, "s", LIMIT_SNAPSHOT_S, how
    )
    imported = {line.rpartition("|")[2].strip() for line in inside.errors["imports"].splitlines() if "|" in line}
    screen = [name for name in imported if name.partition(".")[0] == "textual"]
    yield Figure("headless", "modules of Textual that it imports", len(screen), "", 0, f"of {len(imported)} modules")
    yield Figure("headless", "bpftop --version", took["version"], "s", None, spread["version"])
    yield Figure("headless", "Python itself: -c pass", took["python"], "s", None, spread["python"])


@dataclass(frozen=True)
class Inside:
    """Runs commands in the demo's watched namespace and keeps how long they took and what they said."""

    lab: Lab
    environment: dict[str, str]
    took_s: dict[str, list[float]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, command: Sequence[str], *, keep: bool = True) -> None:
        def timed() -> tuple[float, subprocess.CompletedProcess[str]]:
            start_s = time.perf_counter()
            outcome = subprocess.run(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
            )
            return time.perf_counter() - start_s, outcome

        took_s, outcome = self.lab.call_in(WATCHED, timed)
        if outcome.returncode:
            last = (outcome.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise BpftopError(f"`{' '.join(command)}` ended with exit code {outcome.returncode}: {last}")
        self.answers[name], self.errors[name] = outcome.stdout, outcome.stderr
        if keep:
            self.took_s.setdefault(name, []).append(took_s)


def _rates(text: str) -> int:
    """How many protocol rows of the document hold a rate that is not zero. Raises BpftopError where none does."""
    rows = [row for interface in json.loads(text)["interfaces"] for row in interface["protocols"]]
    moving = sum(1 for row in rows if row["packets_per_sec"])
    if not moving:
        raise BpftopError("the snapshot of the demo shows no rates, so its time means nothing")
    return moving
