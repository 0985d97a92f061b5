"""A fault that goes on in a namespace of its own, for verbs that take --netns."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.faults.scenario import Scenario


@contextmanager
def faulty(scenario: type[Scenario]) -> Iterator[tuple[str, str]]:
    """Run the fault, and yield the pid that names the watched namespace, and the interface."""
    with Lab(quiet=True) as lab, scenario(lab) as fault:
        fault.begin()
        with in_namespace(lab) as pid:
            yield str(pid), WATCHED.interface
        fault.end()


@contextmanager
def in_namespace(lab: Lab) -> Iterator[int]:
    """Yield the pid of a process in the watched namespace, as --netns takes it."""
    sleeper = lab.call_in(WATCHED, lambda: subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL))
    try:
        yield sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()
