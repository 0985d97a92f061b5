"""Why one CPU has the packets of an interface, and what they are."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.device import DeviceFacts, Queue
from bpftop.model.units import pct, si
from bpftop.rules.rule import RuleInput

MOST = 0.8
"""What is called one flow, or one queue, has this part of the packets, or of the interrupts."""


def why_one_cpu(seen: RuleInput, cpu: int) -> str:
    """The first cause that has evidence: one flow, one queue, an interrupt on one CPU, RPS, the hash; else empty."""
    facts = seen.interface.interface.facts
    return _one_flow(seen) or (_by_device(seen, facts, cpu) if facts is not None else "")


def made_of(seen: RuleInput, cpu: int) -> list[str]:
    """Evidence: the protocols on that CPU, the largest first."""
    shown = None if seen.tick is None else seen.tick.watched(seen.interface.label).rx
    rows = () if shown is None else shown.cpu_protocols(cpu)[:3]
    named = [f"{row.name} {si(row.counts.packets_per_sec, 'pps')}" for row in rows]
    return [f"on CPU {cpu}: {', '.join(named)}"] if named else []


def _one_flow(seen: RuleInput) -> str:
    """Flows are known only while somebody looks at them."""
    flows = seen.view.reading("flows", seen.interface.label, "rx")
    rates = [] if flows is None else [(rate, key) for key, rate in flows.rates("packets") if rate]
    whole = seen.interface.rx.totals.packets_per_sec or 0.0
    if not rates or not whole:
        return ""
    most, key = max(rates, key=lambda row: row[0])
    if most < MOST * whole:
        return ""
    saddr, daddr, sport, dport = key[2:6]
    named = f"{saddr} port {sport} to {daddr} port {dport}"
    return f"one flow is {pct(min(1.0, most / whole))} of the packets, {named}: no queue can spread it"


def _by_device(seen: RuleInput, facts: DeviceFacts, cpu: int) -> str:
    label = seen.interface.label
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
    return _one_queue(seen, facts, queues, spread)


def _one_queue(seen: RuleInput, facts: DeviceFacts, queues: Sequence[Queue], spread: bool) -> str:
    if facts.rss and len(facts.rss) == 1 and len(queues) > 1:
        return f"the RSS table of {seen.interface.label} names RX queue {next(iter(facts.rss))} alone"
    if spread or not queues:
        return ""
    busy = _busiest_irq(seen, facts)
    if busy:
        return f"{busy}: RSS puts these packets on one of {len(queues)} RX queues, as it does with one flow; RPS is off"
    return "RPS is off, and the device puts these packets on one of its queues"


def _busiest_irq(seen: RuleInput, facts: DeviceFacts) -> str:
    """The interrupt that fires most of all of the device's."""
    signal = None if seen.tick is None else seen.tick.reading("irqs", seen.interface.label)
    rates = [] if signal is None else [(rate, key) for key, rate in signal.rates("count") if rate]
    if not rates:
        return ""
    most, key = max(rates, key=lambda row: row[0])
    part = most / sum(rate for rate, _ in rates)
    name = next((irq.name for irq in facts.irqs or () if str(irq.number) == str(key[1])), "")
    return f"interrupt {key[1]} {name}".rstrip() + f" is {pct(part)} of the device's" if part >= MOST else ""
