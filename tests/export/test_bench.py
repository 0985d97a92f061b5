"""The bench as text: columns, reference lines, partial and skipped rows, and that no name can drive a terminal."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from bpftop.export.measure.programs_document import COLUMNS, csv_text, document
from bpftop.export.measure.programs_text import ending_text, machine_text, table_text
from bpftop.measure.machine import Conditions, Machine
from bpftop.measure.programs.costs import XDP_BUDGET, CountedRuns, ProgramRow, Size, Skipped, SuiteTable, cost
from bpftop.measure.programs.report import ProgramReport

MACHINE = Machine(
    host="web-17",
    machine_id="0123456789abcdef",
    kernel="6.1.0",
    cpu_model="Some CPU",
    possible_cpus=2,
    online_cpus=2,
    jit="on",
    jit_hardening="0",
    governor=None,
    mitigations={"retbleed": "Vulnerable", "spectre_v2": "Mitigation: Retpolines; IBPB: conditional"},
)
HERE = Conditions(2, 1 << 20, "tsc", False)
BEGUN_NS = 1764126764_123_000_000


def row(name: str, ns: float, crowded_ns: float, counted: int) -> ProgramRow:
    empty = [1.0, 1.0, 1.0]
    alone = cost(1, [ns, ns + 0.1, ns - 0.1], empty, CountedRuns(1_000_000, 1_000_000))
    crowded = cost(2, [crowded_ns, crowded_ns, crowded_ns], empty, CountedRuns(2_000_000, counted))
    return ProgramRow(name, "what it does", (alone, crowded), Size(48, 227))


TABLE = SuiteTable(
    "counters",
    "One counter, two ways",
    "packet",
    (row("naive", 9, 21, 1_500_000), row("percpu-array", 3, 3, 2_000_000)),
    "naive",
    "percpu-array loses nothing.",
    (Skipped("newest", "ENOTSUPP"),),
    "an empty program: 1.00 ns",
    XDP_BUDGET,
    partial=False,
)

TEXT = """\

counters: One counter, two ways
                   avg ns   avg µs    op/s  factor   2 CPUs     counted/run    lost  insns JITed B  spread
naive                8.00   0.0080   125 M    1.00    20.00   1.50 M/2.00 M  25.0 %     48     227     2 %
percpu-array         2.00   0.0020   500 M    4.00     2.00   2.00 M/2.00 M    none     48     227     7 %
budget: XDP        100.00   0.1000  10.0 M
10 Gb/s of 64 B     67.20   0.0672  14.9 M
skipped: newest: ENOTSUPP
taken off: an empty program: 1.00 ns
=> percpu-array loses nothing.
"""


def report(*tables: SuiteTable) -> ProgramReport:
    partial = any(table.partial for table in tables)
    return ProgramReport(MACHINE, BEGUN_NS, 8.5, partial, tables, HERE)


def test_a_table() -> None:
    assert table_text(TABLE) == TEXT


def test_the_machine_in_three_lines() -> None:
    assert machine_text(MACHINE, HERE, BEGUN_NS) == (
        "web-17  Linux 6.1.0  2025-11-26T03:12:44.123Z\n"
        "Some CPU, 2 of 2 CPUs, L2 1 MiB, JIT on, governor unknown, clock tsc\n"
        "CPU bugs mitigated: spectre_v2; not: retbleed\n"
    )


def test_the_end_has_budgets_time_and_doubts() -> None:
    quiet = ending_text(report(TABLE))
    assert "budgets: XDP 100 ns, TC 1 µs, kprobe and tracepoint 10 µs, cgroup 100 µs" in quiet
    assert "took 8.5 s" in quiet
    assert "warning" not in quiet
    wide = replace(TABLE.rows[0], costs=(cost(1, [9.0, 9.0, 12.0], [1.0] * 3),))
    noisy = ending_text(report(replace(TABLE, rows=(wide, TABLE.rows[1]))))
    assert "warning: the machine was noisy: 1 of 2 rows spread by more than 10 %, naive of counters" in noisy


def test_what_is_partial_says_so_everywhere() -> None:
    early = report(replace(TABLE, partial=True, verdict=""))
    assert "PARTIAL" in table_text(early.results[0])
    assert "=>" not in table_text(early.results[0])
    assert "this run was interrupted" in ending_text(early)
    made = document(early)
    assert [made["partial"], made["suites"][0]["partial"], made["suites"][0]["verdict"]] == [True, True, None]
    assert document(replace(report(TABLE), partial=True))["partial"]


def test_csv_has_a_row_per_number_of_cpus() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(report(TABLE)))))
    assert tuple(rows[0]) == COLUMNS
    assert [(each["name"], each["cpus"], each["lost_pct"]) for each in rows] == [
        ("naive", "1", "0.0"),
        ("naive", "2", "25.0"),
        ("percpu-array", "1", "0.0"),
        ("percpu-array", "2", "0.0"),
        ("newest", "", ""),
    ]
    assert rows[1]["ns"] == "20.0"
    assert rows[-1]["skipped"] == "ENOTSUPP"


def test_no_name_can_drive_a_terminal() -> None:
    evil = replace(TABLE, rows=(replace(TABLE.rows[0], name="a\x1b[2J.o:x\r"),), reference="naive", verdict="a\x1b[2J.")
    text = table_text(evil) + machine_text(replace(MACHINE, host="h\x1b"), HERE, 0) + csv_text(report(evil))
    assert "\x1b" not in text
    assert "\r" not in text
