"""Suites of bodies: what BPF instructions, calls, maps and helpers cost, each with a verdict from the figures."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from bpftop.measure.machine import conditions
from bpftop.measure.programs.body_suite import Body, BodySuite
from bpftop.measure.programs.costs import XDP_BUDGET, budget_share
from bpftop.measure.programs.suite import Costs

ACCESS_BYTES = 64 << 19  # the map "lines" of bench_layout.bpf.c


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
    _spills,
    "bench_spills",
    (
        Body("registers", "registers", "twelve dependent steps on three values, all in registers"),
        Body("one spill", "one_spill", "one of the values stored to the stack and loaded from it"),
        Body("three spills", "three_spills", "three of them"),
        Body("twelve spills", "twelve_spills", "each of the twelve"),
    ),
)

DISPATCH = BodySuite(
    "dispatch",
    "One of 16 cases: branch chain against table dispatch",
    _dispatch,
    "bench_dispatch",
    (
        Body("branch chain", "branch_chain", "one comparison after the other, every case as likely"),
        Body("branch chain, skewed", "branch_chain_skewed", "the same, where seven of eight are the first case"),
        Body("switch", "switch_tree", "a switch, which clang makes a tree of comparisons"),
        Body("array", "table", "a constant table in the program's own memory"),
        Body("tail call", "tail_table", "a program per case, by a program array", object="bench_tail"),
    ),
    harness="tc",
    together=True,
)

CALLS = BodySuite(
    "calls",
    "Inlined against BPF-to-BPF call against tail call",
    _calls,
    "bench_dispatch",
    (
        Body("inlined", "inlined", "three instructions in place"),
        Body("BPF-to-BPF call", "called", "the same in a static function that is not inlined"),
        Body("global function", "called_global", "the same in a function that the verifier checks by itself"),
        Body("tail call", "tail_fixed", "the same in a program that goes on to itself", object="bench_tail"),
    ),
    empty="empty_step",
    harness="tc",
    together=True,
)

LAYOUT = BodySuite(
    "layout",
    "Dense against sparse values: three counters on one cache line or on three",
    _layout,
    "bench_layout",
    (
        Body("one line, L1", "dense_few", "64 values at random, fields side by side"),
        Body("three lines, L1", "sparse_few", "64 values at random, fields 64 bytes apart"),
        Body("one line, memory", "dense_many", "131 072 values at random, fields side by side"),
        Body("three lines, memory", "sparse_many", "131 072 values at random, fields 64 bytes apart"),
    ),
    together=True,
)

ACCESS = BodySuite(
    "access",
    "Sequential against random access over a map larger than L2",
    _access,
    "bench_layout",
    (
        Body("in order", "in_order", "one value after the other", empty="empty_step"),
        Body("random", "at_random", "places that do not depend on what was read"),
        Body("random, chained", "at_random_chained", "each place depends on the value before, as in a list"),
    ),
    together=True,
)

HELPERS = BodySuite(
    "helpers",
    "What one call of each helper costs",
    _helpers,
    "bench_helpers",
    (
        Body("get_smp_processor_id", "get_smp_processor_id", "the CPU's number"),
        Body("ktime_get_ns", "ktime_get_ns", "CLOCK_MONOTONIC"),
        Body("ktime_get_coarse_ns", "ktime_get_coarse_ns", "the same as of the last tick"),
        Body("get_prandom_u32", "get_prandom_u32", "a pseudo-random number"),
        Body("map_lookup_elem array", "lookup_array", "1024 entries at random; no call, the verifier inlines it"),
        Body("map_lookup_elem hash", "lookup_hash", "1024 entries at random"),
        Body("map_update_elem array", "update_array", "1024 entries at random, 8-byte values"),
        Body("map_update_elem hash", "update_hash", "1024 entries at random, all there already"),
        Body("probe_read_kernel", "probe_read", "8 bytes"),
        Body(
            "send_signal",
            "send_signal",
            "SIGURG, ignored, to the process that runs this; from raw_tp",
            empty="empty_raw_tp",
            harness="raw_tp",
            obstacle=_somebody_listens,
        ),
    ),
    remarks=helper_ranks,
)

CLOCK = BodySuite(
    "clock",
    "A cached against a repeated ktime",
    _clock,
    "bench_helpers",
    (
        Body("ktime once, kept", "clock_once", "one reading, used three times"),
        Body("ktime three times", "clock_thrice", "a reading for each use"),
        Body("coarse ktime once, kept", "clock_coarse", "one reading of the clock of the last tick, used three times"),
    ),
)

PROBE_READ = BodySuite(
    "probe-read",
    "One probe_read_kernel of a struct against three of its fields",
    _probe_read,
    "bench_helpers",
    (
        Body("read directly", "read_directly", "three fields of a map value, as the verifier allows for it"),
        Body("one struct", "read_struct", "24 bytes by one probe_read_kernel"),
        Body("three fields", "read_three_fields", "8 bytes by each of three"),
    ),
)

PREALLOC = BodySuite(
    "prealloc",
    "A preallocated hash against BPF_F_NO_PREALLOC",
    _prealloc,
    "bench_prealloc",
    (
        Body("insert + delete, preallocated", "come_and_go_allocated", "a key that is new, and gone again"),
        Body("insert + delete, on demand", "come_and_go_on_demand", "the same with BPF_F_NO_PREALLOC"),
        Body("lookup, preallocated", "lookup_allocated", "4096 entries at random"),
        Body("lookup, on demand", "lookup_on_demand", "the same with BPF_F_NO_PREALLOC"),
    ),
)

BODY_SUITES = (SPILLS, DISPATCH, CALLS, LAYOUT, ACCESS, HELPERS, CLOCK, PROBE_READ, PREALLOC)
