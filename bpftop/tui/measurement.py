"""What measures on request while the screen goes on: an engine in a thread of its own, and how far it is.

Imported with the first pane that has one.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from bpftop.errors import BpftopError
from bpftop.model.units import bar
from bpftop.tui.view import PaneInput, View
from bpftop.tui.widgets.line import Line, clean, crop, line, wrap

if TYPE_CHECKING:
    from bpftop.measure.api import Stop

NEWS_S = 0.25
"""The screen is told at most so often: to draw takes time from a CPU that may be the one that is measured."""

KEEPS_ON = "another pane leaves it running, quitting ends it"

BAR_WIDTH = 16


@dataclass(frozen=True)
class Work:
    """How far a run is. ``share`` (0 to 1) is done, the rest takes about ``left_s`` seconds; ``what`` is under way.

    ``sentence`` is what there is to say when it has ended.
    """

    phase: Literal["idle", "running", "done", "cancelled", "failed"] = "idle"
    share: float = 0.0
    left_s: float | None = None
    what: str = ""
    sentence: str = ""

    @property
    def running(self) -> bool:
        return self.phase == "running"


Steps = Generator[Work, None, str]
"""What a run yields while it goes on; in the end, the sentence that sums it up."""


class Measurement(ABC):
    """One run at a time. ``tell`` is called in its thread when there is something new to draw, and at its end."""

    def __init__(self, title: str, tell: Callable[[], None]) -> None:
        self.title = title
        self.work = Work()
        self._tell = tell
        self._stop: Stop | None = None
        self._thread: threading.Thread | None = None
        self._unheard = ""

    @property
    @abstractmethod
    def state(self) -> object:
        """What the pane draws, as it is now: a value that does not change."""

    @abstractmethod
    def press(self, name: str, frame: PaneInput, busy: str) -> View | None:
        """The view after an action that means something here; None: it means here what it means everywhere.

        ``busy`` names another desk that measures: two at a time would measure each other.
        """

    @property
    def stopped(self) -> bool:
        """Whether the run was cancelled."""
        return self._stop is not None and self._stop.is_set()

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def begin(self, steps: Callable[[Stop], Steps]) -> None:
        """Start a run; nothing happens while there is one."""
        if self.running:
            return
        from bpftop.measure.api import Stop  # not before: a replay needs no kernel

        self._stop = stop = Stop()
        self._unheard, self.work = "", Work("running")
        self._thread = threading.Thread(target=self._run, args=(steps, stop), name="measuring", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End the run within one operation; what it has found stays."""
        if self._stop is not None:
            self._stop.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel, and wait for the thread: then maps and programs are gone."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def ending(self) -> str:
        """How the run ended, once: for whoever looks elsewhere."""
        unheard, self._unheard = self._unheard, ""
        return f"{self.title}: {unheard}" if unheard else ""

    def _run(self, steps: Callable[[Stop], Steps], stop: Stop) -> None:
        try:
            with closing(steps(stop)) as going:
                sentence = self._follow(going)
            self.work = replace(self.work, phase="cancelled" if stop.is_set() else "done", sentence=sentence)
        except BpftopError as error:
            self.work = replace(self.work, phase="failed", sentence=str(error))
        except Exception as error:  # noqa: BLE001 - a thread's traceback would land in the middle of the screen
            fault = f"{type(error).__name__}: {error}"
            self.work = replace(
                self.work,
                phase="failed",
                sentence=f"measuring failed through a fault in bpftop ({fault}); please report it",
            )
        finally:
            self._unheard = self.work.sentence
            self._tell()

    def _follow(self, going: Steps) -> str:
        told_s = 0.0
        while True:
            try:
                self.work = next(going)
            except StopIteration as end:
                return str(end.value)
            if time.monotonic() - told_s >= NEWS_S:
                told_s = time.monotonic()
                self._tell()


def rule(work: Work, says: str, width: int) -> Line:
    """The line between what is chosen and what was found."""
    parts = [part for part in (says, KEEPS_ON if work.running else "") if part]
    words = f" {'; '.join(parts)} " if parts else ""
    return crop(line(("──" if words else "", "muted"), (words, "notice"), ("─" * width, "muted")), width)


def status_lines(work: Work, stopping: bool, idle: str, width: int) -> list[Line]:
    """How far the run is, or how it ended, in as many lines as the sentence needs."""
    if work.running:
        left = "" if work.left_s is None else f"  {work.left_s:3.0f} s left"
        end = "  cancelling" if stopping else "  esc cancels"
        room = width - BAR_WIDTH - len(left) - len(end) - 10
        progress = line(
            ("▕", "muted"), (bar(work.share, BAR_WIDTH), "bar"), ("▏", "muted"), f"{work.share:4.0%}", left,
            (f"  {work.what}"[: max(0, room)], "name"), (end, "key"),
        )  # fmt: skip
        return [crop(progress, width)]
    role = {"failed": "alarm", "cancelled": "notice"}.get(work.phase, "muted")
    return [line((part, role)) for part in wrap(clean(work.sentence or idle), width)]
