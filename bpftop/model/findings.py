"""Findings of the rules at one moment, and the rules whose input cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Literal

from bpftop.fields import field, frozen, replace
from bpftop.model.families import Scope

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@frozen
class FindingValue:
    """The number that a finding is about. ``now`` and ``peak`` are of single intervals, as every rate on the screen.

    The rule decides over longer windows: it raises a finding at ``raise_at`` over ``raise_s`` seconds, and clears the
    finding below ``clear_at`` over ``clear_s`` seconds. ``unit`` is "/s", "share" (of 1), or the unit of a level.
    ``now`` is None where the last interval has too little to judge. ``total`` counts the events since 3 s before the
    finding; it is None for numbers that are no rates. ``peak_ns`` is CLOCK_MONOTONIC, and so is ``below_since_ns``: the
    time since which no interval has met the rule's condition, None while the last interval meets it.
    """

    name: str
    unit: str
    now: float | None
    peak: float
    peak_ns: int
    total: float | None
    raise_at: float
    clear_at: float
    raise_s: float
    clear_s: float
    below_since_ns: int | None = None


@frozen
class Finding:
    """The result of one rule. ``since_ns`` is CLOCK_MONOTONIC.

    Title and evidence are of the last interval, or of the peak where the last interval is below the limit:
    then the title says so. ``peak_title`` and ``peak_evidence`` are of the peak.

    ``scope_name`` is the label of the interface or the name of the namespace or the host. ``evidence`` are sentences
    with numbers, limits and their sources; ``why`` is the first cause that has evidence. ``explained_by`` is the id of
    the finding that causes this finding, ``explains`` are the ids of the findings that this finding causes.
    """

    id: str
    severity: Severity
    title: str
    scope: Scope
    scope_name: str
    evidence: tuple[str, ...]
    why: str
    since_ns: int
    next_steps: tuple[str, ...]
    source: str
    explains: tuple[str, ...] = ()
    explained_by: str | None = None
    value: FindingValue | None = None
    peak_title: str = ""
    peak_evidence: tuple[str, ...] = ()

    def ended(self) -> Finding:
        """Return the finding with the title and the evidence of its peak, for the time after it cleared."""
        return replace(self, title=self.peak_title, evidence=self.peak_evidence) if self.peak_title else self

    @property
    def commands(self) -> list[str]:
        """The next steps with the name of the interface filled in, quoted for a shell."""
        name = quote(self.scope_name) if self.scope == "interface" else "IFACE"
        return [step.replace("{iface}", name) for step in self.next_steps]

    def since_s(self, now_ns: int) -> float:
        """Return for how many seconds the condition has held."""
        return (now_ns - self.since_ns) / 1e9


@frozen
class Diagnosis:
    """The results of all rules.

    ``findings``: causes first, the gravest first, each followed by the findings it explains. ``blind``: rule id -> the
    reason why its input cannot be read. ``not_applicable``: rule id -> the input that does not exist here, so that
    nothing is missed. ``waiting``: rule id -> the missing rate, baseline or time. ``rule_ids``: all rules.
    """

    findings: tuple[Finding, ...] = ()
    blind: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    rule_ids: tuple[str, ...] = ()
    not_applicable: Mapping[str, str] = field(default_factory=dict)

    @property
    def rules(self) -> int:
        """The number of rules."""
        return len(self.rule_ids)

    @property
    def applicable(self) -> int:
        """The number of rules whose input exists here."""
        return len(self.rule_ids) - len(self.not_applicable)

    @property
    def without_input(self) -> Mapping[str, str]:
        """Rule id -> reason, of the rules that are blind, do not apply here, or wait for more samples."""
        return {**self.blind, **self.not_applicable, **self.waiting}

    @property
    def active(self) -> int:
        """The number of rules that have their input."""
        return self.rules - len(self.without_input)


NO_DIAGNOSIS = Diagnosis()
