"""Samples in, snapshots out, in a thread. It knows nothing of Textual, so that it runs while that is imported."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bpftop.errors import BpftopError
from bpftop.history.history import History
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.model.source import SampleSource
from bpftop.rules.rule import Rule

if TYPE_CHECKING:
    from bpftop.store.recorder import Recorder
    from bpftop.store.replay import Replay

Listener = Callable[[Snapshot | None], object]
"""Called in the feed's thread with each snapshot, and with None when there will be no more."""


class SamplingThread:
    """Runs a Source in a thread, keeps the History, and hands on the newest Snapshot.

    ``live`` is false where the samples come from elsewhere; ``replay`` is the source where one can move about in it.
    Hold ``lock`` while reading ``history``: the thread adds to it, and begins another one after a jump. The listener is
    called with the lock held.
    """

    def __init__(
        self,
        source: SampleSource,
        *,
        live: bool = True,
        rules: Iterable[Rule] = (),
        replay: Replay | None = None,
        remarks: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.source = source
        self.live = live and replay is None
        self.replay = replay
        self.recorder: Recorder | None = None
        """Gets every sample while it is there."""
        self._remarks = remarks
        self._rules = tuple(rules)
        self.history = History(self._rules)
        self.lock = threading.RLock()
        self.latest: Snapshot | None = None
        self.error: BpftopError | None = None
        """Why the source ended, where it did not simply end."""
        self.ended = False
        self._ready = threading.Event()
        self._listener: Listener | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close the source and wait for the thread; after ``timeout_s`` it is left to end with the process."""
        self.source.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def wait_ready(self, timeout_s: float) -> Snapshot | None:
        """The first snapshot with rates; None where it did not come in time or the source ended before it.

        Raises the BpftopError with which the source failed.
        """
        self._ready.wait(timeout_s)
        if self.error is not None:
            raise self.error
        return self.latest if self._ready.is_set() else None

    def listen(self, listener: Listener | None) -> None:
        """Call ``listener`` from now on, beginning with what is there already."""
        with self.lock:
            self._listener = listener
            if listener is not None and self.latest is not None:
                listener(self.latest)
            if listener is not None and self.ended:
                listener(None)

    def _run(self) -> None:
        try:
            history, before = self.history, None
            for sample, fresh, behind in self._played():
                if fresh or (before is not None and _elsewhere(before, sample)):
                    history = History(self._rules)
                before = sample
                if behind:  # the past of a moment that was jumped to: nobody sees this history yet
                    history.push(sample)
                    continue
                if (recorder := self.recorder) is not None:
                    recorder.offer(sample)
                with self.lock:
                    self.history = history
                    self.latest = history.push(sample)
                    self._tell(self.latest)
                if recorder is not None:
                    recorder.offer_findings(sample.mono_ns, self.latest.diagnosis.findings)
                if self.latest.interval_ns is not None:
                    self._ready.set()
        except BpftopError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - a thread's traceback would land in the middle of the screen
            fault = f"{type(error).__name__}: {error}"
            self.error = BpftopError(f"reading samples failed through a fault in bpftop ({fault}); please report it")
            self.error.__cause__ = error
        finally:
            self._ready.set()
            with self.lock:
                self.ended = True
                self._tell(None)

    def _played(self) -> Iterator[tuple[Sample, bool, bool]]:
        """Samples, whether what came before belongs to them, and whether they are only the past of one that comes."""
        if self.replay is not None:
            return self.replay.played()
        return ((sample, False, False) for sample in self.source.samples())

    def remarks(self) -> list[str]:
        """Sentences about where the samples come from and go to."""
        trouble = None if self.recorder is None else self.recorder.progress.trouble
        return [*self._remarks(), *([f"recording: {trouble}"] if trouble else [])]

    def _tell(self, snapshot: Snapshot | None) -> None:
        if self._listener is not None:
            self._listener(snapshot)


def _elsewhere(before: Sample, after: Sample) -> bool:
    """Whether the samples are of two sessions: no rate may be taken from one to the other."""
    return after.seq <= before.seq or after.boot_id != before.boot_id or after.mono_ns <= before.mono_ns
