"""A short text about the way of packets to CPUs: queues, interrupts, RSS, RPS or XPS, ring, NUMA node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bpftop.model.cpu_lists import format_cpu_list
from bpftop.model.device import DeviceFacts, Irq, Queue
from bpftop.model.sample import Direction

_RANGES = 4
"""The most ranges of CPUs that are listed; of more, only the number of CPUs is given."""


def queue_phrases(facts: DeviceFacts, direction: Direction) -> list[str]:
    """Return phrases, the most important first: ``1 RX queue``, ``IRQ 24 on CPU 3``, ``RPS off``, ``ring 9 of 12``."""
    parts = [_queues(facts, direction), _irqs(facts.irqs), _steering(facts.queues, direction), _ring(facts, direction)]
    if direction == "rx" and facts.rss:
        used = sum(1 for entries in facts.rss.values() if entries)
        parts.insert(1, "" if used == _count(facts, direction) else f"RSS to {used} of them")
    if facts.numa_node is not None and facts.numa_node >= 0:
        parts.append(f"NUMA node {facts.numa_node}")
    return [part for part in parts if part]


def _count(facts: DeviceFacts, direction: Direction) -> int | None:
    return None if facts.queues is None else sum(queue.direction == direction for queue in facts.queues)


def _queues(facts: DeviceFacts, direction: Direction) -> str:
    count = _count(facts, direction)
    return "queues -" if count is None else f"{count} {direction.upper()} queue{'' if count == 1 else 's'}"


def _irqs(irqs: Sequence[Irq] | None) -> str:
    if irqs is None:
        return "IRQs -"
    if not irqs:
        return "no IRQ of its own"
    cpus_of = [irq.effective_cpus if irq.effective_cpus is not None else irq.affinity_cpus for irq in irqs]
    name = f"IRQ {irqs[0].number}" if len(irqs) == 1 else f"{len(irqs)} IRQs"
    if any(cpus is None for cpus in cpus_of):
        return f"{name} on CPUs -"
    return f"{name} on {_named({cpu for cpus in cpus_of for cpu in cpus or ()})}"


def _named(cpus: Iterable[int]) -> str:
    """Format CPUs: ``CPU 3``, ``16 CPUs (0-15)``."""
    ordered = sorted(cpus)
    if len(ordered) == 1:
        return f"CPU {ordered[0]}"
    ranges = format_cpu_list(ordered)
    return f"{len(ordered)} CPUs" + (f" ({ranges})" if ordered and ranges.count(",") < _RANGES else "")


def _steering(queues: Sequence[Queue] | None, direction: Direction) -> str:
    """Summarise the RPS masks of receive queues, or the XPS masks of transmit queues."""
    word = "RPS" if direction == "rx" else "XPS"
    masks = [queue.cpus for queue in queues or () if queue.direction == direction]
    if not masks or any(mask is None for mask in masks):
        return f"{word} -" if masks or queues is None else ""
    on = [mask for mask in masks if mask]
    if not on:
        return f"{word} off"
    to = _named({cpu for mask in on for cpu in mask})
    return f"{word} to {to}" if len(on) == len(masks) else f"{word} of {len(on)} queues to {to}"


def _ring(facts: DeviceFacts, direction: Direction) -> str:
    ring = facts.ring or {}
    if direction not in ring:
        return ""
    most = ring.get(f"{direction}_max")
    return f"ring {ring[direction]}" + (f" of {most}" if most else "")
