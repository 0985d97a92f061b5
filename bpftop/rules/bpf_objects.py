"""Checks of the BPF programs and maps of the machine. They are asleep unless somebody looks at these objects."""

from __future__ import annotations

from bpftop.fields import frozen
from bpftop.model.bpf.inventory import ARRAY_TYPES, EVICTING_TYPES
from bpftop.model.sample import Key
from bpftop.rules.evidence import per_s
from bpftop.rules.rule import Headline, InputUnavailable, Limit, NotEnoughData, Raised, Rule, RuleInput

ASLEEP = "asleep: only `diagnose --bpf`, `record` and the panes of BPF programs and maps read these objects"
_RUNS_LEAST_PER_SEC = 1000.0
_BASE_RUNS_LEAST = 10_000


def _require(rule_input: RuleInput, family: str) -> None:
    """Raise InputUnavailable where nobody looks at BPF objects."""
    if rule_input.snapshot.reading(family) is None and rule_input.snapshot.why_unavailable(family) is None:
        raise InputUnavailable(ASLEEP, applies=False)


@frozen
class _Fill:
    """A map that neither evicts nor is always full. Not ``complete``: it has at least ``used`` entries."""

    share: float = 0.0
    used: int = 0
    complete: bool = True
    key: Key | None = None


def _fills(rule_input: RuleInput) -> list[_Fill]:
    reading, in_part = rule_input.reading("bpf_maps"), rule_input.snapshot.reading("bpf_maps_in_part")
    fills = []
    for key in reading.keys:
        used, most = reading.value(key, "entries"), reading.value(key, "max_entries")
        at_least = None if in_part is None else in_part.value(key[:1], "entries")
        known = used if at_least is None else at_least
        if known is not None and most and most > 1 and key[1] not in EVICTING_TYPES | ARRAY_TYPES:
            fills.append(_Fill(known / most, known, at_least is None, key))
    return fills


def _fullest(rule_input: RuleInput) -> _Fill:
    return max(_fills(rule_input), key=lambda fill: fill.share, default=_Fill())


def map_full(rule_input: RuleInput) -> Raised | None:
    """Raise where a map is nearly full: an update of a new key then fails with E2BIG.

    A map that could not be counted to its end may be fuller than it looks: then the check is blind.
    """
    _require(rule_input, "bpf_maps")
    fullest = _fullest(rule_input)
    severity = next((s for s in ("critical", "warning") if fullest.share >= rule_input.limit(s)), None)
    if severity is None or fullest.key is None:
        unknown = [
            str(fill.key[2]) or str(fill.key[0]) for fill in _fills(rule_input) if fill.key and not fill.complete
        ]
        if unknown:
            raise InputUnavailable(f"too large to be counted within 50 ms: {', '.join(unknown)}")
        return None
    map_id, kind, name, owners = map(str, fullest.key)
    most = rule_input.reading("bpf_maps").value(fullest.key, "max_entries")
    least = "" if fullest.complete else "at least "
    return Raised(
        "critical" if severity == "critical" else "warning",
        f"The BPF map {name or map_id} is {least}{fullest.share:.0%} full",
        (
            f"{least}{fullest.used} of {most} entries ({kind}, id {map_id})",
            f"held by {owners or 'nobody that is visible here'}",
        ),
        "programs add keys that nobody deletes, or the map is too small: new keys then fail with E2BIG",
        Headline("used share", severity, lambda other: _fullest(other).share),
    )


def _dearest(rule_input: RuleInput) -> tuple[float, float, float, float | None, Key | None]:
    """Return the share of a CPU of the program that takes most, its ns per run, runs/s, earlier ns per run, and key."""
    reading = rule_input.reading("bpf_programs")
    if reading.elapsed_ns is None:
        raise NotEnoughData("two readings of the programs, 10 s apart")
    added_ns = rule_input.level("bpf_statistics", (), "added_ps") / 1000
    best: tuple[float, float, float, float | None, Key | None] = 0.0, 0.0, 0.0, None, None
    for key in reading.keys:
        runs, time_ns = reading.per_sec(key, "run_cnt"), reading.per_sec(key, "run_time_ns")
        if not runs or time_ns is None:
            continue
        each_ns = max(0.0, time_ns / runs - added_ns)
        if each_ns * runs / 1e9 > best[0]:
            best = each_ns * runs / 1e9, each_ns, runs, _earlier_ns(rule_input, key, added_ns), key
    return best


def _earlier_ns(rule_input: RuleInput, key: Key, added_ns: float) -> float | None:
    """Return the mean time of the runs before the last interval; None where there were too few."""
    reading = rule_input.reading("bpf_programs")
    elapsed_s = (reading.elapsed_ns or 0) / 1e9
    before = [
        (reading.value(key, column) or 0) - (reading.per_sec(key, column) or 0.0) * elapsed_s
        for column in ("run_cnt", "run_time_ns")
    ]
    return max(0.0, before[1] / before[0] - added_ns) if before[0] >= _BASE_RUNS_LEAST else None


def program_cost(rule_input: RuleInput) -> Raised | None:
    """Raise where a program takes a large share of a CPU, or has become dear per run."""
    _require(rule_input, "bpf_programs")
    if not rule_input.level("bpf_statistics", (), "are_on"):
        raise InputUnavailable("run statistics are off: `diagnose --bpf` switches them on while it runs", applies=False)
    share, each_ns, runs, earlier_ns, key = _dearest(rule_input)
    if key is None:
        return None
    dearer = earlier_ns and each_ns >= rule_input.limit("dearer") * earlier_ns and runs >= _RUNS_LEAST_PER_SEC
    if share < rule_input.limit("warning") and not dearer:
        return None
    prog_id, kind, name, attached, owners = map(str, key)
    was = "" if earlier_ns is None else f"; {earlier_ns:.0f} ns a run before"
    return Raised(
        "warning",
        f"The BPF program {name or prog_id} takes {share:.0%} of a CPU",
        (
            f"{per_s(runs)} runs of {each_ns:.0f} ns each{was}",
            f"{kind}, id {prog_id}, attached to {attached or 'nothing that is visible here'}",
            f"held by {owners or 'nobody that is visible here'}",
        ),
        "it runs for every packet or event: less work per run, or fewer events, make it cheaper",
        Headline("share of a CPU", "warning", lambda other: _dearest(other)[0]),
    )


RULES = (
    Rule(
        "bpf-map-full", "bpf", "host", ("bpf_maps",), ("warning", "critical"),
        "BPF maps that are nearly full, LRU maps left out", map_full,
        {"warning": Limit(0.80, 0.75, "share"), "critical": Limit(0.95, 0.90, "share")},
        ("bpftop maps", "bpftop maps --sort share"),
        woken_by=("bpf_maps", "bpf_maps_in_part"),
    ),
    Rule(
        "bpf-program-cost", "bpf", "host", ("bpf_programs", "bpf_statistics"), ("warning",),
        "BPF programs that take much of a CPU, or have become dear per run", program_cost,
        {"warning": Limit(0.20, 0.15, "share"), "dearer": Limit(2.0, 1.5, "x")},
        ("bpftop progs", "bpftop progs --watch"),
        woken_by=("bpf_programs", "bpf_statistics"),
    ),
)  # fmt: skip
