"""Overhead of the profile's harness, against a tight C loop of the same calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bpftop.measure.maps.overhead import LIMIT_PCT
from bpftop.measure.maps.overhead import measure as measure_overhead
from tests.bench.figures import Figure


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where a map cannot be made."""
    say("what the profile's loop adds to an operation")
    for each in measure_overhead():
        how = f"{each.profiled_ns:.1f} ns as reported, {each.bare_ns:.1f} ns with nothing around the call"
        yield Figure("profile", f"profile: harness around {each.operation}", each.added_pct, "%", LIMIT_PCT, how)
