"""The bench as aligned text: the machine, a table per suite with its verdict, and what casts doubt on them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bpftop.measure.machine import Conditions, Machine
from bpftop.measure.programs.costs import BUDGETS, SuiteTable
from bpftop.measure.programs.report import ProgramReport
from bpftop.model.escaping import escaped_text
from bpftop.model.timestamps import rfc3339
from bpftop.render.columns import text_table
from bpftop.render.measure.program_columns import program_columns, program_lines

_WIDTH = 100


def machine_text(machine: Machine, conditions: Conditions, begun_ns: int) -> str:
    """Describe the measured machine."""
    cpus = f"{conditions.cpus_used} of {machine.online_cpus} CPUs"
    parts = [
        f"{machine.cpu_model or 'CPU unknown'}, {cpus}",
        f"L2 {conditions.l2_bytes / (1 << 20):g} MiB" if conditions.l2_bytes else "L2 unknown",
        f"JIT {machine.jit or 'unknown'}{', hardened' if machine.jit_hardening not in (None, '0') else ''}",
        f"governor {machine.governor or 'unknown'}",
        f"clock {conditions.clocksource or 'unknown'}",
    ]
    bugs = {name: state.startswith("Mitigation") for name, state in machine.mitigations.items()}
    mitigated, open_ = ([name for name, done in bugs.items() if done is mitigation] for mitigation in (True, False))
    lines = [
        f"{escaped_text(machine.host)}  Linux {machine.kernel}  {rfc3339(begun_ns)}",
        *textwrap.wrap(", ".join(parts), _WIDTH),
        *textwrap.wrap(f"CPU bugs mitigated: {_listed(mitigated)}; not: {_listed(open_)}", _WIDTH),
    ]
    return "\n".join(map(escaped_text, lines)) + "\n"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def table_text(table: SuiteTable) -> str:
    """Write a suite: title, table, skipped programs, verdict."""
    out = ["", *textwrap.wrap(f"{table.suite}: {table.title}", _WIDTH)]
    out += [line.rstrip() for line in text_table(program_columns(table), program_lines(table))]
    for each in table.skipped:
        out.append(f"skipped: {each.name}: {escaped_text(each.reason)}")
    if table.taken_off:
        out.append(f"taken off: {table.taken_off}")
    if table.verdict:
        out += textwrap.wrap(f"=> {escaped_text(table.verdict)}", _WIDTH, subsequent_indent="   ")
    if table.partial:
        out.append("PARTIAL: interrupted before all rounds were done")
    return "\n".join(out) + "\n"


def ending_text(report: ProgramReport) -> str:
    """Write budgets, the duration, and the warnings."""
    budgets = ", ".join(f"{budget.hook} {budget.limit}" for budget in BUDGETS)
    out = [
        "",
        f"budgets: {budgets}; 10 Gb/s of 64-byte frames: 14.88 Mpps, 67.2 ns each",
        f"took {report.took_s:.1f} s",
    ]
    out += [line for warning in report.warnings for line in textwrap.wrap(f"warning: {warning}", _WIDTH)]
    return "\n".join(out) + "\n"


def list_text(suites: Iterator[tuple[str, str, Iterator[tuple[str, str]]]]) -> str:
    """List every suite with its programs."""
    out = []
    for name, title, contestants in suites:
        out += [f"{name}: {title}", *(f"  {each:<30} {what}" for each, what in contestants)]
    return "\n".join(out) + "\n"
