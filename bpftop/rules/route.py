"""Rules about the way that packets take: no route to their destination, or a route that leads in a circle."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.model.units import pct, si
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.rule import Headline, Limit, Raised, Rule, RuleInput
from bpftop.rules.shapes import Rates, rate_over_limit

_IPV4, _IPV6 = "IpOutNoRoutes", "Ip6OutNoRoutes"


def no_route_out(rule_input: RuleInput) -> Raised | None:
    """Check packets of this host that have no route.

    A host without IPv6 addresses counts every attempt of a program to reach an IPv6 address (ip6_dst_lookup_tail), and
    the programs then use IPv4: an IPv6 rate alone is a warning only on a host that also sends IPv6 packets.
    """
    ipv4, ipv6 = rule_input.count(_IPV4), rule_input.counts(_IPV6)
    if ipv4 + ipv6 < rule_input.limit("packets"):
        return None
    limit = compare("OutNoRoutes", ipv4 + ipv6, rule_input.limits["packets"])
    sampled = _destinations(rule_input, "no route")
    evidence = (limit, f"IPv4 {per_s(ipv4)}, IPv6 {per_s(ipv6)}", *_sampled(sampled))
    if ipv4 < rule_input.limit("packets") and rule_input.counts("Ip6OutRequests") < rule_input.limit("packets"):
        title = f"No route to IPv6 destinations: {per_s(ipv6)}"
        why = "this host has no IPv6 route; programs that try IPv6 first use IPv4"
        return Raised("info", title, evidence, why, _NOT_SENT)
    return Raised(
        "warning",
        f"No route to {sampled[0][0] if sampled else 'the destination'}: {per_s(ipv4 + ipv6)} packets not sent",
        evidence,
        "a missing default route, or a blackhole, unreachable or prohibit route for a destination in use",
        _NOT_SENT,
    )


def _destinations(rule_input: RuleInput, trouble: str) -> list[tuple[str, str, int]]:
    """Return (address, process, packets) of the last sample, most packets first."""
    reading = rule_input.snapshot.reading("destinations")
    keys = () if reading is None else reading.keys
    rows = [
        (str(key[1]), str(key[2]), (reading.value(key, "packets") or 0) if reading is not None else 0)
        for key in keys
        if key[0] == trouble
    ]
    return sorted(rows, key=lambda row: -row[2])


def _sampled(rows: list[tuple[str, str, int]]) -> Iterable[str]:
    """Return one sentence of evidence with the destinations of most packets; none without a sample."""
    whole = sum(packets for _, _, packets in rows)
    if whole:
        named = (
            f"{address}{f' by {process}' if process else ''} {pct(count / whole)}" for address, process, count in rows
        )
        yield f"destinations in a sample of {si(whole)} packets: {', '.join(list(named)[:3])}"


_NOT_SENT = Headline("OutNoRoutes", "packets", lambda rule_input: rule_input.counts(_IPV4, _IPV6))


def _expired(rule_input: RuleInput) -> Rates:
    """Return forwarded packets per second whose TTL or hop limit ended here.

    ip_forward and ip6_forward count each in InHdrErrors, among bad checksums and lengths. OutTimeExcds is no measure:
    the kernel answers each sender once a second (net.ipv4.icmp_ratelimit).
    """
    errors = rule_input.counts("IpInHdrErrors", "Ip6InHdrErrors")
    if not errors or not rule_input.counts("IpForwDatagrams", "Ip6OutForwDatagrams"):
        return {"InHdrErrors": 0.0}
    bad = rule_input.counts("IpExtInCsumErrors", "IpExtInTruncatedPkts", "Ip6InTruncatedPkts")
    return {"InHdrErrors": max(0.0, errors - bad)}


def _expired_details(rule_input: RuleInput, rates: Rates) -> Iterable[str]:
    forwarded = rule_input.counts_available("IpForwDatagrams", "Ip6OutForwDatagrams")
    yield from _sampled(_destinations(rule_input, "TTL ends"))
    yield f"forwarded {per_s(forwarded)}: a packet in a circle is forwarded until its TTL ends"
    dropped = rule_input.drops_by_interface(("IP_INHDR",))
    if dropped:
        yield f"dropped by interface: {', '.join(f'{name} {per_s(rate)}' for name, rate in dropped.items())}"


RULES = (
    Rule(
        "no-route-out", "stack", "netns", ("snmp", "snmp6"), ("info", "warning"),
        "packets of this host that have no route to their destination", no_route_out,
        {"packets": Limit(1, None, "/s", "a healthy host has none")},
        ("ip route", "ip -6 route", "ip route show type blackhole", "ip route show type unreachable",
         "nstat -az IpOutNoRoutes Ip6OutNoRoutes"),
        explains=("tcp-retransmits", "connect-unanswered"),
    ),
    Rule(
        "routing-loop", "stack", "netns", ("snmp", "snmp6", "netstat"), ("warning",),
        "packets that this host forwards and whose TTL ends here",
        rate_over_limit(
            _expired, counters="InHdrErrors by an expired TTL", at_limit=True,
            title="Routing loop likely: the TTL of {rate} forwarded packets ends here", details=_expired_details,
            why="the next hop sends packets back to this host, which has its route to that next hop"),
        {"warning": Limit(10, None, "/s", "traceroute and mtr stay below this rate")},
        ("ip route", "ip -s link", "tcpdump -nvc 20 -i any 'ip[8] <= 2'",
         "nstat -az IpInHdrErrors IpForwDatagrams"),
        explains=("packet-storm", "icmp-flood", "cpu-imbalance", "link-saturated", "tcp-retransmits"),
    ),
)  # fmt: skip
