"""What our own programs counted, as rules ask for it: packets per second, zero where none were seen."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.model.protocols import TCP, UDP
from bpftop.model.sample import Direction
from bpftop.model.snapshot import Counts, InterfaceSnapshot
from bpftop.model.units import pct
from bpftop.rules.rule import InputUnavailable, NotEnoughData, RuleInput

MOST = 0.6


def packets(seen: RuleInput, direction: Direction = "rx") -> float:
    """All of them. Raises Blind where no program counts."""
    counted(seen)
    return seen.known(seen.interface.traffic(direction).totals.packets_per_sec, "packets")


def protocol(seen: RuleInput, *numbers: int) -> float:
    """Received packets of these protocols. Raises Blind, Pending."""
    counted(seen)
    rows = {row.number: row.counts.packets_per_sec for row in seen.interface.rx.protocols}
    return sum(rows.get(number) or 0.0 for number in numbers)


def tcp(seen: RuleInput) -> float:
    return protocol(seen, TCP)


def udp(seen: RuleInput) -> float:
    return protocol(seen, UDP)


def part(seen: RuleInput, family: str, *key: int | str, direction: Direction = "rx") -> Counts:
    """One cell of a breakdown. Raises Blind, Pending."""
    counted(seen)
    traffic = seen.interface.traffic(direction)
    if traffic.hook.hook == "none":
        raise InputUnavailable(f"no program counts what {seen.interface.label} sends")
    cell = traffic.cell_of(family, *key)
    if cell.packets_per_sec is None:
        raise NotEnoughData
    return cell


def part_rate(seen: RuleInput, family: str, *key: int | str, direction: Direction = "rx") -> float:
    return part(seen, family, *key, direction=direction).packets_per_sec or 0.0


def cast(seen: RuleInput, name: str) -> float:
    """Received packets that are unicast, multicast or broadcast."""
    counted(seen)
    return seen.interface.rx.along(1).get(name, Counts(0, 0, 0.0, 0.0)).packets_per_sec or 0.0


def counted(seen: RuleInput) -> None:
    """Raises Blind where no program counts this interface, Pending where there is no rate yet."""
    traffic = seen.interface.rx
    seen.known(traffic.totals.packets_per_sec if traffic.hook.hook != "none" else None, "protocols")


def busiest_cpu(seen: RuleInput) -> str:
    """``97 % of all on CPU 3``; empty where that is not known, or no CPU has much more than others."""
    rates = [(rate or 0.0, cpu) for cpu, rate in enumerate(seen.interface.rx.cpu_rates)]
    whole = sum(rate for rate, _ in rates)
    if not whole:
        return ""
    most, cpu = max(rates)
    return f"{pct(most / whole)} of all on CPU {cpu}" if most >= MOST * whole else ""


def leads(seen: RuleInput, measure: Callable[[InterfaceSnapshot], float]) -> bool:
    """Whether no other watched interface has more of it: a counter of the namespace is said of one interface."""
    own = measure(seen.interface)
    return all(measure(other) <= own for other in seen.view.interfaces)


def of_protocol(watched: InterfaceSnapshot, *numbers: int) -> float:
    return sum(row.counts.packets_per_sec or 0.0 for row in watched.rx.protocols if row.number in numbers)
