"""The suites: every contestant is measured, what a kernel lacks is skipped by name, a wrong value is caught."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bpftop.errors import BpftopError, UsageError
from bpftop.kernel import build
from bpftop.kernel.bpf import object as bpf_object
from bpftop.kernel.bpf.bpf_map import BpfMap, Stop
from bpftop.kernel.measure.timed_runs import Turn
from bpftop.kernel.measure.whole_map_reads import WholeReads
from bpftop.measure.machine import Conditions, Machine, conditions, cpu_counts, doubts
from bpftop.measure.programs import body_suite, suite_reads
from bpftop.measure.programs.body_suite import Body, BodySuite
from bpftop.measure.programs.comparison import SUITES, Comparison, chosen
from bpftop.measure.programs.concurrent_runs import undisturbed
from bpftop.measure.programs.costs import TRACING_BUDGET, ProgramRow, SuiteTable, cost
from bpftop.measure.programs.suite import Suite
from bpftop.measure.programs.suite_bodies import BODY_SUITES, HELPERS, compared, helper_ranks
from bpftop.measure.programs.suite_reads import BATCH, MMAP, POPULATE, READ_SUITES, ReadSuite
from bpftop.render.measure.program_columns import program_lines
from tests.waiting import LIMIT_S, until

Shorten = Callable[[Suite], Suite]
NAMES = ["counters", "spills", "dispatch", "calls", "layout", "access", "helpers", "clock", "probe-read", "prealloc"]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Shorten:
    """Make a suite of two short rounds, for tests that do not depend on their length."""
    for module in (body_suite, suite_reads):
        monkeypatch.setattr(module, "ALONE_NS", 1_000_000)
    return lambda suite: replace(suite, rounds=2)


def last_table(suite: Suite, stop: Stop | None = None) -> SuiteTable:
    *_, last = suite.run(stop or Stop())
    return last.table


def test_the_suites_by_name() -> None:
    assert list(SUITES) == [*NAMES, "tracing", "batch", "populate", "mmap"]
    assert [suite.name for suite in chosen(["calls", "clock", "calls"])] == ["calls", "clock"]
    assert [suite.name for suite in chosen([])] == list(SUITES)


def test_an_unknown_suite_lists_the_suites() -> None:
    with pytest.raises(UsageError, match=r"no suite speed; the suites are counters, spills, .* mmap$"):
        chosen(["calls", "speed"])


@pytest.mark.bpf
@pytest.mark.parametrize("suite", [*BODY_SUITES, *READ_SUITES], ids=lambda suite: suite.name)
def test_every_contestant_is_measured_and_judged(suite: Suite, short: Shorten) -> None:
    steps = list(short(suite).run(Stop()))
    assert [step.table.partial for step in steps] == [True, False]
    table = steps[-1].table
    assert [row.name for row in table.rows] == [name for name, _ in suite.contestants()]
    assert not table.skipped
    assert table.row(table.reference) is not None
    assert all(row.alone.gross.runs == 2 and row.alone.gross.low > 0 for row in table.rows)
    assert table.verdict.endswith(".")
    assert "No verdict" not in table.verdict
    assert max(len(sentence.split()) for sentence in re.split(r"(?<=[.;]) ", table.verdict)) <= 25


def test_helpers_of_an_unusual_rank_are_marked() -> None:
    ns = {
        "get_smp_processor_id": 0.3,
        "ktime_get_ns": 19.0,
        "map_lookup_elem array": 0.5,
        "map_lookup_elem hash": 10.0,
        "map_update_elem hash": 38.0,
        "probe_read_kernel": 12.0,
        "send_signal": 100.0,
    }
    assert helper_ranks(ns) == {
        "get_smp_processor_id": "1; usual list 1",
        "map_lookup_elem array": "2",
        "map_lookup_elem hash": "3; usual list 3, here 2 !",
        "probe_read_kernel": "4; usual list 5, here 3 !",
        "ktime_get_ns": "5; usual list 2, here 4 !",
        "map_update_elem hash": "6; usual list 4, here 5 !",
        "send_signal": "7; usual list 6",
    }
    del ns["send_signal"]
    assert "send_signal" not in helper_ranks(ns)
    sentences = HELPERS.conclude(ns).split(". ")
    moved = "map_lookup, probe_read_kernel, ktime_get_ns, map_update"
    assert sentences[1] == f"The order differs from the usual list for {moved}."
    assert max(len(sentence.split()) for sentence in sentences) <= 25


@pytest.mark.bpf
def test_kprobe_and_tracepoint_are_timed_by_run_statistics() -> None:
    table = last_table(replace(SUITES["tracing"], rounds=2))
    measured, skipped = {row.name for row in table.rows}, {each.name for each in table.skipped}
    assert "raw tracepoint" in measured
    assert measured | skipped == {"kprobe", "tracepoint", "raw tracepoint"}
    # Without CONFIG_KPROBES or a mounted tracefs.
    assert all(each.reason.startswith(f"cannot attach {each.name}_count: ") for each in table.skipped)
    assert all(1 < row.alone.gross.low < 1e6 for row in table.rows)
    assert table.budget == TRACING_BUDGET
    assert table.verdict.startswith("By run statistics, a counter at a ")
    assert all(line.name != "10 Gb/s of 64 B" for line in program_lines(table))


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("suite", "is_known"),
    [
        ("clock", lambda ns: ns["ktime three times"] > 2 * ns["ktime once, kept"]),
        ("access", lambda ns: ns["random, chained"] > 3 * ns["random"]),
        ("mmap", lambda ns: ns["a call per key"] > ns["one batch"] > 5 * ns["mapped memory"]),
    ],
)
def test_known_large_differences_are_measured(suite: str, is_known: Callable[[Mapping[str, float]], bool]) -> None:
    """The kernel's design makes these differences; other work on the machine may hide them for a while."""
    seen: list[dict[str, float]] = []

    def is_measured() -> bool:
        seen.append({row.name: row.ns for row in last_table(SUITES[suite]).rows})
        return is_known(seen[-1])

    until(is_measured, lambda: seen, limit_s=10 * LIMIT_S)


