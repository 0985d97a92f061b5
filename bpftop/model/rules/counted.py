"""What our own programs counted, as rules ask for it: packets per second, zero where none were seen."""

from __future__ import annotations

from bpftop.model.protocols import TCP, UDP
from bpftop.model.rules.rule import Pending, Seen
from bpftop.model.sample import Direction
from bpftop.model.snapshot import NOTHING, Traffic


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
    cell = seen.interface.flow(direction).part(family, *key)
    if cell is NOTHING and direction == "rx":
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


def grew(seen: Seen) -> str:
    """The protocol and the CPU with the most packets now: ``UDP, 92 % of it on CPU 3``."""
    flow = seen.interface.rx
    rows = sorted(flow.protocols, key=lambda row: -(row.traffic.packets_per_sec or 0.0))
    rates = [(rate or 0.0, cpu) for cpu, rate in enumerate(flow.cpu_rates)]
    if not rows or not rates:
        return ""
    whole, (most, cpu) = sum(rate for rate, _ in rates), max(rates)
    share = f", {100 * most / whole:.0f} % of all on CPU {cpu}" if whole else ""
    return f"most are {rows[0].name}{share}"
