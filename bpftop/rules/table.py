"""The table of all rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bpftop.fields import replace
from bpftop.rules import (
    bpf_objects,
    carrier,
    cpu,
    host_drops,
    neighbours,
    packet_mix,
    peer,
    route,
    service,
    stack,
    tcp,
    tunnels,
    udp,
    wire_ring_queues,
)
from bpftop.rules.rule import Limit, Rule

RULES: tuple[Rule, ...] = (
    *carrier.RULES,
    *neighbours.RULES,
    *route.RULES,
    *service.RULES,
    *tcp.RULES,
    *udp.RULES,
    *packet_mix.RULES,
    *cpu.RULES,
    *tunnels.RULES,
    *stack.RULES,
    *wire_ring_queues.RULES,
    *host_drops.RULES,
    *peer.RULES,
    *bpf_objects.RULES,
)
"""Causes before their consequences, where two rules explain each other."""

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}


def chosen(
    thresholds: Mapping[str, Mapping[str, float]] | None = None, silenced: Collection[str] = ()
) -> tuple[Rule, ...]:
    """Return the rules that are not silenced, with the person's thresholds.

    Args:
        thresholds: Rule id -> name of a limit, or ``<name>_clear`` -> number.
        silenced: Ids of rules to leave out.
    """
    return tuple(
        replace(rule, limits=overridden(rule.limits, (thresholds or {}).get(rule.id, {})))
        for rule in RULES
        if rule.id not in silenced
    )


def overridden(limits: Mapping[str, Limit], numbers: Mapping[str, float]) -> dict[str, Limit]:
    """Return the limits with the person's numbers. A new raise level alone scales the clear level."""
    result = {}
    for name, limit in limits.items():
        clear = limit.clear
        if name in numbers and clear is not None and limit.raised:
            clear = clear * numbers[name] / limit.raised
        result[name] = replace(limit, raised=numbers.get(name, limit.raised), clear=numbers.get(f"{name}_clear", clear))
    return result


def contradiction(rule_id: str, numbers: Mapping[str, float]) -> tuple[str, str] | None:
    """Return which of a person's numbers contradicts another limit of the rule, and why; None where all agree."""
    rule = BY_ID.get(rule_id)
    limits = {} if rule is None else overridden(rule.limits, numbers)
    for name, limit in limits.items():
        given = [each for each in (f"{name}_clear", name) if each in numbers]
        usual = rule.limits[name] if rule else limit
        falls = usual.clear is not None and usual.clear > usual.raised  # raised where the value falls below it
        if given and limit.clear is not None and (limit.clear < limit.raised if falls else limit.clear > limit.raised):
            side = "below" if falls else "above"
            return given[0], f"it would clear at {limit.clear:g}, {side} its raise level {limit.raised:g}"
    warning, critical = limits.get("warning"), limits.get("critical")
    names = [name for name in ("critical", "warning") if name in numbers]
    if names and warning and critical and warning.unit == critical.unit and critical.raised < warning.raised:
        return names[0], f"critical ({critical.raised:g}) would be below warning ({warning.raised:g})"
    return None