REFUSED = """\
#include "bench.bpf.h"
char LICENSE[] SEC("license") = "Dual BSD/GPL";
static long (*no_such_helper)(void) = (void *)99999;
BENCH_XDP(empty) { return bench_next(x); }
BENCH_XDP(known) { return bench_next(x + bpf_get_smp_processor_id()); }
BENCH_XDP(unknown) { return bench_next(x + no_such_helper()); }
"""


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BodySuite:
    """Return a suite with a helper that no kernel has."""
    (tmp_path / "refused.bpf.c").write_text(REFUSED)
    for header in build.BPF_SOURCES.absolute().glob("bench*.bpf.h"):
        (tmp_path / header.name).write_text(header.read_text())
    build.compile_bpf_object(tmp_path / "refused.bpf.c", tmp_path / "refused.bpf.o", *build.find_bpf_tools())
    monkeypatch.setattr(bpf_object, "object_path", lambda name: str(tmp_path / f"{name}.bpf.o"))
    bodies = tuple(Body(name, name, "") for name in ("known", "unknown"))
    return BodySuite("refused", "a helper that is not there", lambda ns: f"{ns['unknown']:.1f} ns.", "refused", bodies)


@pytest.mark.bpf
def test_a_helper_that_the_kernel_lacks_is_skipped_by_name(refused: BodySuite, short: Shorten) -> None:
    table = last_table(short(refused))
    assert [row.name for row in table.rows] == ["known"]
    assert [each.name for each in table.skipped] == ["unknown"]
    assert "99999" in table.skipped[0].reason
    assert table.verdict == "No verdict: this kernel refused unknown."


@pytest.mark.bpf
def test_a_process_with_a_sigurg_handler_gets_none(short: Shorten) -> None:
    heard = []
    before = signal.signal(signal.SIGURG, lambda *_: heard.append(1))
    try:
        table = last_table(short(SUITES["helpers"]))
    finally:
        signal.signal(signal.SIGURG, before)
    assert not heard
    assert [each.name for each in table.skipped] == ["send_signal"]
    assert "handler for SIGURG" in table.skipped[0].reason


