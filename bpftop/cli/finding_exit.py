"""Exit codes by findings, for ``diagnose`` and ``watch --until-finding``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bpftop.errors import UsageError, spelling_hint

if TYPE_CHECKING:
    from bpftop.export.diagnosis.diagnosis_document import Diagnosed
    from bpftop.history.analyzer import Analyzer
    from bpftop.rules.rule import Rule

FAIL_ON = ("blind", "warning", "critical")
"""Values of --fail-on: the exit code tells the named result and every result behind it in this order."""
WARNING, CRITICAL, BLIND = 3, 4, 5
_CODES = {"warning": WARNING, "critical": CRITICAL}


def exit_code(diagnosed: Diagnosed, fail_on: str = "blind") -> int:
    """Return 3 after a warning, 4 after something critical, 5 where a check was blind, else 0.

    A check is blind if its input exists here and cannot be read. ``fail_on``: a name of FAIL_ON; less is 0.
    """
    code = _CODES.get(diagnosed.severity or "", 0)
    if fail_on == "critical":
        return CRITICAL if code == CRITICAL else 0
    if code == 0 and fail_on == "blind" and diagnosed.blind:
        return BLIND
    return code


def diagnosed_by(analyzer: Analyzer, rules: Iterable[Rule]) -> Diagnosed | None:
    """Return the results of an analyzer; None before its second sample, when no check can have decided."""
    from bpftop.export.diagnosis.diagnosis_document import Diagnosed

    if analyzer.snapshot is None or analyzer.watched_s <= 0:
        return None
    return Diagnosed(analyzer.snapshot, analyzer.began_ns, tuple(analyzer.episodes), tuple(rules))


def require_check(name: str, rules: Iterable[Rule]) -> None:
    """Raise UsageError if no active check has this id."""
    ids = [rule.id for rule in rules]
    if name not in ids:
        hint = spelling_hint(name, ids)
        raise UsageError(f"there is no active check {name!r}{hint}; `bpftop diagnose --list` lists the checks")
