"""What the rules say of one moment: findings, and the rules that cannot see."""

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
    """``scope_name`` is the interface's label, the namespace's name or the host's. ``since_ns`` is CLOCK_MONOTONIC.

    ``evidence`` are sentences with numbers, limits and their sources; ``why`` is the first cause that has evidence.
    ``explained_by`` is the id of the finding that this one follows from, ``explains`` are those that follow from it.
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
        """The next steps with the interface in its place. A name that a shell would read otherwise is quoted."""
        name = quote(self.scope_name) if self.scope == "interface" else "IFACE"
        return [step.replace("{iface}", name) for step in self.next_steps]

    def since_s(self, now_ns: int) -> float:
        return (now_ns - self.since_ns) / 1e9


@dataclass(frozen=True)
class Diagnosis:
    """``findings``: causes first, the gravest first, each followed by what it explains.

    ``blind``: rule id -> why it cannot see. ``waiting``: rule id -> what it waits for. ``asked``: the rules.
    """

    findings: tuple[Finding, ...] = ()
    blind: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    @property
    def rules(self) -> int:
        """How many were asked."""
        return len(self.asked)


NO_DIAGNOSIS = Diagnosis()
