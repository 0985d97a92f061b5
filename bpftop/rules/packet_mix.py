"""Rules about the mix of received packets: storms, floods, fragments, malformed packets."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.model.findings import Severity
from bpftop.model.protocols import ARP, ICMP, ICMPV6, MALFORMED, TCP, TRUNCATED, UDP, icmp_type_name
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import factor, pct, si
from bpftop.rules.check_factories import growth_limit
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.moved_inputs import TRAFFIC
from bpftop.rules.packet_rates import (
    backlog_dropped,
    busiest_cpu,
    cast,
    cell_rate,
    has_most,
    packets,
    protocol,
    ring_lost,
)
from bpftop.rules.rule import NO_BASELINE, Headline, Limit, NotEnoughData, Raised, Rule, RuleInput, if_available

IGMP, NEIGHBOUR_SOLICITATION = 2, 135
MLD_TYPES = (130, 131, 132, 143)
"""ICMPv6 types of multicast listener discovery (RFC 2710, RFC 3810)."""

_LOSSES = ("UdpRcvbufErrors", "Udp6RcvbufErrors", "TcpExtListenOverflows", "TcpExtTCPReqQFullDrop",
           "TcpExtTCPBacklogDrop")  # fmt: skip

_MEASURED = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}
"""Protocol -> the measure of packet-storm that is its baseline."""


def icmp_flood(rule_input: RuleInput) -> Raised | None:
    """Check ICMP against the minute before, or as a share of all packets."""
    rate, whole = icmp(rule_input), packets(rule_input)
    limit = growth_limit(rule_input, "icmp", "packets", rate, whole)
    if limit is None:
        return None
    evidence = [compare("ICMP and ICMPv6", rate, rule_input.limits[limit])]
    evidence.append(f"{pct(rate / whole if whole else None)} of all packets")
    base = rule_input.baselines.get("icmp")
    if base is not None:
        evidence.append(f"{per_s(base)} in the minute before it began")
    number = Headline("ICMP and ICMPv6", limit, icmp)
    return Raised("warning", f"ICMP flood: {per_s(rate)}", tuple(evidence), _most_of_icmp(rule_input), number)


def icmp(rule_input: RuleInput) -> float:
    """Return received ICMP and ICMPv6 packets per second."""
    return protocol(rule_input, ICMP, ICMPV6)


def _most_of_icmp(rule_input: RuleInput) -> str:
    """Return the ICMP type and the CPU with most ICMP packets."""
    types = [
        (cell.packets_per_sec or 0.0, key)
        for key, cell in rule_input.interface.rx.breakdowns.get("icmp_types", {}).items()
    ]
    whole = sum(rate for rate, _ in types)
    if not whole:
        return busiest_cpu(rule_input)
    most, key = max(types)
    return "; ".join(filter(None, (f"{pct(most / whole)} of it is {_icmp_type(*key)}", busiest_cpu(rule_input))))


def _icmp_type(label: int | str, number: int | str) -> str:
    """Return an ICMP type as ``icmp type 8 (echo request)``."""
    name = icmp_type_name(label, number)
    return f"{label} type {number}{f' ({name})' if name else ''}"


def all_packets(rule_input: RuleInput) -> float:
    """Return received packets per second, counted by a program or by rtnetlink. Raises NotEnoughData."""
    rate = rule_input.interface.rx.totals.packets_per_sec
    if rate is None:
        raise NotEnoughData
    return rate


def packet_storm(rule_input: RuleInput) -> Raised | None:
    """Check received packets against the minute before."""
    rate, base = all_packets(rule_input), rule_input.baselines.get("packets")
    if base is None:
        return _storm_with_losses(rule_input, rate)
    if rate < rule_input.limit("packets") or rate < rule_input.limit("factor") * base:
        return None
    lost = losses(rule_input)
    severity: Severity = "warning" if lost > rule_input.limit("losses") else "info"
    times = factor(rate, base)
    return Raised(
        severity,
        f"Packet storm: {si(rate, 'pps')}" + (f", {times} times what it was" if base >= 1 else ""),
        (
            compare("RX", rate, rule_input.limits["packets"]),
            f"{si(base, 'pps')} in the minute before it began; limit {rule_input.limits['factor'].raised:.0f} times "
            f"({rule_input.limits['factor'].source})",
            f"lost in ring, backlog and at sockets {per_s(lost)}",
        ),
        _what_grew(rule_input),
        Headline("RX", "packets", all_packets),
    )


def _storm_with_losses(rule_input: RuleInput, rate: float) -> Raised:
    """Return the finding without a baseline: many packets, and a share of them lost. Raises NotEnoughData."""
    lost = losses(rule_input)
    if rate < rule_input.limit("packets") or lost < max(rule_input.limit("losses"), rule_input.limit("lost") * rate):
        raise NotEnoughData(NO_BASELINE)
    return Raised(
        "warning",
        f"Packet storm: {si(rate, 'pps')}, {pct(min(1.0, lost / rate))} of it lost",
        (
            compare("RX", rate, rule_input.limits["packets"]),
            f"lost in ring, backlog and at sockets {per_s(lost)}; limit {pct(rule_input.limits['lost'].raised)} of RX "
            "where the rate before is not known",
        ),
        _what_grew(rule_input),
        Headline("RX", "packets", all_packets),
    )


def _what_grew(rule_input: RuleInput) -> str:
    """Return the protocol that grew most, and the CPU with most packets."""
    rows = [
        ((row.counts.packets_per_sec or 0.0) - rule_input.baselines.get(_MEASURED.get(row.number, ""), 0.0), row)
        for row in rule_input.interface.rx.protocols
    ]
    if not rows:
        return ""
    row = max(rows, key=lambda growth_and_row: growth_and_row[0])[1]
    before = rule_input.baselines.get(_MEASURED.get(row.number, ""))
    was = "" if before is None else f" from {si(before, 'pps')}"
    return "; ".join(
        filter(None, (f"{row.name} grew{was} to {si(row.counts.packets_per_sec, 'pps')}", busiest_cpu(rule_input)))
    )


def losses(rule_input: RuleInput) -> float:
    """Return packets per second lost between ring and sockets; an unavailable counter adds nothing."""
    counters = (lambda: ring_lost(rule_input), lambda: backlog_dropped(rule_input), lambda: rule_input.counts(*_LOSSES))
    return sum(if_available(counter) or 0.0 for counter in counters)


def _share_of_all(rule_input: RuleInput, rate: float, whole: float) -> str:
    share = pct(rate / whole if whole else None)
    return f"{share} of all packets; limit {pct(rule_input.limits['share'].raised)}"


def broadcast_storm(rule_input: RuleInput) -> Raised | None:
    """Check broadcasts, ARP, and neighbour solicitations, which are the ARP of IPv6."""
    whole, rate, arp = packets(rule_input), cast(rule_input, "broadcast"), protocol(rule_input, ARP)
    asked = cell_rate(rule_input, "icmp_types", "icmpv6", NEIGHBOUR_SOLICITATION)
    broadcast = rate >= rule_input.limit("broadcast") and rate >= rule_input.limit("share") * whole
    if not broadcast and max(arp, asked) < rule_input.limit("arp"):
        return None
    title = f"ARP storm: {per_s(arp)}" if arp >= asked else f"Storm of neighbour solicitations: {per_s(asked)}"
    resolves = max(arp, asked) >= 0.5 * max(rate, 1.0)
    return Raised(
        "warning",
        f"Broadcast storm: {per_s(rate)}" if broadcast else title,
        (
            compare("broadcast", rate, rule_input.limits["broadcast"]),
            _share_of_all(rule_input, rate, whole),
            compare("ARP", arp, rule_input.limits["arp"]),
            *((f"neighbour solicitations {per_s(asked)}; limit as for ARP",) if asked else ()),
        ),
        "most of them look for addresses: a loop in the network, or a host that asks for many"
        if resolves
        else busiest_cpu(rule_input),
        Headline("broadcast", "broadcast", lambda other: cast(other, "broadcast"))
        if broadcast
        else Headline("ARP or neighbour solicitations", "arp", _looked_for),
    )


def _looked_for(rule_input: RuleInput) -> float:
    """Return the larger of ARP packets and neighbour solicitations per second."""
    asked = cell_rate(rule_input, "icmp_types", "icmpv6", NEIGHBOUR_SOLICITATION)
    return max(protocol(rule_input, ARP), asked)


def multicast_flood(rule_input: RuleInput) -> Raised | None:
    """Check multicasts that no program reads, and messages of group membership."""
    whole, rate = packets(rule_input), cast(rule_input, "multicast")
    groups = _membership(rule_input)
    many = rate >= rule_input.limit("multicast") and rate >= rule_input.limit("share") * whole
    delivered = rule_input.counts("UdpInDatagrams", "Udp6InDatagrams") if many else 0.0
    flood = many and delivered < 0.5 * rate  # a receiver of streams reads as many datagrams as come
    if not flood and groups < rule_input.limit("membership"):
        return None
    title = f"Multicast flood: {per_s(rate)}" if flood else f"Flood of group membership messages: {per_s(groups)}"
    return Raised(
        "warning",
        title,
        (
            compare("multicast", rate, rule_input.limits["multicast"]),
            _share_of_all(rule_input, rate, whole),
            compare("IGMP and MLD", groups, rule_input.limits["membership"]),
        ),
        "IGMP or MLD is most of it: a loop in the network, or a host that joins and leaves without end"
        if groups >= 0.5 * rate
        else "no program here reads most of it: a switch floods groups that nobody here joined, or a loop",
        Headline("multicast", "multicast", lambda other: cast(other, "multicast"))
        if flood
        else Headline("IGMP and MLD", "membership", _membership),
    )


def _membership(rule_input: RuleInput) -> float:
    """Return received IGMP and MLD messages per second."""
    mld = sum(cell_rate(rule_input, "icmp_types", "icmpv6", number) for number in MLD_TYPES)
    return protocol(rule_input, IGMP) + mld


def fragment_flood(rule_input: RuleInput) -> Raised | None:
    """Check fragments, and reassembly that fails."""
    failed = rule_input.counts_available("IpReasmFails", "Ip6ReasmFails")
    # Fragments that came in the 30 s before (net.ipv4.ipfrag_time) fail one by one when their time ends.
    coming = rule_input.counts_available("IpReasmReqds", "Ip6ReasmReqds")
    failing = min(failed, coming) > rule_input.limit("failed") and has_most(rule_input, _fragments)
    if if_available(lambda: packets(rule_input)) is None and failing:  # no program counts fragments
        evidence = (compare("ReasmFails", failed, rule_input.limits["failed"]),)
        why = _why_fragments(rule_input, 0.0, 0.0)
        return Raised("warning", f"Reassembly fails: {per_s(failed)}", evidence, why, _REASSEMBLY)
    whole, first = packets(rule_input), cell_rate(rule_input, "fragments", "first")
    rate = first + cell_rate(rule_input, "fragments", "later")
    many = rate >= rule_input.limit("fragments") and rate >= rule_input.limit("share") * whole
    flood = many and (failing or not _put_together(rule_input, first, rate))
    if not flood and not failing:
        return None
    return Raised(
        "warning",
        f"Fragment flood: {per_s(rate)}" if flood else f"Reassembly fails: {per_s(failed)}",
        (
            compare("fragments", rate, rule_input.limits["fragments"]),
            _share_of_all(rule_input, rate, whole),
            compare("ReasmFails", failed, rule_input.limits["failed"]),
        ),
        _why_fragments(rule_input, first, rate),
        Headline("fragments", "fragments", lambda other: _fragments(other.interface)) if flood else _REASSEMBLY,
    )


_REASSEMBLY = Headline("ReasmFails", "failed", lambda rule_input: rule_input.counts("IpReasmFails", "Ip6ReasmFails"))


def _put_together(rule_input: RuleInput, first: float, rate: float) -> bool:
    """Return True if the fragments are parts of whole datagrams, such as the 8 kB that databases and NFS send.

    A router or a bridge does not reassemble: there, first and later fragments in proportion are enough.
    """
    if not 0.1 * rate <= first <= 0.6 * rate:
        return False
    reassembled = rule_input.counts_available("IpReasmOKs", "Ip6ReasmOKs")
    requests = rule_input.counts_available("IpReasmReqds", "Ip6ReasmReqds")
    return reassembled >= 0.8 * first or requests < 0.5 * rate


def _fragments(interface: InterfaceSnapshot) -> float:
    rates = (interface.rx.cell_of("fragments", name).packets_per_sec for name in ("first", "later"))
    return sum(rate or 0.0 for rate in rates)


def _why_fragments(rule_input: RuleInput, first: float, rate: float) -> str:
    """Return which fragments are missing: the first, the later ones, or fragments that come too late."""
    if rate and first < 0.1 * rate:
        return "hardly any first fragments come: these can never be put together"
    if rate and first > 0.9 * rate:
        return "hardly any but first fragments come: these can never be put together"
    whole = rule_input.counts_available("IpReasmOKs", "Ip6ReasmOKs")
    if first and whole < 0.5 * first:
        return f"parts are lost on the way: of {per_s(first)} datagrams {per_s(whole)} can be put together"
    late = rule_input.counts_available("IpReasmTimeout", "Ip6ReasmTimeout")
    return f"other parts do not come in time: {per_s(late)} given up" if late > 0 else ""


def malformed_packets(rule_input: RuleInput) -> Raised | None:
    """Check packets with bad headers, by the programs' counters and by the stack's."""
    whole = packets(rule_input)
    rate, stack = _malformed(rule_input), _bad_headers(rule_input) if has_most(rule_input, _received) else 0.0
    if rate < rule_input.limit("packets") or rate < rule_input.limit("share") * whole:
        return None
    cut, bad = protocol(rule_input, TRUNCATED), protocol(rule_input, MALFORMED)
    return Raised(
        "warning",
        f"Malformed packets: {per_s(rate)}",
        (
            compare("truncated, malformed or InHdrErrors", rate, rule_input.limits["packets"]),
            compare("of all packets", rate / whole if whole else 1.0, rule_input.limits["share"]),
            f"truncated {per_s(cut)}, malformed {per_s(bad)}, InHdrErrors {per_s(stack)}",
        ),
        _why_malformed(cut, bad, stack),
        Headline("truncated, malformed or InHdrErrors", "packets", _malformed),
    )


def _malformed(rule_input: RuleInput) -> float:
    """Return malformed packets per second: most of them are in the programs' counters and in the stack's."""
    counted = protocol(rule_input, TRUNCATED, MALFORMED)
    return max(counted, _bad_headers(rule_input)) if has_most(rule_input, _received) else counted


def _received(interface: InterfaceSnapshot) -> float:
    return interface.rx.totals.packets_per_sec or 0.0


def _bad_headers(rule_input: RuleInput) -> float:
    """Return InHdrErrors per second. On a router at most the checksum and truncation errors.

    A router counts each packet whose TTL ends there in InHdrErrors as well (ip_forward): traceroute works like that.
    """
    errors = rule_input.counts_available("IpInHdrErrors", "Ip6InHdrErrors")
    if not errors or not rule_input.counts("IpForwDatagrams", "Ip6OutForwDatagrams"):
        return errors
    return min(errors, rule_input.counts("IpExtInCsumErrors", "IpExtInTruncatedPkts", "Ip6InTruncatedPkts"))


def _rate_of(number: int) -> Callable[[RuleInput], float]:
    """Return a measure of one protocol, which is zero where no program counts."""
    return lambda rule_input: if_available(lambda: protocol(rule_input, number)) or 0.0


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
        woken_by=(TRAFFIC,),
    ),
    Rule(
        "broadcast-storm", "traffic", "interface", ("joint", "protocols", "icmp_types"), ("warning",),
        "broadcasts, ARP or neighbour solicitations, many and most of what comes", broadcast_storm,
        {"broadcast": Limit(1_000, None, "/s"), "share": Limit(0.5, 0.4, "share"), "arp": Limit(500, None, "/s")},
        ("ip -s link show {iface}", "ip neigh show dev {iface}", "bridge -s link"),
        explains=(*_FOLLOWS, "rx-dropped-harmless", "neighbour-table-full"),
        woken_by=(TRAFFIC,),
    ),
    Rule(
        "multicast-flood", "traffic", "interface", ("joint", "protocols", "icmp_types", "snmp"), ("warning",),
        "multicasts that no program reads, or many messages of group membership", multicast_flood,
        {"multicast": Limit(1_000, None, "/s"), "share": Limit(0.5, 0.4, "share"),
         "membership": Limit(200, None, "/s", "hosts report a group once in a query interval of 125 s (RFC 3376)")},
        ("ip maddr show dev {iface}", "bridge mdb show", "ip -s link show {iface}"),
        explains=(*_FOLLOWS, "icmp-flood", "rx-dropped-harmless"),
        woken_by=(TRAFFIC,),
    ),
    Rule(
        "fragment-flood", "traffic", "interface", ("fragments", "snmp"), ("warning",),
        "fragments that cannot be put together, or reassembly that fails", fragment_flood,
        {"fragments": Limit(1_000, None, "/s"), "share": Limit(0.2, 0.15, "share"), "failed": Limit(10, None, "/s")},
        ("nstat -az IpReasmReqds IpReasmFails IpReasmTimeout", "sysctl net.ipv4.ipfrag_high_thresh"),
        explains=_FOLLOWS,
        woken_by=(TRAFFIC, "IpReasmFails", "Ip6ReasmFails"),
    ),
    Rule(
        "malformed-packets", "traffic", "interface", ("protocols", "snmp"), ("warning",),
        "packets that end early or contradict themselves", malformed_packets,
        {"packets": Limit(10, None, "/s"), "share": Limit(0.001, None, "share")},
        ("nstat -az IpInHdrErrors Ip6InHdrErrors IpExtInTruncatedPkts",),
        explains=(*_FOLLOWS, "checksum-errors", "conntrack-invalid"),
        woken_by=(TRAFFIC, "IpInHdrErrors", "Ip6InHdrErrors"),
    ),
    Rule(
        "packet-storm", "traffic", "interface", ("protocols", "links"), ("info", "warning"),
        "ten times the packets of the minute before; a warning only while something is lost", packet_storm,
        {"packets": Limit(10_000, None, "/s"), "factor": Limit(10, 5, "x", "netdata: 50 times from 1 kpps"),
         "losses": Limit(10, 5, "/s", "a warning while more than this is lost"),
         "lost": Limit(0.01, None, "share", "without a baseline: of RX")},
        ("bpftop {iface}, key 4: the flows", "mpstat -P ALL 1 3"),
        explains=("cpu-imbalance", "backlog-overflow", "softirq-squeeze", "rx-ring-overflow", "link-saturated"),
        measures={"packets": all_packets, "tcp": _rate_of(TCP), "udp": _rate_of(UDP), "icmp": _rate_of(ICMP)},
        woken_by=(TRAFFIC,),
    ),
)  # fmt: skip
