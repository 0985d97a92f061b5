"""The suites by name."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Protocol

from bpftop.errors import UsageError
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.measure.programs.costs import SuiteProgress
from bpftop.measure.programs.counters import Counters
from bpftop.measure.programs.suite_bodies import BODY_SUITES
from bpftop.measure.programs.suite_reads import READ_SUITES
from bpftop.measure.programs.suite_tracing import Tracing


class Suite(Protocol):
    """Contestants that are compared with each other, in about ``expected_s`` seconds."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def expected_s(self) -> float: ...

    def contestants(self) -> Iterator[tuple[str, str]]:
        """Yield name and description of each possible row."""

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        """Yield the table as it grows. The last table is partial only if ``stop`` was set. Raises BpftopError."""


SUITES: Mapping[str, Suite] = {suite.name: suite for suite in (Counters(), *BODY_SUITES, Tracing(), *READ_SUITES)}


def chosen(names: Iterable[str]) -> list[Suite]:
    """Return the suites of these names, each once, or all suites without names. Raises UsageError with the list."""
    wanted = list(dict.fromkeys(names)) or list(SUITES)
    unknown = [name for name in wanted if name not in SUITES]
    if unknown:
        raise UsageError(f"there is no suite {', '.join(unknown)}; the suites are {', '.join(SUITES)}")
    return [SUITES[name] for name in wanted]
