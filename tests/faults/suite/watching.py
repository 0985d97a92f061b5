"""bpftop on the lab's interface while faults come and go: what it said at each sample."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from bpftop.history.analyzer import Analyzer
from bpftop.model.findings import Diagnosis, Finding
from bpftop.model.sample import BEING_LOADED, Sample
from bpftop.model.snapshot import Snapshot
from bpftop.rules.table import RULES

NS = 10**9
STUCK_S = 30.0
"""A sample that is so late will not come: a busy machine delays them by some seconds at most."""


@dataclass(frozen=True)
class Moment:
    """Findings and rates of bpftop for one sample (rates per second; None is unknown)."""

    mono_ns: int
    diagnosis: Diagnosis
    received: float | None
    sent: float | None
    opened: float | None
    dropped: float | None
    """By the kernel, of what came to the watched interface: none, and a full backlog of a CPU is somebody else's."""
    being_loaded: frozenset[str] = frozenset()
    """Parts whose programs were being loaded."""

    def finding(self, name: str) -> Finding | None:
        return next((found for found in self.diagnosis.findings if found.id == name), None)


def told(moment: Moment, found: Finding) -> str:
    """Return the finding with its numbers, for a complaint, and whether this interface has a part in the host's."""
    here = f"; here rx_dropped {moment.dropped}/s" if found.scope == "host" else ""
    return f"{found.id} ({found.severity}): {found.title}; {'; '.join(found.evidence)}{here}"


class Watcher:
    """The real sampler and the real rules, once a second, from ``with`` on; ``began_ns`` is when it was told to begin.

    It runs in a thread of its own.
    """

    def __init__(self, lab: Lab) -> None:
        self.moments: list[Moment] = []
        self.newest: Sample | None = None
        self.began_ns = 0
        self._source = LiveSource([WATCHED.interface], LiveOptions(netns=lab.netns_path()))
        self._news = threading.Condition()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watcher")

    def __enter__(self) -> Watcher:
        self.began_ns = time.monotonic_ns()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()
        self._thread.join()

    def first(self, wanted: Callable[[Moment], bool], since_ns: int, until_ns: int) -> Moment | None:
        """Return the first sample taken within that time of which ``wanted`` is true; None: there was none.

        Waits for the first sample after that time, however late it comes: it is their times that count.
        """
        seen = 0
        with self._news:
            while True:
                for moment in self.moments[seen:]:
                    if moment.mono_ns > until_ns:
                        return None
                    if moment.mono_ns >= since_ns and wanted(moment):
                        return moment
                seen = len(self.moments)
                self._wait(until_ns)

    def past(self, mono_ns: int) -> None:
        """Wait until a sample is later than that."""
        self.first(lambda moment: False, mono_ns, mono_ns)

    def _wait(self, until_ns: int) -> None:
        if self._failure is not None:
            raise self._failure
        patience_s = max(0.0, (until_ns - time.monotonic_ns()) / NS) + STUCK_S
        assert self._news.wait(patience_s), f"bpftop took no sample for {STUCK_S:.0f} s"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        analyzer = Analyzer(RULES)
        samples = self._source.samples()
        try:
            for sample in samples:
                moment = _moment(analyzer.push(sample))
                with self._news:
                    self.newest = sample
                    self.moments.append(moment)
                    self._news.notify_all()
        except BaseException as error:  # noqa: BLE001  (handed over to who waits)
            with self._news:
                self._failure = error
                self._news.notify_all()
        finally:
            samples.close()


def _moment(seen: Snapshot) -> Moment:
    watched = seen.interface(WATCHED.interface)
    stack, links = seen.reading("snmp"), seen.reading("links", WATCHED.interface)
    return Moment(
        seen.mono_ns,
        seen.diagnosis,
        watched.rx.totals.packets_per_sec,
        watched.tx.totals.packets_per_sec,
        None if stack is None else stack.per_sec(("TcpPassiveOpens",), "count"),
        None if links is None else links.per_sec((WATCHED.interface,), "rx_dropped"),
        frozenset(part for part, reason in seen.unavailable.items() if BEING_LOADED in reason),
    )
