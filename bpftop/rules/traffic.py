"""Rules about the mix of what arrives: storms, floods, fragments, garbage."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.model.findings import Severity
from bpftop.model.protocols import ARP, ICMP, ICMPV6, MALFORMED, TCP, TRUNCATED, UDP
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import factor, pct, si
from bpftop.rules.counted import busiest_cpu, cast, leads, packets, part_rate, protocol
from bpftop.rules.evidence import against, per_s
from bpftop.rules.link import backlog_dropped, ring_lost
from bpftop.rules.rule import NO_BASELINE, Limit, NotEnoughData, Raised, Rule, RuleInput, tried

_LOSSES = ("UdpRcvbufErrors", "Udp6RcvbufErrors", "TcpExtListenOverflows", "TcpExtTCPReqQFullDrop",
           "TcpExtTCPBacklogDrop")  # fmt: skip

_MEASURED = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}
"""Protocols that have a baseline of their own, by the name of the measure."""

ICMP_NAMES = {
    ("icmp", 0): "echo reply", ("icmp", 3): "unreachable", ("icmp", 5): "redirect", ("icmp", 8): "echo request",
    ("icmp", 11): "time exceeded", ("icmpv6", 1): "unreachable", ("icmpv6", 2): "packet too big",
    ("icmpv6", 3): "time exceeded", ("icmpv6", 128): "echo request", ("icmpv6", 129): "echo reply",
    ("icmpv6", 133): "router solicitation", ("icmpv6", 134): "router advertisement",
    ("icmpv6", 135): "neighbour solicitation", ("icmpv6", 136): "neighbour advertisement",
}  # fmt: skip


def icmp_flood(seen: RuleInput) -> Raised | None:
    rate, whole = icmp(seen), packets(seen)
    base = seen.baselines.get("icmp")
    grown = base is not None and rate >= seen.limit("packets") and rate >= seen.limit("factor") * base
    plain = rate >= seen.limit("absolute") and rate >= seen.limit("share") * whole
    if not grown and not plain:
        return None
    evidence = [against("ICMP and ICMPv6", rate, seen.limits["packets" if grown else "absolute"])]
    evidence.append(f"{pct(rate / whole if whole else None)} of all packets")
    if base is not None:
        evidence.append(f"{per_s(base)} in the minute before it began")
    return Raised("warning", f"ICMP flood: {per_s(rate)}", tuple(evidence), _most_of_icmp(seen))


def icmp(seen: RuleInput) -> float:
    return protocol(seen, ICMP, ICMPV6)


def _most_of_icmp(seen: RuleInput) -> str:
    """The type and the CPU with most of it."""
    types = [
        (cell.packets_per_sec or 0.0, key) for key, cell in seen.interface.rx.breakdowns.get("icmp_types", {}).items()
    ]
    whole = sum(rate for rate, _ in types)
    if not whole:
        return busiest_cpu(seen)
    most, key = max(types)
    return "; ".join(filter(None, (f"{pct(most / whole)} of it is {icmp_name(*key)}", busiest_cpu(seen))))


def icmp_name(version: int | str, number: int | str) -> str:
    name = ICMP_NAMES.get((str(version), int(number)), "")
    return f"{version} type {number}{f' ({name})' if name else ''}"


def all_packets(seen: RuleInput) -> float:
    """Also where only the kernel counts. Raises Pending."""
    rate = seen.interface.rx.totals.packets_per_sec
    if rate is None:
        raise NotEnoughData
    return rate


def packet_storm(seen: RuleInput) -> Raised | None:
    rate, base = all_packets(seen), seen.baselines.get("packets")
    if base is None:
        raise NotEnoughData(NO_BASELINE)
    if rate < seen.limit("packets") or rate < seen.limit("factor") * base:
        return None
    lost = losses(seen)
    severity: Severity = "warning" if lost > seen.limit("losses") else "info"
    times = factor(rate, base)
    return Raised(
        severity,
        f"Packet storm: {si(rate, 'pps')}" + (f", {times} times what it was" if base >= 1 else ""),
        (
            against("RX", rate, seen.limits["packets"]),
            f"{si(base, 'pps')} in the minute before it began; limit {seen.limits['factor'].raised:.0f} times "
            f"({seen.limits['factor'].source})",
            f"lost in ring, backlog and at sockets {per_s(lost)}",
        ),
        _what_grew(seen),
    )


def _what_grew(seen: RuleInput) -> str:
    """The protocol that grew most, and the CPU with most of what comes."""
    rows = [
        ((row.counts.packets_per_sec or 0.0) - seen.baselines.get(_MEASURED.get(row.number, ""), 0.0), row)
        for row in seen.interface.rx.protocols
    ]
    if not rows:
        return ""
    row = max(rows, key=lambda one: one[0])[1]
    before = seen.baselines.get(_MEASURED.get(row.number, ""))
    was = "" if before is None else f" from {si(before, 'pps')}"
    return "; ".join(
        filter(None, (f"{row.name} grew{was} to {si(row.counts.packets_per_sec, 'pps')}", busiest_cpu(seen)))
    )


def losses(seen: RuleInput) -> float:
    """What is lost between ring and sockets while the storm lasts, as far as it can be seen."""
    parts = (lambda: ring_lost(seen), lambda: backlog_dropped(seen), lambda: seen.counts(*_LOSSES))
    return sum(tried(part) or 0.0 for part in parts)


def broadcast_storm(seen: RuleInput) -> Raised | None:
    whole, rate, arp = packets(seen), cast(seen, "broadcast"), protocol(seen, ARP)
    broadcast = rate >= seen.limit("broadcast") and rate >= seen.limit("share") * whole
    if not broadcast and arp < seen.limit("arp"):
        return None
    return Raised(
        "warning",
        f"Broadcast storm: {per_s(rate)}" if broadcast else f"ARP storm: {per_s(arp)}",
        (
            against("broadcast", rate, seen.limits["broadcast"]),
            f"{pct(rate / whole if whole else None)} of all packets; limit {pct(seen.limits['share'].raised)}",
            against("ARP", arp, seen.limits["arp"]),
        ),
        "ARP is most of it: a loop in the network, or a host that asks for many"
        if arp >= 0.5 * max(rate, 1.0)
        else busiest_cpu(seen),
    )


def fragment_flood(seen: RuleInput) -> Raised | None:
    failed = tried(lambda: seen.counts("IpReasmFails", "Ip6ReasmFails")) or 0.0
    failing = failed > seen.limit("failed") and leads(seen, _fragments)
    if tried(lambda: packets(seen)) is None and failing:  # the stack alone sees it
        said = (against("ReasmFails", failed, seen.limits["failed"]),)
        return Raised("warning", f"Reassembly fails: {per_s(failed)}", said, _why_fragments(seen, 0.0, 0.0))
    whole, first = packets(seen), part_rate(seen, "fragments", "first")
    rate = first + part_rate(seen, "fragments", "later")
    flood = rate >= seen.limit("fragments") and rate >= seen.limit("share") * whole
    if not flood and not failing:
        return None
    return Raised(
        "warning",
        f"Fragment flood: {per_s(rate)}" if flood else f"Reassembly fails: {per_s(failed)}",
        (
            against("fragments", rate, seen.limits["fragments"]),
            f"{pct(rate / whole if whole else None)} of all packets; limit {pct(seen.limits['share'].raised)}",
            against("ReasmFails", failed, seen.limits["failed"]),
        ),
        _why_fragments(seen, first, rate),
    )


def _fragments(watched: InterfaceSnapshot) -> float:
    parts = (watched.rx.cell_of("fragments", name).packets_per_sec for name in ("first", "later"))
    return sum(part or 0.0 for part in parts)


def _why_fragments(seen: RuleInput, first: float, rate: float) -> str:
    """What is missing of them: first parts, or others that do not come in time."""
    if rate and first < 0.1 * rate:
        return "hardly any first fragments come: these can never be put together"
    if rate and first > 0.9 * rate:
        return "hardly any but first fragments come: these can never be put together"
    late = tried(lambda: seen.counts("IpReasmTimeout", "Ip6ReasmTimeout")) or 0.0
    return f"other parts do not come in time: {per_s(late)} given up" if late > 0 else ""


def malformed_packets(seen: RuleInput) -> Raised | None:
    whole = packets(seen)
    ours, stack = protocol(seen, TRUNCATED, MALFORMED), _bad_headers(seen) if leads(seen, _received) else 0.0
    rate = max(ours, stack)  # most of them are counted in both places
    if rate < seen.limit("packets") or rate < seen.limit("share") * whole:
        return None
    cut, bad = protocol(seen, TRUNCATED), protocol(seen, MALFORMED)
    return Raised(
        "warning",
        f"Malformed packets: {per_s(rate)}",
        (
            against("truncated, malformed or InHdrErrors", rate, seen.limits["packets"]),
            against("of all packets", rate / whole if whole else 1.0, seen.limits["share"]),
            f"truncated {per_s(cut)}, malformed {per_s(bad)}, InHdrErrors {per_s(stack)}",
        ),
        _why_malformed(cut, bad, stack),
    )


def _received(watched: InterfaceSnapshot) -> float:
    return watched.rx.totals.packets_per_sec or 0.0


def _bad_headers(seen: RuleInput) -> float:
    """Of a host that forwards, checksums and truncation alone: there, InHdrErrors counts each packet whose TTL ends
    here as well (ip_forward), which is how traceroute works."""
    errors = tried(lambda: seen.counts("IpInHdrErrors", "Ip6InHdrErrors")) or 0.0
    if not errors or not seen.counts("IpForwDatagrams", "Ip6OutForwDatagrams"):
        return errors
    return min(errors, seen.counts("IpExtInCsumErrors", "IpExtInTruncatedPkts", "Ip6InTruncatedPkts"))


def _rate_of(number: int) -> Callable[[RuleInput], float]:
    """Zero where nobody counts protocols."""
    return lambda seen: tried(lambda: protocol(seen, number)) or 0.0


def _why_malformed(cut: float, bad: float, stack: float) -> str:
    if cut > bad and cut >= 0.5 * stack:
        return "they end before their headers do"
    if bad >= 0.5 * stack:
        return "their headers contradict themselves: a version, a length or an offset that cannot be"
    return "the stack refuses headers whose form is right: a checksum, a TTL or an option"


_FOLLOWS = ("packet-storm", "cpu-imbalance", "backlog-overflow", "softirq-squeeze", "rx-ring-overflow",
            "link-saturated")  # fmt: skip

RULES = (
    Rule(
        "icmp-flood", "traffic", "interface", ("protocols",), ("warning",), "ICMP, against the minute before or alone",
        icmp_flood,
        {"packets": Limit(1_000, None, "/s"), "factor": Limit(5, 3, "x"), "absolute": Limit(5_000, None, "/s"),
         "share": Limit(0.2, 0.15, "share")},
        ("bpftop {iface}, key 4: the flows", "nstat -az IcmpInMsgs IcmpInEchos Icmp6InMsgs"),
        explains=_FOLLOWS, measures={"icmp": icmp},
    ),
    Rule(
        "broadcast-storm", "traffic", "interface", ("joint", "protocols"), ("warning",),
        "broadcasts or ARP, many and most of what comes", broadcast_storm,
        {"broadcast": Limit(1_000, None, "/s"), "share": Limit(0.5, 0.4, "share"), "arp": Limit(500, None, "/s")},
        ("ip -s link show {iface}", "ip neigh show dev {iface}", "bridge -s link"),
        explains=(*_FOLLOWS, "rx-dropped-harmless", "neighbour-table-full"),
    ),
    Rule(
        "fragment-flood", "traffic", "interface", ("fragments", "snmp"), ("warning",),
        "fragments, or reassembly that fails", fragment_flood,
        {"fragments": Limit(1_000, None, "/s"), "share": Limit(0.2, 0.15, "share"), "failed": Limit(10, None, "/s")},
        ("nstat -az IpReasmReqds IpReasmFails IpReasmTimeout", "sysctl net.ipv4.ipfrag_high_thresh"),
        explains=_FOLLOWS,
    ),
    Rule(
        "malformed-packets", "traffic", "interface", ("protocols", "snmp"), ("warning",),
        "packets that end early or contradict themselves", malformed_packets,
        {"packets": Limit(10, None, "/s"), "share": Limit(0.001, None, "share")},
        ("nstat -az IpInHdrErrors Ip6InHdrErrors IpExtInTruncatedPkts",),
        explains=(*_FOLLOWS, "checksum-errors"),
    ),
    Rule(
        "packet-storm", "traffic", "interface", ("protocols", "links"), ("info", "warning"),
        "ten times the packets of the minute before; a warning only while something is lost", packet_storm,
        {"packets": Limit(10_000, None, "/s"), "factor": Limit(10, 5, "x", "netdata: 50 times from 1 kpps"),
         "losses": Limit(10, 5, "/s", "a warning while more than this is lost")},
        ("bpftop {iface}, key 4: the flows", "mpstat -P ALL 1 3"),
        explains=("cpu-imbalance", "backlog-overflow", "softirq-squeeze", "rx-ring-overflow", "link-saturated"),
        measures={"packets": all_packets, "tcp": _rate_of(TCP), "udp": _rate_of(UDP), "icmp": _rate_of(ICMP)},
    ),
)  # fmt: skip
