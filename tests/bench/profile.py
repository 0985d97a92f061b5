"""The profile's p50 against an own C loop of the same calls in bulk, on the same keys in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bpftop.measure.maps import overhead
from bpftop.measure.maps.overhead import RATIO_MAX, RATIO_MIN
from tests.bench.figures import Figure


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield a ratio per operation. Raises BpftopError if a map cannot be made."""
    say("the profile's loop against a loop of nothing but the calls")
    for each in overhead.measure():
        how = (
            f"{each.profiled_ns:.1f} against {each.bare_ns:.1f} ns; lower deciles of {overhead.ROUNDS} rounds in turn, "
            "each loop first in every other round"
        )
        title = f"profile, {each.operation}: p50 / bulk"
        yield Figure("profile", title, each.ratio, "", RATIO_MAX, how, RATIO_MIN)
