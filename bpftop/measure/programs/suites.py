"""The suites by name, and running several of them: what the command line and the screen drive."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from bpftop.errors import UsageError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.measure.programs.costs import SuiteProgress, SuiteTable
from bpftop.measure.programs.counters import Counters
from bpftop.measure.programs.suite_bodies import BODY_SUITES
from bpftop.measure.programs.suite_reads import READ_SUITES


class Suite(Protocol):
    """Something to compare. ``weight`` is about how many milliseconds it takes."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def weight(self) -> float: ...

    def contestants(self) -> Iterator[tuple[str, str]]:
        """Name and meaning of each row that there may be."""

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        """The table as it grows; the last one is partial only where ``stop`` was set. Raises BpftopError."""


SUITES: Mapping[str, Suite] = {suite.name: suite for suite in (Counters(), *BODY_SUITES, *READ_SUITES)}


def chosen(names: Iterable[str]) -> list[Suite]:
    """These suites, each once; all where none is named. Raises UsageError, with the list."""
    wanted = list(dict.fromkeys(names)) or list(SUITES)
    unknown = [name for name in wanted if name not in SUITES]
    if unknown:
        raise UsageError(f"there is no suite {', '.join(unknown)}; the suites are {', '.join(SUITES)}")
    return [SUITES[name] for name in wanted]


@dataclass(frozen=True)
class Update:
    """A table that has grown. ``share`` (0 to 1) is done of everything, which takes about ``left_s`` seconds more."""

    table: SuiteTable
    share: float
    left_s: float


def run(suites: Sequence[Suite], stop: Stop) -> Generator[Update, None, None]:
    """Run one suite after the other. The last table of a suite is whole, or partial where ``stop`` was set.

    All work is done while the generator is asked for its next value, most of it without the GIL. Who asks in a thread
    of its own sets ``stop`` from any other, and has the end within some 50 ms. Closing the generator, or an exception
    in it, ends the threads and unloads the programs. Raises BpftopError.
    """
    whole, before = sum(suite.weight for suite in suites), 0.0
    begin_s = time.monotonic()
    for suite in suites:
        with closing(suite.run(stop)) as steps:
            for step in steps:
                share = (before + suite.weight * step.share) / whole
                spent_s = time.monotonic() - begin_s
                left_s = spent_s / share * (1 - share) if share > 0.05 else whole * (1 - share) / 1000
                yield Update(step.table, share, left_s)
        before += suite.weight
        if stop.is_set():
            return
