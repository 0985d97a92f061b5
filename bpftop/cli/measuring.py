"""The runner of measurements for the command line: worker thread, progress line, early end by a signal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from bpftop.cli.shutdown import Ended, ending_signals, interruptible
from bpftop.config.resources import start_thread

if TYPE_CHECKING:
    from bpftop.measure.api import MeasurementRun, Progress

Result = TypeVar("Result")


def follow(measurement: MeasurementRun[Result], take: Callable[[Progress[Result]], None]) -> Ended | None:
    """Run the measurement in a worker thread, which signals do not reach, and ``take`` each step in this thread.

    Return the signal that ended the measurement early, to be raised after the results are written; None: the
    measurement is complete. Raises the BpftopError of the measurement.
    """
    steps: SimpleQueue[Progress[Result] | BaseException | None] = SimpleQueue()
    worker = threading.Thread(target=_work, args=(measurement, steps), name="measurement", daemon=True)
    start_thread(worker)
    try:
        while _take_next(steps, take, wait=interruptible):
            pass
    except Ended as signal:
        measurement.stop.set()
        with ending_signals():  # the first signal has been handled; only another one interrupts the rest
            while _take_next(steps, take, wait=suppress):
                pass
        return signal
    finally:
        measurement.stop.set()
        worker.join()
    return None


def _take_next(steps: SimpleQueue[Any], take: Callable[[Any], None], wait: Callable[[], Any]) -> bool:
    """Take the next step. Return False after the last one. Raises the measurement's exception."""
    with wait():
        step = steps.get()
    if isinstance(step, BaseException):
        raise step
    if step is not None:
        take(step)
    return step is not None


def _work(measurement: MeasurementRun[Any], steps: SimpleQueue[Any]) -> None:
    """Put all steps into the queue, then None or the exception."""
    try:
        for step in measurement.steps():
            steps.put(step)
        steps.put(None)
    except BaseException as error:  # noqa: BLE001 raised again in the main thread
        steps.put(error)


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
