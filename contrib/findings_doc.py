"""Generator of docs/findings.md from the table of rules: `python -m contrib.findings_doc`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bpftop.rules.rule import Limit, Rule
from bpftop.rules.table import RULES
from tests.faults.scenarios import FAULTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/findings.md"
MEASURED = ROOT / "docs/findings.json"
"""Last results of `make faults`, from `python -m tests.faults --write docs/findings.json`."""

MADE_UP: Mapping[str, str] = {
    "link-saturated": "needs a link whose speed can be believed",
    "rx-ring-overflow": "needs a device with a ring",
    "rx-crc-errors": "needs a wire",
    "rx-dropped-harmless": "needs ten minutes",
    "irq-wrong-numa": "needs two NUMA nodes",
    "bond-leg-lost": "needs the module bonding",
    "tcp-memory": "would take the machine's memory",
    "bpf-map-full": "a real map that fills, in tests/cli/test_progs_and_maps.py",
    "bpf-program-cost": "needs most of a CPU for 20 s",
    "neighbour-table-full": "the table belongs to the whole machine; tested under QEMU (tests/qemu)",
}
"""Rules without a scenario, and the reason. They are tested on recorded and made-up trees and samples."""

_HEAD = """\
# Findings

<!-- Made by contrib/findings_doc.py from the table of rules; do not edit. -->

These rules are checked by `bpftop diagnose IFACE`, the Findings pane (key 8) and the two lines of the Overview.
`bpftop diagnose --list` prints the table with your own limits; [config.md](config.md) describes how to set limits and
how to silence a rule.

* **Raise, clear.** A finding is raised when the rate over the last 3 s reaches its limit, and cleared when the rate
  over the last 5 s is below its clear level: 70 % of the limit, where the table gives no other.
  After bpftop has attached its program anew, as when it retreats from native XDP, the rate since then decides from 1 s
  on.
* **Baseline.** A growth ("times what it was") is measured against the mean of the 60 s that ended 5 s ago, of which
  10 s must be known. The baseline is frozen while the finding stands. A rule without an absolute limit waits for its
  baseline, and is listed as waiting.
* **Scope.** A counter of the namespace or of the host covers more than the watched interface. With several interfaces,
  a finding from a counter of the namespace names the interface with most of that traffic.
* **Unknown is not fine.** A rule whose input cannot be read is listed as blind, with the reason. A rule that needs more
  time is listed as waiting. Neither is ever "ruled out". A rule whose input does not exist here (a speed of a virtual
  device, a module that is not loaded) does not apply, and is not blind: nothing is missed.
* **Causes.** A finding is folded under the finding that explains it. *Why* names the first cause that has evidence,
  else "cause not visible from here".
* The next steps only read. bpftop changes no setting of the machine.
"""

_HOW = """\
## How this was measured

By `make faults`, on {machine}: each scenario is a real fault, in network namespaces of its own.

* **Named after**: from the begin of the fault, just after a sample, to the time of the sample that raised the finding.
* **From its middle**: from the start of bpftop while the fault lasts. A packet storm then has no baseline, and its rule
  waits.
* **Cleared after**: from the fault's end. All the while nothing else of warning or above may be found that no other
  finding explains.

Healthy traffic begins abruptly after 20 s of idleness, and is watched for 60 s from its begin and for 60 s from its
middle, with no finding of warning or above. Means per second:

| Traffic | RX packets | TX packets | Accepted connections |
|---|---:|---:|---:|"""


def page() -> str:
    """Return the text of docs/findings.md."""
    measured: dict[str, Any] = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    lines = [_HEAD, *_overview(measured.get("findings", {})), ""]
    for rule in RULES:
        lines += [*_section(rule), ""]
    if measured:
        lines += _how_measured(measured)
    return "\n".join(lines).rstrip() + "\n"


def _overview(measured: Mapping[str, Mapping[str, float | None]]) -> Iterator[str]:
    scenarios = {fault.id: " ".join((inspect.getdoc(fault) or "").split()) for fault in FAULTS}
    times = "Found after the fault began | Found after bpftop started during the fault | Cleared after the fault ended"
    yield f"| Rule | Severity | Scope | Signals | Scenario | {times} |"
    yield "|---|---|---|---|---|---:|---:|---:|"
    for rule in RULES:
        found = measured.get(rule.id, {})
        scenario = scenarios.get(rule.id) or f"none: {MADE_UP[rule.id]}"
        seconds = (_seconds(found.get(what)) for what in ("seconds", "mid_start_s", "clear_s"))
        cells = (
            f"[`{rule.id}`](#{rule.id})",
            ", ".join(rule.severities),
            rule.scope,
            _signals(rule),
            scenario,
            *seconds,
        )
        yield f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _how_measured(measured: Mapping[str, Any]) -> Iterator[str]:
    yield _HOW.format(machine=measured["machine"])
    for row in measured["healthy"].values():
        rates = (row[f"{what}_per_sec"] for what in ("rx_packets", "tx_packets", "accepted"))
        yield f"| {row['traffic']} | {' | '.join(f'{rate:,}'.replace(',', ' ') for rate in rates)} |"


def _signals(rule: Rule) -> str:
    return ", ".join(rule.inputs)


def _section(rule: Rule) -> Iterator[str]:
    slow = f" It must hold for {rule.for_s:g} s." if rule.for_s else ""
    yield f"## {rule.id}"
    yield ""
    yield f"{rule.description[0].upper()}{rule.description[1:]}.{slow}"
    if rule.limits:
        yield ""
        yield "| Limit | Raised at | Clears at | Source |"
        yield "|---|---:|---:|---|"
        for name, limit in rule.limits.items():
            yield f"| `{name}` | {_number(limit.raised, limit)} | {_clear(limit)} | {limit.source} |"
    if rule.explains:
        yield ""
        yield f"Explains: {', '.join(f'[{other}](#{other})' for other in rule.explains)}."
    yield ""
    yield f"Next: {', '.join(f'`{step}`' for step in rule.next_steps)}".replace("{iface}", "IFACE")


def _clear(limit: Limit) -> str:
    clear = limit.level(clearing=True)
    return "" if clear == limit.raised else _number(clear, limit)


def _number(value: float, limit: Limit) -> str:
    if limit.unit == "share":
        return f"{100 * value:g} %"
    return f"{value:g}{limit.unit}" if limit.unit.startswith("/") else f"{value:g} {limit.unit}".strip()


def main() -> None:
    """Write docs/findings.md."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
