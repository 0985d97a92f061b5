"""Cost of `bpftop fleet` with 50 hosts at one sample a second.

Each host is a real `bpftop watch` on the demo's traffic in a network namespace, behind a command in place of ssh that
only starts it. Only the CPU time of the process with the table counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.bench.figures import Figure
from tests.fleet.hosts import Hosts

HOSTS = 50
SECONDS = 20
LIMIT_PCT = 25.0


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    say(f"{HOSTS} hosts start")
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        lab.run_in(WATCHED, ["ip", "route", "add", "default", "via", GENERATOR.ipv4[0]])
        lab.start_traffic()
        hosts, names = Hosts(Path(folder)), [f"web-{number}" for number in range(HOSTS)]
        for name in names:
            hosts.add_namespace(name, lab.pid())
        command = [sys.executable, "-m", "bpftop.cli", "fleet", *names, "--format", "json"]
        with subprocess.Popen(command, env=hosts.env, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                _until_all_are_watched(process.stdout)
                say(f"{HOSTS} hosts for {SECONDS} s")
                used_s, seconds, watched = _used(process.pid, process.stdout)
            finally:
                process.terminate()
    pct = 100 * used_s / seconds
    how = f"{1e3 * used_s / seconds / HOSTS:.2f} ms per sample: reading, checks, a row; {watched} hosts watched"
    yield Figure("fleet", f"{HOSTS} hosts at 1 Hz, of a core", pct, "%", LIMIT_PCT, how)


def _until_all_are_watched(lines: Iterator[str]) -> None:
    for line in lines:
        if all(host["contact"] == "watching" for host in json.loads(line)["hosts"]):
            return


def _used(pid: int, lines: Iterator[str]) -> tuple[float, float, int]:
    """Return the CPU seconds of the process over SECONDS documents, the time they took, and the hosts then watched."""
    times, begin_s = psutil.Process(pid).cpu_times(), time.monotonic()
    for _ in range(SECONDS):
        hosts = json.loads(next(lines))["hosts"]
    now = psutil.Process(pid).cpu_times()
    used_s = now.user + now.system - times.user - times.system
    return used_s, time.monotonic() - begin_s, sum(host["contact"] == "watching" for host in hosts)
