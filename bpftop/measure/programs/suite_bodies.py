"""Suites of bodies: what BPF instructions, calls, maps and helpers cost, each with a verdict from the figures."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping

from bpftop.measure.conditions import conditions
from bpftop.measure.programs.body_suite import Body, BodySuite, Harness
from bpftop.measure.programs.costs import XDP_BUDGET, budget_share
from bpftop.measure.programs.suite import Costs

ACCESS_BYTES = 64 << 19  # the map "lines" of bench_layout.bpf.c


def _bodies(
    name: str, contestants: Iterable[tuple[str, str, str]], empty: str = "empty", harness: Harness = "xdp"
) -> tuple[Body, ...]:
    """Return the bodies of an object; ``contestants`` are (title, program, description)."""
    return tuple(Body(title, what, (name, program), (name, empty), harness) for title, program, what in contestants)


def _somebody_listens() -> str:
    """Return why this process must not get SIGURG; empty if it ignores SIGURG, as by default."""
    if signal.getsignal(signal.SIGURG) in (signal.SIG_DFL, signal.SIG_IGN):
        return ""
    return "this process has a handler for SIGURG, and the suite would send thousands of them"


def compared(much: float, little: float) -> str:
    """Return ``3.2 times as much as``, or ``as much as`` within 5 % or 0.1 ns; ``3.0 ns more than`` next to nothing."""
    if abs(much - little) <= max(0.1, 0.05 * little):
        return "as much as"
    if little < 0.1:  # no factor to a cost that cannot be told from 0
        return f"{much - little:.1f} ns more than"
    return f"{much / little:.1f} times as much as"


def _spills(ns: Costs) -> str:
    each, three = ((ns[name] - ns["registers"]) / count for name, count in (("twelve spills", 12), ("three spills", 1)))
    what = "too little to write code around" if each < 0.2 else "worth keeping values few in a hot loop"
    each, three = max(0.0, each), max(0.0, three)
    return f"A value that goes through the stack costs {each:.2f} ns, three of twelve {three:.2f} ns: {what}."


def _dispatch(ns: Costs) -> str:
    best = min(ns, key=lambda name: ns[name])
    return (
        f"One of 16 cases is found at least cost by {best} ({ns[best]:.1f} ns). A chain of branches takes "
        f"{ns['branch chain']:.1f} ns if all cases are as likely, {ns['branch chain, skewed']:.1f} if one is seven of "
        f"eight. A tail call takes {ns['tail call']:.1f}: a jump that the CPU cannot predict is expensive."
    )


def _calls(ns: Costs) -> str:
    called, tail = ns["BPF-to-BPF call"] - ns["inlined"], ns["tail call"] - ns["inlined"]
    return f"Over inlined code, a BPF-to-BPF call adds {called:.1f} ns, a tail call to a fixed program {tail:.1f} ns."


def _layout(ns: Costs) -> str:
    many = ns["three lines, memory"], ns["one line, memory"]
    few = ns["three lines, L1"], ns["one line, L1"]
    return (
        f"In memory, three fields on three cache lines cost {compared(*many)} on one ({many[0]:.0f} against "
        f"{many[1]:.0f} ns). Within L1 they cost {compared(*few)} on one ({few[0]:.1f} against {few[1]:.1f} ns)."
    )


def _access(ns: Costs) -> str:
    l2_bytes = conditions().l2_bytes
    size = f"{ACCESS_BYTES >> 20} MiB of values" + (f", L2 has {l2_bytes / (1 << 20):g}" if l2_bytes else "")
    ahead, chained = (compared(ns[name], ns["in order"]) for name in ("random", "random, chained"))
    return (
        f"Random access costs {ahead} access in order if the CPU knows the next place ({size}). It costs "
        f"{chained} access in order if each place depends on the value before."
    )


USUAL_ORDER: Mapping[str, str] = {
    "get_smp_processor_id": "get_smp_processor_id",
    "ktime_get_ns": "ktime_get_ns",
    "map_lookup_elem hash": "map_lookup",
    "map_update_elem hash": "map_update",
    "probe_read_kernel": "probe_read_kernel",
    "send_signal": "send_signal",
}
"""Contestant -> its name in the list of helpers by cost that is often quoted, the cheapest first."""


def helper_ranks(ns: Costs) -> Mapping[str, str]:
    """Return the rank of each helper by its cost; of a helper of the usual list also its rank among these.

    A helper whose rank differs from the usual list is marked.
    """
    listed = [name for name in USUAL_ORDER if name in ns]
    measured = sorted(listed, key=lambda name: ns[name])
    ranks = {}
    for rank, name in enumerate(sorted(ns, key=lambda name: ns[name]), 1):
        ranks[name] = f"{rank}"
        if name in listed:
            usual, here = listed.index(name) + 1, measured.index(name) + 1
            ranks[name] += f"; usual list {usual}" + (f", here {here} !" if here != usual else "")
    return ranks


def _helpers(ns: Costs) -> str:
    ordered = sorted(ns, key=lambda name: ns[name])
    dearest, cheapest = ordered[-1], ordered[0]
    within = sum(value <= 0.05 * XDP_BUDGET.ns for value in ns.values())
    moved = [USUAL_ORDER[name] for name, rank in helper_ranks(ns).items() if rank.endswith("!")]
    order = f"differs from the usual list for {', '.join(moved)}" if moved else "is that of the usual list"
    return (
        f"From {ns[cheapest]:.1f} ns ({cheapest}) to {ns[dearest]:.0f} ns ({dearest}); {within} of {len(ns)} cost at "
        f"most 5 % of the {XDP_BUDGET.hook} budget of {XDP_BUDGET.ns:.0f} ns. The order {order}."
    )


def _clock(ns: Costs) -> str:
    saved = ns["ktime three times"] - ns["ktime once, kept"]
    coarse = ns["coarse ktime once, kept"]
    return (
        f"Reading the clock once and keeping it saves {saved:.0f} ns where three readings were, "
        f"{budget_share(saved, XDP_BUDGET)}; the coarse clock, as of the last tick, costs {coarse:.1f} ns."
    )


def _probe_read(ns: Costs) -> str:
    base = ns["read directly"]
    return (
        f"One probe_read_kernel of the struct adds {ns['one struct'] - base:.1f} ns to reading it directly, three of "
        f"its fields {ns['three fields'] - base:.1f}: read at once what lies together."
    )


def _prealloc(ns: Costs) -> str:
    return (
        f"Insert and delete cost {ns['insert + delete, preallocated']:.0f} ns in a preallocated hash, "
        f"{ns['insert + delete, on demand']:.0f} ns in one with BPF_F_NO_PREALLOC; a lookup "
        f"{ns['lookup, preallocated']:.1f} and {ns['lookup, on demand']:.1f} ns."
    )


SPILLS = BodySuite(
    "spills",
    "Registers against stack spills",
    _bodies(
        "bench_spills",
        (
            ("registers", "registers", "twelve dependent steps on three values, all in registers"),
            ("one spill", "one_spill", "one of the values stored to the stack and loaded from it"),
            ("three spills", "three_spills", "three of them"),
            ("twelve spills", "twelve_spills", "each of the twelve"),
        ),
    ),
    _spills,
)

DISPATCH = BodySuite(
    "dispatch",
    "One of 16 cases: branch chain against table dispatch",
    (
        *_bodies(
            "bench_dispatch",
            (
                ("branch chain", "branch_chain", "one comparison after the other, every case as likely"),
                ("branch chain, skewed", "branch_chain_skewed", "the same, where seven of eight are the first case"),
                ("switch", "switch_tree", "a switch, which clang makes a tree of comparisons"),
                ("array", "table", "a constant table in the program's own memory"),
            ),
            harness="tc",
        ),
        Body(
            "tail call",
            "a program per case, by a program array",
            ("bench_tail", "tail_table"),
            ("bench_dispatch", "empty"),
            "tc",
        ),
    ),
    _dispatch,
    together=True,
)

CALLS = BodySuite(
    "calls",
    "Inlined against BPF-to-BPF call against tail call",
    (
        *_bodies(
            "bench_dispatch",
            (
                ("inlined", "inlined", "three instructions in place"),
                ("BPF-to-BPF call", "called", "the same in a static function that is not inlined"),
                ("global function", "called_global", "the same in a function that the verifier checks by itself"),
            ),
            "empty_step",
            "tc",
        ),
        Body(
            "tail call",
            "the same in a program that goes on to itself",
            ("bench_tail", "tail_fixed"),
            ("bench_dispatch", "empty_step"),
            "tc",
        ),
    ),
    _calls,
    together=True,
)

LAYOUT = BodySuite(
    "layout",
    "Dense against sparse values: three counters on one cache line or on three",
    _bodies(
        "bench_layout",
        (
            ("one line, L1", "dense_few", "64 values at random, fields side by side"),
            ("three lines, L1", "sparse_few", "64 values at random, fields 64 bytes apart"),
            ("one line, memory", "dense_many", "131 072 values at random, fields side by side"),
            ("three lines, memory", "sparse_many", "131 072 values at random, fields 64 bytes apart"),
        ),
    ),
    _layout,
    together=True,
)

ACCESS = BodySuite(
    "access",
    "Sequential against random access over a map larger than L2",
    (
        *_bodies("bench_layout", (("in order", "in_order", "one value after the other"),), "empty_step"),
        *_bodies(
            "bench_layout",
            (
                ("random", "at_random", "places that do not depend on what was read"),
                ("random, chained", "at_random_chained", "each place depends on the value before, as in a list"),
            ),
        ),
    ),
    _access,
    together=True,
)

HELPERS = BodySuite(
    "helpers",
    "What one call of each helper costs",
    (
        *_bodies(
            "bench_helpers",
            (
                ("get_smp_processor_id", "get_smp_processor_id", "the CPU's number"),
                ("ktime_get_ns", "ktime_get_ns", "CLOCK_MONOTONIC"),
                ("ktime_get_coarse_ns", "ktime_get_coarse_ns", "the same as of the last tick"),
                ("get_prandom_u32", "get_prandom_u32", "a pseudo-random number"),
                ("map_lookup_elem array", "lookup_array", "1024 entries at random; no call, the verifier inlines it"),
                ("map_lookup_elem hash", "lookup_hash", "1024 entries at random"),
                ("map_update_elem array", "update_array", "1024 entries at random, 8-byte values"),
                ("map_update_elem hash", "update_hash", "1024 entries at random, all there already"),
                ("probe_read_kernel", "probe_read", "8 bytes"),
            ),
        ),
        Body(
            "send_signal",
            "SIGURG, ignored, to the process that runs this; from raw_tp",
            ("bench_helpers", "send_signal"),
            ("bench_helpers", "empty_raw_tp"),
            "raw_tp",
            obstacle=_somebody_listens,
        ),
    ),
    _helpers,
    remark=helper_ranks,
)

CLOCK = BodySuite(
    "clock",
    "A cached against a repeated ktime",
    _bodies(
        "bench_helpers",
        (
            ("ktime once, kept", "clock_once", "one reading, used three times"),
            ("ktime three times", "clock_thrice", "a reading for each use"),
            ("coarse ktime once, kept", "clock_coarse", "one reading of the clock of the last tick, used three times"),
        ),
    ),
    _clock,
)

PROBE_READ = BodySuite(
    "probe-read",
    "One probe_read_kernel of a struct against three of its fields",
    _bodies(
        "bench_helpers",
        (
            ("read directly", "read_directly", "three fields of a map value, as the verifier allows for it"),
            ("one struct", "read_struct", "24 bytes by one probe_read_kernel"),
            ("three fields", "read_three_fields", "8 bytes by each of three"),
        ),
    ),
    _probe_read,
)

PREALLOC = BodySuite(
    "prealloc",
    "A preallocated hash against BPF_F_NO_PREALLOC",
    _bodies(
        "bench_prealloc",
        (
            ("insert + delete, preallocated", "come_and_go_allocated", "a key that is new, and gone again"),
            ("insert + delete, on demand", "come_and_go_on_demand", "the same with BPF_F_NO_PREALLOC"),
            ("lookup, preallocated", "lookup_allocated", "4096 entries at random"),
            ("lookup, on demand", "lookup_on_demand", "the same with BPF_F_NO_PREALLOC"),
        ),
    ),
    _prealloc,
)

BODY_SUITES = (SPILLS, DISPATCH, CALLS, LAYOUT, ACCESS, HELPERS, CLOCK, PROBE_READ, PREALLOC)
