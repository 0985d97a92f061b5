"""How long queues and tables of the path last at the rate of now."""

from __future__ import annotations

from bpftop.model.cpu_readings import cpu_rates, cpu_values
from bpftop.render.selection import Selection

BACKLOG_LIMIT = "net.core.netdev_max_backlog"


def headroom_s(stage: str, looked: Selection) -> float | None:
    """Seconds until the queue behind a stage is full, if nobody took anything out of it; for conntrack, until the table
    is full if it goes on growing. None where the stage has no such queue, or a number is not known."""
    if stage == "ring":
        return _ring(looked)
    if stage == "backlog":
        return _backlog(looked)
    return _conntrack(looked) if stage == "conntrack" else None


def _ring(looked: Selection) -> float | None:
    """Descriptors of one ring through the packets of the queue that gets the most.

    A queue is served by one CPU: with several queues the busiest CPU stands for the busiest queue.
    """
    facts, traffic = looked.watched.interface.facts, looked.watched.rx
    ring = facts.ring.get("rx") if facts is not None and facts.ring is not None else None
    if not ring or facts is None:
        return None
    queues = [queue for queue in facts.queues or () if queue.direction == "rx"]
    known = [rate for rate in traffic.cpu_rates if rate]
    rate = max(known) if len(queues) > 1 and known else traffic.totals.packets_per_sec
    return ring / rate if rate else None


def _backlog(looked: Selection) -> float | None:
    """Of the CPU that would be full first: the free places of its backlog through the packets it takes a second."""
    limits, cpus = looked.shown.reading("sysctls"), looked.shown.possible_cpus
    most = limits.value((BACKLOG_LIMIT,), "value") if limits is not None else None
    if most is None:
        return None
    rates = cpu_rates(looked.shown.reading("softnet"), "processed", cpus)
    queued = cpu_values(looked.shown.reading("softnet_backlog"), "queued_packets", cpus)
    return min((max(0, most - (n or 0)) / rate for n, rate in zip(queued, rates, strict=True) if rate), default=None)


def _conntrack(looked: Selection) -> float | None:
    tracked = looked.shown.reading("conntrack")
    growth = looked.history.stages.tracked_growth(looked.shown.mono_ns)
    if tracked is None or not growth or growth < 0:
        return None
    entries, most = tracked.value((), "entries"), tracked.value((), "max_entries")
    return None if entries is None or not most else max(0, most - entries) / growth
