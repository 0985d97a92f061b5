"""The thread that turns samples into snapshots. Textual is not imported here: the thread starts before Textual."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bpftop.config.resources import start_thread, why_failed
from bpftop.errors import BpftopError
from bpftop.history.analyzer import other_session
from bpftop.history.flow_sampling import FlowSampling
from bpftop.history.history import History
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.model.source import RECORDED_FLOWS, SampleSource
from bpftop.rules.rule import Rule

if TYPE_CHECKING:
    from bpftop.store.recorder import Recorder
    from bpftop.store.replay import Replay

SnapshotListener = Callable[[Snapshot | None], object]
"""Called in the sampling thread with each snapshot, and with None after the last snapshot."""


class SamplingThread:
    """Runs a sample source in a thread, feeds the History and offers the newest Snapshot.

    Hold ``lock`` while reading ``history``: the thread appends to the history and replaces it after a seek. The
    listener is called with the lock held.

    Args:
        live: False if the samples come from a recording or a pipe.
        replay: The source itself, if it is a recording that can be seeked in.
        remarks: Returns sentences about the source, read for every drawing.
        flows_on_finding: Have flows counted for some seconds when a flood or the like is found.
    """

    def __init__(
        self,
        source: SampleSource,
        *,
        live: bool = True,
        rules: Iterable[Rule] = (),
        replay: Replay | None = None,
        remarks: Callable[[], Iterable[str]] = tuple,
        flows_on_finding: bool = False,
    ) -> None:
        self.source = source
        self.live = live and replay is None
        self.replay = replay
        self.recorder: Recorder | None = None
        """Receives every sample while it is set."""
        self._remarks = remarks
        self._flow_sampling = FlowSampling(source.sample_flows) if flows_on_finding and self.live else None
        self._rules = tuple(rules)
        self.history = History(self._rules)
        self.lock = threading.RLock()
        self.latest: Snapshot | None = None
        self.error: BpftopError | None = None
        """The error that ended the source, if any."""
        self.ended = False
        self._listener: SnapshotListener | None = None
        self._thread = threading.Thread(target=self._run, name="sampling", daemon=True)

    def start(self) -> None:
        start_thread(self._thread)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close the source and wait at most ``timeout_s`` for the thread; after that it ends with the process."""
        self.source.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def listen(self, listener: SnapshotListener | None) -> None:
        """Call ``listener`` with every snapshot from now on, starting with the newest that exists."""
        with self.lock:
            self._listener = listener
            if listener is not None and self.latest is not None:
                listener(self.latest)
            if listener is not None and self.ended:
                listener(None)

    def _run(self) -> None:
        try:
            history, previous = self.history, None
            for sample, restart, preload in self._samples():
                if restart or (previous is not None and other_session(previous, sample)):
                    history = History(self._rules)
                previous = sample
                if preload:  # no lock needed: nobody else sees this history yet
                    history.push(sample)
                    continue
                if (recorder := self.recorder) is not None:
                    recorder.offer(_as_recorded(sample))
                with self.lock:
                    self.history = history
                    self.latest = history.push(sample)
                    self._notify(self.latest)
                if self._flow_sampling is not None:
                    self._flow_sampling.look_at(self.latest)
                if recorder is not None:
                    recorder.offer_findings(sample.mono_ns, self.latest.diagnosis.findings)
        except BpftopError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - a traceback would be printed into the screen
            self.error = BpftopError(why_failed(error, "reading samples"))
            self.error.__cause__ = error
        finally:
            with self.lock:
                self.ended = True
                self._notify(None)

    def _samples(self) -> Iterator[tuple[Sample, bool, bool]]:
        """Yield (sample, restart, preload).

        ``restart``: the history begins anew here, after a seek. ``preload``: the sample only fills the history before
        the moment that was sought, and is not shown.
        """
        if self.replay is not None:
            return self.replay.played()
        return ((sample, False, False) for sample in self.source.samples())

    def remarks(self) -> list[str]:
        """Return sentences about the source of the samples and about the recording."""
        warning = None if self.recorder is None else self.recorder.progress.warning
        return [*self._remarks(), *([f"recording: {warning}"] if warning else [])]

    def _notify(self, snapshot: Snapshot | None) -> None:
        if self._listener is not None:
            self._listener(snapshot)


def _as_recorded(sample: Sample) -> Sample:
    """Return the sample with the busiest flows alone: all of them would be most of the recording."""
    from bpftop.history.top_flows import with_top_flows  # late: most sessions record nothing

    return with_top_flows(sample, RECORDED_FLOWS)
