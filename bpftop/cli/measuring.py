"""The runner of measurements for the command line: worker thread, progress line, early end by a signal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from bpftop.cli.shutdown import Ended, acknowledge, interruptible
from bpftop.config.resources import start_thread

if TYPE_CHECKING:
    from bpftop.measure.api import MeasurementRun, Progress

Result = TypeVar("Result")


def follow(measurement: MeasurementRun[Result], take: Callable[[Progress[Result]], None]) -> Ended | None:
    """Run the measurement in a worker thread, which signals do not reach, and ``take`` each step in this thread.

    Return the signal that ended the measurement early, to be raised after the results are written; None: the
    measurement is complete. Raises the BpftopError of the measurement.
    """
    steps: SimpleQueue[Progress[Result] | None] = SimpleQueue()
    failures: list[BaseException] = []
    worker = threading.Thread(target=_work, args=(measurement, steps, failures), name="measurement", daemon=True)
    start_thread(worker)
    ended: Ended | None = None
    try:
        while (step := _wait_for(steps)) is not None:
            take(step)
    except Ended as signal:
        ended = signal
        acknowledge()
    finally:
        measurement.stop.set()
        worker.join()
    while not steps.empty():
        if (step := steps.get()) is not None:
            take(step)
    if failures:
        raise failures[0]
    return ended


def _wait_for(steps: SimpleQueue[Progress[Result] | None]) -> Progress[Result] | None:
    """Return the next step, or None after the last one.

    A signal between the end of the wait and the return loses the step, so that after a signal the end of the worker is
    not learnt from the steps.
    """
    with interruptible():
        return steps.get()


def _work(
    measurement: MeasurementRun[Result], steps: SimpleQueue[Progress[Result] | None], failures: list[BaseException]
) -> None:
    """Put all steps into the queue, then None."""
    try:
        for step in measurement.steps():
            steps.put(step)
    except BaseException as error:  # noqa: BLE001 raised again in the main thread
        failures.append(error)
    finally:
        steps.put(None)


class ProgressLine:
    """A line on standard error that is rewritten; nothing if standard error is no terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
        self._width = 0

    def show(self, progress: Progress[Any]) -> None:
        self.write(f"{progress.share:4.0%}  {progress.left_s:3.0f} s left  {progress.task}")

    def clear(self) -> None:
        self.write("")

    def write(self, text: str) -> None:
        if self._terminal is None:
            return
        with suppress(OSError):
            self._terminal.write(f"\r{text:<{self._width}}\r{text}")
            self._terminal.flush()
        self._width = len(text)
