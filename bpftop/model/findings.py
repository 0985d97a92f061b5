"""Findings of the rules at one moment, and the rules whose input cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Literal

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
Scope = Literal["interface", "netns", "host"]


@dataclass(frozen=True)
class Finding:
    """The result of one rule. ``since_ns`` is CLOCK_MONOTONIC.

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

    @property
    def commands(self) -> list[str]:
        """The next steps with the name of the interface filled in, quoted for a shell."""
        name = quote(self.scope_name) if self.scope == "interface" else "IFACE"
        return [step.replace("{iface}", name) for step in self.next_steps]

    def since_s(self, now_ns: int) -> float:
        """Return for how many seconds the condition has held."""
        return (now_ns - self.since_ns) / 1e9


@dataclass(frozen=True)
class Diagnosis:
    """The results of all rules.

    ``findings``: causes first, the gravest first, each followed by the findings it explains. ``blind``: rule id -> the
    reason why its input cannot be read. ``waiting``: rule id -> the missing rate, baseline or time. ``rule_ids``: all
    rules.
    """

    findings: tuple[Finding, ...] = ()
    blind: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    rule_ids: tuple[str, ...] = ()

    @property
    def rules(self) -> int:
        """The number of rules."""
        return len(self.rule_ids)


NO_DIAGNOSIS = Diagnosis()
