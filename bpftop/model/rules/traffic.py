"""Rules about the mix of what arrives: storms, floods, fragments, garbage."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.model.protocols import ARP, ICMP, ICMPV6, MALFORMED, TRUNCATED
from bpftop.model.rules.counted import cast, grew, packets, part_rate, protocol
from bpftop.model.rules.link import backlog_dropped
from bpftop.model.rules.rule import Limit, Raised, Rule, Seen
from bpftop.model.rules.say import against, per_s
from bpftop.model.units import factor, pct, si

_LOSSES = ("UdpRcvbufErrors", "Udp6RcvbufErrors", "TcpExtListenOverflows", "TcpExtTCPReqQFullDrop",
           "TcpExtTCPBacklogDrop")  # fmt: skip


def icmp_flood(seen: Seen) -> Raised | None:
    rate, whole = icmp(seen), packets(seen)
    base = seen.baselines.get("icmp")
    grown = base is not None and rate >= seen.limit("packets") and rate >= seen.limit("factor") * base
    plain = rate >= seen.limit("absolute") and rate >= seen.limit("share") * whole
    if not grown and not plain:
        return None
    evidence = [against("ICMP and ICMPv6", rate, seen.limits["packets" if grown else "absolute"])]
    evidence.append(f"{pct(rate / whole if whole else None)} of all packets")
    if base is not None:
        evidence.append(f"{per_s(base)} in the minute before")
    return Raised("warning", f"ICMP flood: {per_s(rate)}", tuple(evidence), grew(seen))


def icmp(seen: Seen) -> float:
    return protocol(seen, ICMP, ICMPV6)


def packet_storm(seen: Seen) -> Raised | None:
    rate, base = packets(seen), seen.baselines.get("packets")
    if base is None or rate < seen.limit("packets") or rate < seen.limit("factor") * base:
        return None
    lost = losses(seen)
    severity: Severity = "warning" if lost > seen.limit("losses") else "info"
    times = factor(rate, base)
    return Raised(
        severity,
        f"Packet storm: {si(rate, 'pps')}" + (f", {times} times the minute before" if base >= 1 else ""),
        (
            against("RX", rate, seen.limits["packets"]),
            f"{si(base, 'pps')} in the minute before; limit {seen.limits['factor'].raised:.0f} times "
            f"({seen.limits['factor'].source})",
            f"lost in the backlog, at sockets and in queues {per_s(lost)}",
        ),
        grew(seen),
    )


def losses(seen: Seen) -> float:
    """What is lost between ring and sockets while the storm lasts."""
    ring = seen.link("rx_missed_errors", "rx_fifo_errors", "rx_over_errors")
    return ring + backlog_dropped(seen) + seen.counts(*_LOSSES)


def broadcast_storm(seen: Seen) -> Raised | None:
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
        "ARP is most of it" if arp >= 0.5 * max(rate, 1.0) else grew(seen),
    )


def fragment_flood(seen: Seen) -> Raised | None:
    whole = packets(seen)
    rate = part_rate(seen, "fragments", "first") + part_rate(seen, "fragments", "later")
    failed = seen.counts("IpReasmFails", "Ip6ReasmFails")
    flood = rate >= seen.limit("fragments") and rate >= seen.limit("share") * whole
    if not flood and failed <= seen.limit("failed"):
        return None
    first = part_rate(seen, "fragments", "first")
    why = ""
    if failed > 0 and first < 0.1 * max(rate, 1.0):
        why = "hardly any first fragments come: these can never be put together"
    return Raised(
        "warning",
        f"Fragment flood: {per_s(rate)}" if flood else f"Reassembly fails: {per_s(failed)}",
        (
            against("fragments", rate, seen.limits["fragments"]),
            f"{pct(rate / whole if whole else None)} of all packets; limit {pct(seen.limits['share'].raised)}",
            against("ReasmFails", failed, seen.limits["failed"]),
            f"given up for time {per_s(seen.counts('IpReasmTimeout', 'Ip6ReasmTimeout'))}",
        ),
        why,
    )


def malformed_packets(seen: Seen) -> Raised | None:
    whole = packets(seen)
    ours, stack = protocol(seen, TRUNCATED, MALFORMED), seen.counts("IpInHdrErrors", "Ip6InHdrErrors")
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
        "they end before their headers do" if cut > bad and cut >= stack else "",
    )


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
        "packet-storm", "traffic", "interface", ("protocols",), ("info", "warning"),
        "ten times the packets of the minute before; a warning only while something is lost", packet_storm,
        {"packets": Limit(10_000, None, "/s"), "factor": Limit(10, 5, "x", "netdata: 50 times from 1 kpps"),
         "losses": Limit(10, 5, "/s", "a warning while more than this is lost")},
        ("bpftop {iface}, key 4: the flows", "mpstat -P ALL 1 3"),
        explains=("cpu-imbalance", "backlog-overflow", "softirq-squeeze", "rx-ring-overflow", "link-saturated"),
        measures={"packets": packets},
    ),
)  # fmt: skip
