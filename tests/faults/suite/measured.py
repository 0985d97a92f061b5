"""Results of the suite: a table for people, and the file from which docs/findings.md takes its times."""

from __future__ import annotations

import inspect
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bpftop.rules.table import RULES
from contrib.findings_doc import MADE_UP
from tests.faults.suite.calm import Calm
from tests.faults.suite.trial import Outcome

HEAD = ("finding", "severity", "quiet start", "mid-start", "cleared", "scenario")
CALM_HEAD = ("healthy traffic", "RX packets/s", "TX packets/s", "accepted/s", "said, as info")


def machine_words() -> str:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg()[:2])
    return f"Linux {platform.release()}, {os.cpu_count()} CPUs, load {load}"


def scenario_words(kind: type) -> str:
    """Return the first sentence of the scenario's docstring."""
    return " ".join((inspect.getdoc(kind) or "").split()).split(". ")[0].rstrip(".")


def fault_table(outcomes: Sequence[Outcome], *, whole: bool) -> str:
    """Return a line per scenario, and (``whole``) one for each rule that none provokes."""
    rows = [
        (
            one.scenario.finds(),
            one.severity or "-",
            _seconds(one.quiet_s),
            "no baseline" if one.scenario.compares else _seconds(one.late_s),
            _seconds(one.clear_s),
            scenario_words(one.scenario),
        )
        for one in outcomes
    ]
    provoked = {row[0] for row in rows}
    rest = [rule for rule in RULES if whole and rule.id not in provoked]
    rows += [(rule.id, rule.severities[-1], "-", "-", "-", f"none here: {MADE_UP[rule.id]}") for rule in rest]
    return _aligned([HEAD, *rows])


def calm_table(outcomes: Sequence[Calm]) -> str:
    rows = [
        (
            one.kind.id,
            f"{one.received:,.0f}",
            f"{one.sent:,.0f}",
            f"{one.opened:,.0f}",
            "; ".join(one.remarks) or "-",
        )
        for one in outcomes
    ]
    return _aligned(
        [("healthy traffic", "RX packets/s", "TX packets/s", "accepted/s", "remarks of severity info"), *rows]
    )


def write(path: Path, faults: Sequence[Outcome], healthy: Sequence[Calm]) -> None:
    """Put the results into the JSON file at ``path``; what it has of others stays.

    ``findings``: id -> seconds from the fault's begin (``seconds``), from the start of bpftop in its middle, and from
    its end until it had cleared; of several scenarios the slowest. ``healthy``: kind -> what flowed, per second.
    """
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"findings": {}, "healthy": {}}
    version = ".".join(platform.release().split(".")[:2])
    document["machine"] = f"Linux {version}, {os.cpu_count()} CPUs"
    for name in dict.fromkeys(one.scenario.finds() for one in faults):
        same = [one for one in faults if one.scenario.finds() == name]
        times = {
            "seconds": [one.quiet_s for one in same],
            "mid_start_s": [None if one.scenario.compares else one.late_s for one in same],
            "clear_s": [one.clear_s for one in same],
        }
        document["findings"][name] = {
            "severity": same[0].severity,
            **{what: _slowest(values) for what, values in times.items()},
        }
    for calm in healthy:
        document["healthy"][calm.kind.id] = {
            "traffic": scenario_words(calm.kind),
            "rx_packets_per_sec": round(calm.received),
            "tx_packets_per_sec": round(calm.sent),
            "accepted_per_sec": round(calm.opened),
        }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _slowest(seconds: Sequence[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return round(max(known), 1) if known else None


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join((lines[0], "─" * max(map(len, lines[:1])), *lines[1:]))
