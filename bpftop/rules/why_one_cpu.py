"""Causes for one CPU having nearly all packets of an interface."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.device import DeviceFacts, Queue
from bpftop.model.units import pct, si
from bpftop.rules.rule import RuleInput, rates_above_zero

MOST = 0.8
"""Share of the packets, or of the interrupts, from which one flow or one queue is named."""


def why_one_cpu(rule_input: RuleInput, cpu: int) -> str:
    """Return the first cause that has evidence: one flow, RPS, one queue, pinned interrupts, RSS; else empty."""
    facts = rule_input.interface.interface.facts
    return _one_flow(rule_input) or (_by_device(rule_input, facts, cpu) if facts is not None else "")


def protocols_on_cpu(rule_input: RuleInput, cpu: int) -> list[str]:
    """Return evidence of the three largest protocols on a CPU."""
    last = rule_input.last_interval
    rows = () if last is None else last.interface(rule_input.interface.label).rx.cpu_protocols(cpu)[:3]
    rates = [f"{row.name} {si(row.counts.packets_per_sec, 'pps')}" for row in rows]
    return [f"on CPU {cpu}: {', '.join(rates)}"] if rates else []


def _one_flow(rule_input: RuleInput) -> str:
    """Return the flow that has most packets. Flows are known while they are counted, or sampled."""
    flows = rates_above_zero(rule_input.snapshot, "flows", "packets", rule_input.interface.label, "rx")
    whole = rule_input.interface.rx.totals.packets_per_sec or 0.0
    if not flows or not whole:
        return ""
    key, most = flows[0]
    if most < MOST * whole:
        return ""
    saddr, daddr, sport, dport = key[2:6]
    endpoints = f"{saddr} port {sport} to {daddr} port {dport}"
    return f"one flow is {pct(min(1.0, most / whole))} of the packets, {endpoints}: no queue can spread it"


def _by_device(rule_input: RuleInput, facts: DeviceFacts, cpu: int) -> str:
    label = rule_input.interface.label
    queues = [queue for queue in facts.queues or () if queue.direction == "rx"]
    masks = {queue.cpus for queue in queues}
    if queues and masks == {(cpu,)}:
        return f"RPS of {label} names CPU {cpu} alone"
    spread = any(queue.cpus for queue in queues)
    if len(queues) == 1 and not spread:
        return f"{label} has one RX queue and RPS is off"
    irqs = facts.irqs or ()
    if irqs and all(irq.affinity_cpus == (cpu,) for irq in irqs):
        return f"all interrupts of {label} are pinned to CPU {cpu}"
    if irqs and all(irq.effective_cpus == (cpu,) for irq in irqs):
        return f"all interrupts of {label} go to CPU {cpu}, though some may go elsewhere"
    return _one_queue(rule_input, facts, queues, spread)


def _one_queue(rule_input: RuleInput, facts: DeviceFacts, queues: Sequence[Queue], spread: bool) -> str:
    if facts.rss and len(facts.rss) == 1 and len(queues) > 1:
        return f"the RSS table of {rule_input.interface.label} names RX queue {next(iter(facts.rss))} alone"
    if spread or not queues:
        return ""
    busy = _busiest_irq(rule_input, facts)
    if busy:
        return f"{busy}: RSS puts these packets on one of {len(queues)} RX queues, as it does with one flow; RPS is off"
    return "RPS is off, and the device puts these packets on one of its queues"


def _busiest_irq(rule_input: RuleInput, facts: DeviceFacts) -> str:
    """Return the interrupt that fires most often, with nearly all interrupts of the device; else empty."""
    last = rule_input.last_interval
    rows = [] if last is None else rates_above_zero(last, "irqs", "count", rule_input.interface.label)
    if not rows:
        return ""
    key, most = rows[0]
    share = most / sum(rate for _, rate in rows)
    name = next((irq.name for irq in facts.irqs or () if str(irq.number) == str(key[1])), "")
    return f"interrupt {key[1]} {name}".rstrip() + f" is {pct(share)} of the device's" if share >= MOST else ""
