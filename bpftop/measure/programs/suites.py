"""The suites by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpftop.errors import UsageError
from bpftop.measure.programs.counters import COUNTERS
from bpftop.measure.programs.suite import Suite
from bpftop.measure.programs.suite_bodies import BODY_SUITES
from bpftop.measure.programs.suite_reads import READ_SUITES
from bpftop.measure.programs.suite_tracing import TRACING

SUITES: Mapping[str, Suite] = {suite.name: suite for suite in (COUNTERS, *BODY_SUITES, TRACING, *READ_SUITES)}


def chosen(names: Iterable[str]) -> list[Suite]:
    """Return the suites of these names, each once, or all suites without names. Raises UsageError with the list."""
    wanted = list(dict.fromkeys(names)) or list(SUITES)
    unknown = [name for name in wanted if name not in SUITES]
    if unknown:
        raise UsageError(f"there is no suite {', '.join(unknown)}; the suites are {', '.join(SUITES)}")
    return [SUITES[name] for name in wanted]
