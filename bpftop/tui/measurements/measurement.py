"""Measurements on request: an engine runs in a thread while the screen goes on. Imported with the first such pane."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from bpftop.config.resources import start_thread, why_failed
from bpftop.errors import BpftopError

if TYPE_CHECKING:
    from bpftop.measure.api import MeasurementRun, Progress, Stop

NOTIFY_INTERVAL_S = 0.25
"""Shortest time between two redraws for progress: drawing takes time from the CPU that may be measured."""


@dataclass(frozen=True)
class RunStatus:
    """Progress of a run."""

    phase: Literal["idle", "running", "done", "cancelled", "failed"] = "idle"
    share: float = 0.0
    """Part of the run that is done, 0 to 1."""
    left_s: float | None = None
    """Estimate of the seconds left."""
    step: str = ""
    """Name of the current step."""
    sentence: str = ""
    """Summary of the run, after its end."""

    @property
    def running(self) -> bool:
        """Return True until the run has freed everything. The screen goes by ``status``, which ends before that."""
        return self.phase == "running"


class Measurement:
    """Runs one engine in a thread, one run at a time.

    Args:
        title: Name of the pane, for messages.
        notify: Called in the run's thread when there is something new to draw, and at the end.
    """

    def __init__(self, title: str, notify: Callable[[], object]) -> None:
        self.title = title
        self.status = RunStatus()
        self._notify = notify
        self._stop: Stop | None = None
        self._thread: threading.Thread | None = None
        self._unread_ending = ""

    @property
    def stopped(self) -> bool:
        """Return True if the run was cancelled."""
        return self._stop is not None and self._stop.is_set()

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def begin(self, start: Callable[[Stop], MeasurementRun[Any]]) -> None:
        """Run the measurement that ``start`` returns, unless a run is going on. ``start`` may raise BpftopError."""
        if self.running:
            return
        from bpftop.measure.api import Stop  # needs the compiled part, which a replay does not

        self._stop = stop = Stop()
        self._unread_ending, self.status = "", RunStatus("running")
        self._thread = threading.Thread(target=self._run, args=(start, stop), name="measuring", daemon=True)
        start_thread(self._thread)

    def cancel(self) -> None:
        """End the run after its current operation; its results stay."""
        if self._stop is not None:
            self._stop.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel the run and wait for its thread, so that its maps and programs are closed."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def take_ending(self) -> str:
        """Return the summary of an ended run, once; empty if there is none. For a message in another pane."""
        ending, self._unread_ending = self._unread_ending, ""
        return f"{self.title}: {ending}" if ending else ""

    def take(self, progress: Progress[Any]) -> None:
        """Take a step of the run, in the run's thread."""

    def end(self, run: Any, duration_s: float) -> str:
        """Return the summary of a run, in the run's thread; called after a failed run, too."""
        return ""

    def _run(self, start: Callable[[Stop], MeasurementRun[Any]], stop: Stop) -> None:
        phase: Literal["done", "cancelled", "failed"] = "failed"
        try:
            begin_s = time.monotonic()
            run = start(stop)
            try:
                self._follow(run)
            finally:
                sentence = self.end(run, time.monotonic() - begin_s)
            phase = "cancelled" if stop.is_set() else "done"
        except BpftopError as error:
            sentence = str(error)
        except Exception as error:  # noqa: BLE001 - a traceback would be printed into the screen
            sentence = why_failed(error, "measuring")
        self.status = replace(self.status, phase=phase, sentence=sentence)
        self._unread_ending = sentence
        self._notify()

    def _follow(self, run: MeasurementRun[Any]) -> None:
        notified_s = 0.0
        with closing(run.steps()) as steps:
            for progress in steps:
                self.take(progress)
                self.status = RunStatus("running", progress.share, progress.left_s, progress.task)
                if time.monotonic() - notified_s >= NOTIFY_INTERVAL_S:
                    notified_s = time.monotonic()
                    self._notify()
