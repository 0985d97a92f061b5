"""Describe the traffic behind a finding by a sample of flows: target port and its process, sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bpftop.model.families import FLOW_LABELS
from bpftop.model.findings import Finding
from bpftop.model.protocols import TCP, UDP
from bpftop.model.sample import Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.model.units import pct, si

FLOW_RULES: Mapping[str, str] = {
    **dict.fromkeys(("syn-flood", "port-scan", "rst-storm", "accept-queue-overflow"), "TCP"),
    **dict.fromkeys(("udp-amplification", "udp-flood", "udp-socket-overflow"), "UDP"),
    **dict.fromkeys(("icmp-flood", "broadcast-storm", "multicast-flood", "fragment-flood", "packet-storm"), ""),
    **dict.fromkeys(("cpu-imbalance", "backlog-overflow", "rx-ring-overflow", "link-saturated"), ""),
}
"""Rule of a flood, storm, overflow, amplification or imbalance -> the protocol of its flows; empty: any protocol."""

TARGETED = ("syn-flood", "udp-flood")
"""Rules of floods, whose titles name the port that most of their packets go to."""
_NAMED_SOURCES, _LEAST_SHARE, _MOST_SHARE = 3, 0.1, 0.5
_PORT_PROTOCOLS = {"TCP": TCP, "UDP": UDP}


def flow_evidence(snapshot: Snapshot, finding: Finding) -> tuple[str, ...]:
    """Return sentences about what arrives on the interface of a finding, or on the busiest; none without flows."""
    busiest = _busiest(snapshot, finding)
    return () if busiest is None else tuple(_sentences(snapshot, busiest, FLOW_RULES[finding.id]))


def target_port(snapshot: Snapshot, finding: Finding) -> tuple[int, int] | None:
    """Return IP protocol and port that at least half of the packets of a finding go to; None where no port is known."""
    busiest = _busiest(snapshot, finding) if finding.id in FLOW_RULES else None
    groups = None if busiest is None else snapshot.reading("flow_groups", busiest.label, "rx")
    if busiest is None or groups is None or groups.elapsed_ns is None:
        return None
    rates = {key: rate for key, rate in groups.rates("packets") if rate}
    ports = _ports(rates, FLOW_RULES[finding.id])
    if not ports or ports[0][1] < _MOST_SHARE * sum(rate for _, rate in ports):
        return None
    protocol, _, port = ports[0][0].partition(" ")
    return (_PORT_PROTOCOLS[protocol], int(port)) if protocol in _PORT_PROTOCOLS and port.isdecimal() else None


def target_words(snapshot: Snapshot, finding: Finding) -> str:
    """Return ``port 443 of nginx[812] from 61.0 k sources`` for a flood with one target; empty where none is known."""
    target = target_port(snapshot, finding) if finding.id in TARGETED else None
    busiest = _busiest(snapshot, finding)
    if target is None or busiest is None:
        return ""
    port = f"{FLOW_RULES[finding.id]} {target[1]}"
    holders = _holders(snapshot, busiest.label, port, with_services=False)
    sources = _sources_of(snapshot, busiest.label, port)
    return f"port {target[1]}{f' of {holders}' if holders else ''}{f' from {sources}' if sources else ''}"


def _busiest(snapshot: Snapshot, finding: Finding) -> InterfaceSnapshot | None:
    """Return the interface of a finding, or the busiest interface, of those whose flows are counted."""
    of_one = finding.scope == "interface"
    counted = (
        each
        for each in snapshot.interfaces
        if (not of_one or each.label == finding.scope_name)
        and snapshot.reading("flow_groups", each.label, "rx") is not None
    )
    return max(counted, key=lambda each: each.rx.totals.packets_per_sec or 0.0, default=None)


def _sentences(snapshot: Snapshot, interface: InterfaceSnapshot, protocol: str) -> Iterator[str]:
    groups = snapshot.reading("flow_groups", interface.label, "rx")
    table = snapshot.reading("flow_table", interface.label, "rx")
    if groups is None or table is None or groups.elapsed_ns is None:
        return
    rates = {key: rate for key, rate in groups.rates("packets") if rate}
    whole = max(interface.rx.totals.packets_per_sec or 0.0, _sum_of(rates, "destination"))
    all_ports, sources = _largest(rates, "destination_port"), _largest(rates, "source")
    ports = _ports(rates, protocol)
    if not whole or not ports:
        return
    entries, _, _, sampled, _, _ = table.reading.totals[table.keys[0]]
    flows = f"{si(entries or 0)} flows" + (f" in a sample of 1 in {sampled}" if (sampled or 1) > 1 else "")
    (port, rate), *_ = ports
    is_spread = rate < _LEAST_SHARE * _all_of(protocol, interface, ports, whole)  # the first port is first by chance
    holders = "" if is_spread else _holders(snapshot, interface.label, port, with_services=True)
    target = f"{pct(min(1.0, rate / whole))} of what arrives goes to {port}{f' ({holders})' if holders else ''}"
    if is_spread:
        packets = f"the {protocol} packets" if protocol else "what arrives"
        target = f"no {protocol or 'single'} port gets {pct(_LEAST_SHARE)} of {packets}"
    yield f"Flows of {interface.label}: {target}; {flows}."
    if not is_spread and (counted := _sources_of(snapshot, interface.label, port)):
        yield f"{counted} {'sends' if counted == '1 source' else 'send'} to {port}."
    if port != all_ports[0][0]:  # the sources below belong to all received packets
        return
    large = [(name, rate) for name, rate in sources if rate >= _LEAST_SHARE * whole][:_NAMED_SOURCES]
    if large:
        names = ", ".join(f"{name} {pct(min(1.0, rate / whole))}" for name, rate in large)
        yield f"Largest sources of all that arrives: {names}."  # in a flood from many sources these are its bystanders
    else:
        yield f"No source sends {pct(_LEAST_SHARE)} of what arrives."


def _all_of(protocol: str, interface: InterfaceSnapshot, ports: list[tuple[str, float]], whole: float) -> float:
    """Return the packets per second of a protocol, of which ``ports`` are the busiest; of no protocol, the whole."""
    if not protocol:
        return whole
    counted = next((row.counts for row in interface.rx.protocols if row.number == _PORT_PROTOCOLS[protocol]), None)
    listed = sum(rate for _, rate in ports)
    return listed if counted is None else max(listed, counted.packets_per_sec or 0.0)


def _sum_of(rates: dict[Key, float], group: str) -> float:
    return sum(rate for key, rate in rates.items() if key[2] == group)


def _ports(rates: dict[Key, float], protocol: str) -> list[tuple[str, float]]:
    """Return the destination ports of a protocol, such as ``TCP 443``, with their rates, largest first."""
    return [row for row in _largest(rates, "destination_port") if row[0].startswith(protocol)]


def _largest(rates: dict[Key, float], group: str) -> list[tuple[str, float]]:
    rows = [(str(key[3]), rate) for key, rate in rates.items() if key[2] == group]
    return sorted(rows, key=lambda row: -row[1])


def _sources_of(snapshot: Snapshot, label: str, port: str) -> str:
    """Return ``61.0 k sources`` for a port such as ``TCP 443``; empty where they are not counted."""
    sources = snapshot.reading("flow_sources", label, "rx")
    number = None if sources is None else sources.value((label, "rx", port), "sources")
    return "" if number is None else f"{si(number)} source{'' if number == 1 else 's'}"


def _holders(snapshot: Snapshot, label: str, port: str, *, with_services: bool) -> str:
    """Return the processes of the flows to a port such as ``TCP 443``, and the users of those that are not known."""
    sockets = snapshot.reading("flow_sockets", label, "rx")
    number = port.rpartition(" ")[2]
    names: dict[str, None] = {}
    for key in () if sockets is None else sockets.keys:
        process, pid, user, service, _ = key[FLOW_LABELS:]
        if str(key[5]) == number:
            who = f"{process}[{pid}]" if pid else f"a process of {user}"
            names[f"{who}, {service}" if service and with_services else who] = None
    return " and ".join([*names][:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
