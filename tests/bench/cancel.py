"""Time from the cancellation of a measurement, by Escape or Ctrl-C, to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median
from typing import Any

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.maps.plan import MeasureRequest, make_plan
from bpftop.measure.maps.profile import MapProfile
from bpftop.measure.programs.comparison import Comparison, chosen
from tests.bench.figures import Figure
from tests.bench.reference import python_pass_ms

LIMIT_TO_PYTHON = 3.0
"""A person waits no longer than for the start of a few Pythons, which take 15 to 50 ms each."""
DELAYS_S = (0.0, 0.02, 0.1, 0.25, 0.4, 0.8)
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "default maps": {},
    "300 000 entries": {"kinds": ("hash", "lpm_trie"), "entries": (300_000,)},
    "values of 32 KiB": {"kinds": ("percpu_hash", "array"), "entries": (1000,), "value_bytes": (32768,)},
}


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield a figure for each profile and for the comparison. Raises BpftopError where a map cannot be made."""
    say("how soon a cancelled measurement ends")
    for name, axes in PROFILES.items():
        plan = make_plan(MeasureRequest(**{"run_ms": 20, **axes}), allowed_cpus(), possible_cpus())
        profiles = (MapProfile(plan) for _ in DELAYS_S)
        yield _figure(f"profile of {name}", ((profile.steps(), profile.stop) for profile in profiles))
    stops = [Stop() for _ in DELAYS_S]
    yield _figure("bench of counters", ((Comparison(chosen(["counters"]), stop).steps(), stop) for stop in stops))


def _figure(name: str, runs: Iterable[tuple[Iterable[object], Stop]]) -> Figure:
    took_ms, python_ms = [], []
    for run, delay_s in zip(runs, DELAYS_S, strict=True):
        took_ms.append(_cancelled_ms(*run, delay_s))
        python_ms.append(python_pass_ms())
    ratio = median(took_ms) / median(python_ms)
    middle = f"{median(took_ms):.0f} against {median(python_ms):.0f} ms"
    how = f"medians of {len(took_ms)} moments: {middle}; most {max(took_ms):.0f}"
    return Figure("cancel", f"end of a cancelled {name} / python -c pass", ratio, "", LIMIT_TO_PYTHON, how)


def _cancelled_ms(steps: Iterable[object], stop: Stop, delay_s: float) -> float:
    """Return the milliseconds from the cancellation, ``delay_s`` after the start, to the end of the steps."""
    cancelled_s: list[float] = []

    def cancel() -> None:
        cancelled_s.append(time.monotonic())
        stop.set()

    timer = threading.Timer(delay_s, cancel)
    timer.start()
    for _ in steps:
        pass
    ended_s = time.monotonic()
    timer.join()
    return 1000 * (ended_s - cancelled_s[0])
