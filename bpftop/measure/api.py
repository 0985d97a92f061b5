"""The contract of every measurement, for the command line and the screen: map profiles and comparisons of programs."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bpftop.kernel.bpf.bpf_map import Stop as Stop
from bpftop.measure.machine import Machine

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

_ESTIMATE_FROM = 0.05
"""Share from which the measured pace predicts the end better than the expected duration."""


@dataclass(frozen=True)
class Progress(Generic[Result_co]):
    """A step of a running measurement.

    ``share`` (0 to 1) of the measurement is done, and the rest takes about ``left_s`` seconds. ``task`` names the work
    under way. ``result`` is a new result, or a better result of an earlier step's subject, or None.
    """

    share: float
    left_s: float
    task: str
    result: Result_co | None = None


@dataclass(frozen=True)
class Report(Generic[Result_co]):
    """Results of a measurement on a machine. ``begun_ns`` is wall-clock time. ``partial``: it ended early."""

    machine: Machine
    begun_ns: int
    took_s: float
    partial: bool
    results: tuple[Result_co, ...]


class MeasurementRun(Protocol[Result_co]):
    """A measurement that runs once. ``stop.set()``, from any thread, ends it within about 50 ms."""

    @property
    def stop(self) -> Stop: ...

    def steps(self) -> Generator[Progress[Result_co], None, None]:
        """Measure, most of the time without the GIL.

        Maps, programs and threads are gone when the generator has ended or is closed.

        Raises:
            BpftopError: a privilege is missing, the kernel refuses a map or a program, or a value is wrong.
        """

    def report(self) -> Report[Result_co]:
        """Return all results until now."""


class RunClock:
    """Clock of a measurement: converts the work done into Progress."""

    def __init__(self, expected_s: float) -> None:
        self.begun_ns = time.time_ns()
        self._expected_s = expected_s
        self._begun_s = time.monotonic()

    @property
    def took_s(self) -> float:
        return time.monotonic() - self._begun_s

    def progress(self, done_s: float, task: str, result: Result | None = None) -> Progress[Result]:
        """Return the progress after the work that was expected to take ``done_s`` seconds."""
        share = min(1.0, done_s / self._expected_s)
        whole_s = self.took_s / share if share > _ESTIMATE_FROM else self._expected_s
        return Progress(share, whole_s * (1 - share), task, result)
