"""Packets that are lost before the stack: by the ring of a device, and by the backlog of a CPU."""

from __future__ import annotations

from bpftop.rules.rule import NotEnoughData, RuleInput, if_available

_RING = ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors")


def ring_lost(rule_input: RuleInput) -> float:
    """Return the largest of the three ring counters per second: drivers count one loss in several of them."""
    return max(rule_input.link(column) for column in _RING)


def softnet_rates(rule_input: RuleInput, column: str) -> dict[int, float]:
    """Return CPU -> rate per second of a softnet column, rates above zero only.

    Raises InputUnavailable, NotEnoughData.
    """
    reading = rule_input.reading("softnet")
    if reading.pair is None:
        raise NotEnoughData
    gains = zip(reading.keys, reading.pair.column_gains(column), strict=True)
    return {int(key[0]): gained * 1e9 / reading.pair.elapsed_ns for key, gained in gains if gained}


def backlog_dropped(rule_input: RuleInput) -> float:
    """Return packets per second that all CPUs dropped at a full backlog. Raises InputUnavailable, NotEnoughData."""
    return sum(softnet_rates(rule_input, "dropped").values())


def lost_before_stack(rule_input: RuleInput) -> float:
    """Return packets per second lost by the ring and the backlog. rx_dropped may count some of them, too."""
    return ring_lost(rule_input) + (if_available(lambda: backlog_dropped(rule_input)) or 0.0)