@pytest.mark.bpf
@pytest.mark.parametrize("suite", [BATCH, MMAP], ids=lambda suite: suite.name)
def test_an_injected_wrong_value_is_caught(suite: ReadSuite, short: Shorten, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = suite_reads.filled_maps

    def spoiled(stack: ExitStack, names: set[str]) -> dict[str, WholeReads]:
        maps = filled(stack, names)
        for whole in maps.values():
            with BpfMap(os.dup(whole._fd)) as spoil:
                spoil.update((4711).to_bytes(4, "little"), (1).to_bytes(8, "little"))
        return maps

    monkeypatch.setattr(suite_reads, "filled_maps", spoiled)
    with pytest.raises(BpftopError, match="1 of 10000 values are not what was written"):
        list(short(suite).run(Stop()))


@pytest.mark.bpf
def test_a_lost_write_is_caught(short: Shorten) -> None:
    def lose(whole: WholeReads) -> None:
        whole.write_batch()
        with BpfMap(os.dup(whole._fd)) as spoil:
            spoil.update((4711).to_bytes(4, "little"), (1).to_bytes(8, "little"))

    suite = replace(POPULATE, ways=(replace(POPULATE.ways[1], act=lose),))
    with pytest.raises(BpftopError, match="1 of 10000 values are not what was written"):
        list(short(suite).run(Stop()))


@pytest.mark.bpf
def test_stop_ends_a_run_of_several_suites() -> None:
    stop = Stop()
    running = Comparison(chosen(["spills", "clock"]), stop).steps()
    next(running)
    stop.set()
    rest = list(running)
    assert [step.result.partial for step in rest if step.result] == [True]


@pytest.mark.bpf
def test_progress_only_grows(short: Shorten) -> None:
    comparison = Comparison([short(suite) for suite in chosen(["spills", "clock", "batch"])], Stop())
    steps = list(comparison.steps())
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert all(step.left_s >= 0 for step in steps)
    report = comparison.report()
    assert [table.suite for table in report.results] == ["spills", "clock", "batch"]
    assert not report.partial


def turn(begin: int, end: int, cpu: int | None = None) -> Turn:
    return Turn(begin, end, end - begin if cpu is None else cpu, 1, 0)


def test_undisturbed_turns_are_chosen() -> None:
    first = [turn(0, 10), turn(10, 20), turn(20, 30), turn(30, 40)]
    other = [turn(5, 12), turn(12, 24), turn(24, 35)]
    assert undisturbed([first, other]) == [first[1], first[2], *other]
    away = [turn(5, 12), turn(12, 24, cpu=3), turn(24, 35)]  # 9 of 12 ns on no CPU
    assert undisturbed([first, away]) == [away[0], away[2]]
    assert undisturbed([[turn(0, 5)], [turn(6, 9)]]) == [turn(0, 5), turn(6, 9)]


def test_cpu_counts_are_powers_of_two_and_all() -> None:
    assert [cpu_counts(cpus) for cpus in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_factors_refer_to_the_reference() -> None:
    rows = tuple(ProgramRow(name, "", (cost(1, [ns], [0.0]),)) for name, ns in (("a", 30.0), ("b", 10.0), ("c", 0.001)))
    table = SuiteTable("s", "", "body", rows, "a")
    assert [table.factor(row) for row in rows] == [1.0, 3.0, None]
    assert not any(row.noisy for row in rows)


def test_comparison_in_words() -> None:
    assert compared(1.04, 1.0) == "as much as"
    assert compared(104, 100) == "as much as"
    assert compared(3.2, 1.0) == "3.2 times as much as"


def files(root: Path, contents: dict[str, str]) -> str:
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return str(root)


def test_conditions_are_read_or_unknown(tmp_path: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    root = files(
        tmp_path,
        {
            f"sys/devices/system/cpu/cpu{cpu}/cache/index0/level": "1",
            f"sys/devices/system/cpu/cpu{cpu}/cache/index2/level": "2",
            f"sys/devices/system/cpu/cpu{cpu}/cache/index2/size": "2048K",
            "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
            "proc/sys/kernel/bpf_stats_enabled": "1",
        },
    )
    used = len(os.sched_getaffinity(0))
    assert conditions(root) == Conditions(used, 2 << 20, "hpet", True)
    assert conditions(str(tmp_path / "nothing")) == Conditions(used, None, None, None)


def test_doubts_about_a_machine() -> None:
    here = Machine("h", "0", "6.1", None, 2, 2, "off", "0", "powersave", {})
    sentences = list(doubts(here, Conditions(2, None, None, True)))
    assert [
        "JIT" in sentences[0],
        "bpf_stats_enabled" in sentences[1],
        "powersave" in sentences[2],
        len(sentences),
    ] == [
        True,
        True,
        True,
        3,
    ]
