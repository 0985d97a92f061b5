"""The time until queues and tables of the path are full, at the present rate."""

from __future__ import annotations

from bpftop.model.cpu_readings import cpu_rates, cpu_values
from bpftop.render.selection import Selection

BACKLOG_LIMIT = "net.core.netdev_max_backlog"


def headroom_s(stage: str, selection: Selection) -> float | None:
    """Return the seconds until the queue behind a stage is full if nothing leaves the queue.

    For conntrack: until the table is full at its present growth. None for a stage without a queue, or where a number is
    unknown.
    """
    if stage == "ring":
        return _ring(selection)
    if stage == "backlog":
        return _backlog(selection)
    return _conntrack(selection) if stage == "conntrack" else None


def _ring(selection: Selection) -> float | None:
    """Divide the descriptors of a ring by the packet rate of the busiest queue.

    A queue is served by one CPU, so with several queues the rate of the busiest CPU is taken.
    """
    facts, traffic = selection.interface.interface.facts, selection.interface.rx
    ring = facts.ring.get("rx") if facts is not None and facts.ring is not None else None
    if not ring or facts is None:
        return None
    queues = [queue for queue in facts.queues or () if queue.direction == "rx"]
    known = [rate for rate in traffic.cpu_rates if rate]
    rate = max(known) if len(queues) > 1 and known else traffic.totals.packets_per_sec
    return ring / rate if rate else None


def _backlog(selection: Selection) -> float | None:
    """Divide the free places of each CPU's backlog by the CPU's packet rate, and return the least."""
    limits, cpus = selection.snapshot.reading("sysctls"), selection.snapshot.possible_cpus
    most = limits.value((BACKLOG_LIMIT,), "value") if limits is not None else None
    if most is None:
        return None
    rates = cpu_rates(selection.snapshot.reading("softnet"), "processed", cpus)
    queued = cpu_values(selection.snapshot.reading("softnet_backlog"), "queued_packets", cpus)
    return min((max(0, most - (n or 0)) / rate for n, rate in zip(queued, rates, strict=True) if rate), default=None)


def _conntrack(selection: Selection) -> float | None:
    tracked = selection.snapshot.reading("conntrack")
    growth = selection.history.stages.tracked_growth(selection.snapshot.mono_ns)
    if tracked is None or not growth or growth < 0:
        return None
    entries, most = tracked.value((), "entries"), tracked.value((), "max_entries")
    return None if entries is None or not most else max(0, most - entries) / growth
