"""The busiest flows or groups of an interface and the rest: the shares of all rows add up to 1."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bpftop.fields import frozen, replace
from bpftop.model.sample import DIRECTIONS, Direction
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot, sum_known
from bpftop.model.units import pct, si
from bpftop.render.flows.flow_pairs import Amounts, FlowPair, PairBy, flow_pairs, grouped, sum_of, with_all_flows
from bpftop.render.flows.flow_readings import flow_readings, flow_tables

REST = "(all others)"


@frozen
class FlowTop:
    """The rows of an interface, the one with most bits per second first, and what they are a part of.

    ``rest`` is the traffic of the interface that is in no row. ``sampled_1_in``: amounts are estimates if above 1.
    """

    rows: tuple[FlowPair, ...]
    rest: FlowPair
    total: FlowPair
    entries: int
    sampled_1_in: int
    sentence: str


def flow_top(snapshot: Snapshot, interface: InterfaceSnapshot, by: PairBy, most: int) -> FlowTop:
    """Return the ``most`` busiest flows or groups of an interface."""
    pairs = flow_pairs(snapshot, interface)
    groups = list(pairs.values())
    if by != "flow":
        groups = with_all_flows(grouped(groups, by), snapshot, interface, by)
    groups.sort(key=lambda pair: (-pair.bits_per_sec, -(pair.rx.bytes + pair.tx.bytes), pair.name))
    shown, others = groups[:most], groups[most:]
    sides = {direction: _whole(interface, direction, groups) for direction in DIRECTIONS}
    total = FlowPair("total", sides["rx"], sides["tx"], flows=0)
    tables = [flow_tables(snapshot, interface, direction) for direction in DIRECTIONS]
    entries = max((table.entries for table in tables if table is not None), default=0)
    unseen = {direction: sides[direction].minus(_sum(shown, direction)) for direction in DIRECTIONS}
    rest = FlowPair(REST, unseen["rx"], unseen["tx"], flows=sum(each.flows for each in others))
    every = total.bits_per_sec

    def with_share(pair: FlowPair) -> FlowPair:
        return replace(pair, share=pair.bits_per_sec / every if every else None)

    rows = tuple(map(with_share, shown))
    return FlowTop(
        rows, with_share(rest), with_share(total), entries,
        max((table.sampled_1_in for table in tables if table is not None), default=1),
        flow_sentence(snapshot, interface, list(pairs.values())),
    )  # fmt: skip


def _whole(interface: InterfaceSnapshot, direction: Direction, pairs: list[FlowPair]) -> Amounts:
    """Return all that a direction carries: what its counters say, but not less than the flows together.

    Counters and flows are read some ms apart, and sampled flows are estimates.
    """
    totals = interface.traffic(direction).totals
    counted = Amounts(totals.bits_per_sec or 0.0, totals.packets_per_sec or 0.0, totals.bytes or 0, totals.packets or 0)
    return counted.at_least(_sum(pairs, direction))


def _sum(pairs: list[FlowPair], direction: Direction) -> Amounts:
    return sum_of([pair.rx if direction == "rx" else pair.tx for pair in pairs])


_HALF = 0.5


def flow_sentence(snapshot: Snapshot, interface: InterfaceSnapshot, pairs: Iterable[FlowPair]) -> str:
    """Return ``61.0 k sources to TCP port 443, 92 % of RX, process nginx[812]``.

    Port, share and number of sources are of all flows in the table; the process is one of the ``pairs``. Empty where
    no port has half of the received packets.
    """
    rates = _rates_of_ports(snapshot, interface)
    if not rates:  # of packets without an address, such as ARP's, there are no flows
        return ""
    whole = max(interface.rx.totals.packets_per_sec or 0.0, sum(rates.values()))
    member, rate = max(rates.items(), key=lambda row: row[1])
    if rate < _HALF * whole:
        return ""
    protocol, _, port = member.rpartition(" ")
    is_port = protocol in ("TCP", "UDP")  # other protocols have no ports, and a number may be part of their names
    there = [pair for pair in pairs if f"{pair.protocol} {pair.local[1]}" == member or pair.protocol == member]
    target = f"{protocol} port {port}" if is_port else member
    owners = sorted({pair.owner.name for pair in there if pair.owner is not None and pair.owner.pid})
    who = f", process {owners[0]}" + (f" and {len(owners) - 1} more" if owners[1:] else "") if owners else ""
    from_whom = _sources(snapshot, interface, member, {pair.remote[0] for pair in there if pair.rx.packets_per_sec})
    return f"{from_whom} to {target}, {pct(rate / whole)} of RX{who}"


def _rates_of_ports(snapshot: Snapshot, interface: InterfaceSnapshot) -> dict[str, float]:
    """Return packets per second by destination port, such as ``TCP 443``."""
    rates: dict[str, float] = {}
    for reading in flow_readings(snapshot, interface, "rx", "flow_groups"):
        for key, rate in reading.rates("packets"):
            if key[2] == "destination_port" and rate:
                rates[str(key[3])] = rates.get(str(key[3]), 0.0) + rate
    return rates


def _sources(snapshot: Snapshot, interface: InterfaceSnapshot, member: str, known: Collection[str]) -> str:
    """Return the number of sources, or the address of the only one. ``known`` are the sources of the busiest flows."""
    counted = sum_known(
        reading.value((*key[:2], member), "sources")
        for reading in flow_readings(snapshot, interface, "rx", "flow_sources")
        for key in reading.keys[:1]
    )
    if len(known) == 1 and counted in (None, 1):
        return next(iter(known))
    if counted is None:  # a recording of an earlier version has no number
        return f"at least {len(known)} sources"
    return f"{si(counted)} sources"
