"""Samples in, diagnoses out: the rules with their memory, for whoever has no History."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import replace

from bpftop.history.episodes import Episodes
from bpftop.history.stage_totals import PathTrends
from bpftop.model.derive import snapshot
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.rules.engine import RuleEngine
from bpftop.rules.rule import Rule

_KEPT_TICKS = 64
"""Then the older ones go, in one block."""


class Diagnostician:
    """``last`` is the newest snapshot with its diagnosis and losses, ``episodes`` all findings until then."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._engine = RuleEngine(rules)
        self._before: Sample | None = None
        self._times = array("q")
        self._path = PathTrends(self._times)
        self.episodes = Episodes()
        self.last: Snapshot | None = None
        self.began_ns = 0

    @property
    def watched_s(self) -> float:
        return 0.0 if self.last is None else (self.last.mono_ns - self.began_ns) / 1e9

    def push(self, sample: Sample) -> Snapshot:
        """The snapshot of the sample against the one before, with its diagnosis."""
        plain = snapshot(self._before, sample)
        if self._before is None:
            self.began_ns = sample.mono_ns
        self._before = sample
        self._times.append(sample.mono_ns)
        self._path.push(plain)
        self._forget()
        lost = self._path.totals(sample.mono_ns)
        self.last = replace(plain, diagnosis=self._engine.push(sample, plain), lost=lost)
        self.episodes.push(sample.mono_ns, self.last.diagnosis.findings)
        return self.last

    def _forget(self) -> None:
        """Totals need no past: the last tick is enough."""
        gone = len(self._times) - 1
        if gone >= _KEPT_TICKS:
            del self._times[:gone]
            self._path.forget(gone)
