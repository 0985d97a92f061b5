"""The one table of rules. The rest of DIAGNOSES, bpf-map-full and bpf-program-cost, waits for the inventory of BPF."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from bpftop.rules import cpu, link, stack, tcp, traffic, udp
from bpftop.rules.rule import Limit, Rule

RULES: tuple[Rule, ...] = (*tcp.RULES, *udp.RULES, *traffic.RULES, *cpu.RULES, *stack.RULES, *link.RULES)
"""Causes before what follows from them, where two explain each other."""

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}


def chosen(
    thresholds: Mapping[str, Mapping[str, float]] | None = None, silenced: Collection[str] = ()
) -> tuple[Rule, ...]:
    """The rules with a person's numbers (rule id -> name of a limit, or ``<name>_clear`` -> number), without those that
    are silenced."""
    return tuple(
        replace(rule, limits=overridden(rule.limits, (thresholds or {}).get(rule.id, {})))
        for rule in RULES
        if rule.id not in silenced
    )


def overridden(limits: Mapping[str, Limit], numbers: Mapping[str, float]) -> dict[str, Limit]:
    """The limits with a person's numbers. A raise level alone takes its clear level along."""
    result = {}
    for name, limit in limits.items():
        clear = limit.clear
        if name in numbers and clear is not None and limit.raised:
            clear = clear * numbers[name] / limit.raised
        result[name] = replace(limit, raised=numbers.get(name, limit.raised), clear=numbers.get(f"{name}_clear", clear))
    return result
