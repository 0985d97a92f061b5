"""Rates that several checks need: packets that bpftop's own BPF programs count, and packets lost before the stack.

Each function raises InputUnavailable where nothing counts the packets, and NotEnoughData where there is no rate yet.
"""

from __future__ import annotations

from collections.abc import Callable

from bpftop.model.protocols import TCP, UDP
from bpftop.model.sample import Direction
from bpftop.model.snapshot import Counts, InterfaceSnapshot
from bpftop.model.units import pct
from bpftop.rules.rule import InputUnavailable, NotEnoughData, RuleInput, if_available

FORWARDED = ("IpForwDatagrams", "Ip6OutForwDatagrams")
"""Packets that this host sends on as a router."""

_RING = ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors")

BUSIEST_CPU_SHARE = 0.6
"""Share of all packets from which a CPU is named."""


def packets(rule_input: RuleInput, direction: Direction = "rx") -> float:
    """Return all packets per second of a direction."""
    require_program(rule_input)
    return rule_input.require_rate(rule_input.interface.traffic(direction).totals.packets_per_sec, "packets")


def protocol(rule_input: RuleInput, *numbers: int) -> float:
    """Return received packets per second of these protocols."""
    require_program(rule_input)
    return protocol_rate(rule_input.interface, *numbers)


def tcp(rule_input: RuleInput) -> float:
    """Return received TCP packets per second."""
    return protocol(rule_input, TCP)


def udp(rule_input: RuleInput) -> float:
    """Return received UDP packets per second."""
    return protocol(rule_input, UDP)


def cell(rule_input: RuleInput, family: str, *key: int | str, direction: Direction = "rx") -> Counts:
    """Return one cell of a breakdown, with a known rate."""
    require_program(rule_input)
    traffic = rule_input.interface.traffic(direction)
    if traffic.hook.hook == "none":
        raise InputUnavailable(f"no program counts what {rule_input.interface.label} sends")
    counts = traffic.cell_of(family, *key)
    if counts.packets_per_sec is None:
        raise NotEnoughData
    return counts


def cell_rate(rule_input: RuleInput, family: str, *key: int | str, direction: Direction = "rx") -> float:
    """Return packets per second of one cell of a breakdown."""
    return cell(rule_input, family, *key, direction=direction).packets_per_sec or 0.0


def cast(rule_input: RuleInput, name: str) -> float:
    """Return received packets per second that are ``unicast``, ``multicast`` or ``broadcast``."""
    require_program(rule_input)
    cells = rule_input.interface.rx.breakdowns.get("joint", {})
    return sum([counts.packets_per_sec or 0.0 for (_, of_cast, _), counts in cells.items() if of_cast == name])


def require_program(rule_input: RuleInput) -> None:
    """Raise InputUnavailable where no program counts the interface, NotEnoughData where there is no rate yet."""
    traffic = rule_input.interface.rx
    rule_input.require_rate(traffic.totals.packets_per_sec if traffic.hook.hook != "none" else None, "protocols")


def busiest_cpu(rule_input: RuleInput) -> str:
    """Return ``97 % of all on CPU 3``; empty where no CPU has most packets, or the rates are not known."""
    rates = [(rate or 0.0, cpu) for cpu, rate in enumerate(rule_input.interface.rx.cpu_rates)]
    whole = sum(rate for rate, _ in rates)
    if not whole:
        return ""
    most, cpu = max(rates)
    return f"{pct(most / whole)} of all on CPU {cpu}" if most >= BUSIEST_CPU_SHARE * whole else ""


def has_most(rule_input: RuleInput, measure: Callable[[InterfaceSnapshot], float]) -> bool:
    """Return True if no other interface has more.

    A counter of the namespace makes a finding on one interface only: the one with most of that traffic.
    """
    own = measure(rule_input.interface)
    return all(measure(other) <= own for other in rule_input.snapshot.interfaces)


def protocol_rate(interface: InterfaceSnapshot, *numbers: int) -> float:
    """Return received packets per second of these protocols; zero where they are not known."""
    return sum(row.counts.packets_per_sec or 0.0 for row in interface.rx.protocols if row.number in numbers)


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
