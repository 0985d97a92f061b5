"""What our own programs counted, as rules ask for it: packets per second, zero where none were seen."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.model.protocols import TCP, UDP
from bpftop.model.rules.rule import Blind, Pending, Seen
from bpftop.model.sample import Direction
from bpftop.model.snapshot import Traffic, Watched
from bpftop.model.units import pct

MOST = 0.6


def packets(seen: Seen, direction: Direction = "rx") -> float:
    """All of them. Raises Blind where no program counts."""
    counted(seen)
    return seen.known(seen.interface.flow(direction).totals.packets_per_sec, "packets")


def protocol(seen: Seen, *numbers: int) -> float:
    """Received packets of these protocols. Raises Blind, Pending."""
    counted(seen)
    rows = {row.number: row.traffic.packets_per_sec for row in seen.interface.rx.protocols}
    return sum(rows.get(number) or 0.0 for number in numbers)


def tcp(seen: Seen) -> float:
    return protocol(seen, TCP)


def udp(seen: Seen) -> float:
    return protocol(seen, UDP)


def part(seen: Seen, family: str, *key: int | str, direction: Direction = "rx") -> Traffic:
    """One cell of a breakdown. Raises Blind, Pending."""
    counted(seen)
    flow = seen.interface.flow(direction)
    if flow.hook.hook == "none":
        raise Blind(f"no program counts what {seen.interface.label} sends")
    cell = flow.part(family, *key)
    if cell.packets_per_sec is None:
        raise Pending
    return cell


def part_rate(seen: Seen, family: str, *key: int | str, direction: Direction = "rx") -> float:
    return part(seen, family, *key, direction=direction).packets_per_sec or 0.0


def cast(seen: Seen, name: str) -> float:
    """Received packets that are unicast, multicast or broadcast."""
    counted(seen)
    return seen.interface.rx.along(1).get(name, Traffic(0, 0, 0.0, 0.0)).packets_per_sec or 0.0


def counted(seen: Seen) -> None:
    """Raises Blind where no program counts this interface, Pending where there is no rate yet."""
    flow = seen.interface.rx
    seen.known(flow.totals.packets_per_sec if flow.hook.hook != "none" else None, "protocols")


def busiest_cpu(seen: Seen) -> str:
    """``97 % of all on CPU 3``; empty where that is not known, or no CPU has much more than others."""
    rates = [(rate or 0.0, cpu) for cpu, rate in enumerate(seen.interface.rx.cpu_rates)]
    whole = sum(rate for rate, _ in rates)
    if not whole:
        return ""
    most, cpu = max(rates)
    return f"{pct(most / whole)} of all on CPU {cpu}" if most >= MOST * whole else ""


def leads(seen: Seen, measure: Callable[[Watched], float]) -> bool:
    """Whether no other watched interface has more of it: a counter of the namespace is said of one interface."""
    own = measure(seen.interface)
    return all(measure(other) <= own for other in seen.view.interfaces)


def of_protocol(watched: Watched, *numbers: int) -> float:
    return sum(row.traffic.packets_per_sec or 0.0 for row in watched.rx.protocols if row.number in numbers)
