"""Rules about the way that packets take: no route, a route in a circle, and links that are too narrow for them."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.model.sample import BEING_LOADED, Key
from bpftop.model.units import pct, si
from bpftop.rules.check_factories import Rates, lasting, rate_over_limit
from bpftop.rules.evidence import compare, per_s, socket
from bpftop.rules.packet_rates import FORWARDED
from bpftop.rules.rule import Headline, InputUnavailable, Limit, Raised, Rule, RuleInput, rates_above_zero

_IPV4, _IPV6 = "IpOutNoRoutes", "Ip6OutNoRoutes"
_OUT_NO_ROUTES, _REFUSED_BY_ROUTE = "OutNoRoutes", "packets refused by a route"
_REFUSING = "a blackhole, unreachable or prohibit route for a destination in use"


def no_route_out(rule_input: RuleInput) -> Raised | None:
    """Check packets of this host that have no route, or a route that refuses them.

    A host without IPv6 addresses counts every attempt of a program to reach an IPv6 address (ip6_dst_lookup_tail), and
    the programs then use IPv4: an IPv6 rate alone is a warning only on a host that also sends IPv6 packets.
    """
    no_route, no_route_ipv6 = rule_input.count(_IPV4), rule_input.counts(_IPV6)
    rejected, rejected_ipv6 = _rejected(rule_input, "4"), _rejected(rule_input, "6")
    ipv4, ipv6 = no_route + rejected, no_route_ipv6 + rejected_ipv6
    if ipv4 + ipv6 < rule_input.limit("packets"):
        _require_rejected(rule_input)
        return _forwarded_in_vain(rule_input)
    counters = [name for name, rate in ((_OUT_NO_ROUTES, no_route + no_route_ipv6),
                                        (_REFUSED_BY_ROUTE, rejected + rejected_ipv6)) if rate]  # fmt: skip
    limit = compare(" and ".join(counters), ipv4 + ipv6, rule_input.limits["packets"])
    sampled = _destinations(rule_input, "no route")
    evidence = (limit, f"IPv4 {per_s(ipv4)}, IPv6 {per_s(ipv6)}", *_sampled(sampled))
    refused = rejected + rejected_ipv6 > no_route + no_route_ipv6
    trouble = "A route refuses packets" if refused else "No route"
    if ipv4 < rule_input.limit("packets") and rule_input.counts("Ip6OutRequests") < rule_input.limit("packets"):
        fault = _REFUSING if refused else "this host has no IPv6 route"
        why = f"{fault}; programs that try IPv6 first use IPv4"
        return Raised("info", f"{trouble} to IPv6 destinations: {per_s(ipv6)}", evidence, why, _NOT_SENT)
    return Raised(
        "warning",
        f"{trouble} to {sampled[0][0] if sampled else 'the destination'}: {per_s(ipv4 + ipv6)} packets not sent",
        evidence,
        _REFUSING if refused else f"a missing default route, or {_REFUSING}",
        _NOT_SENT,
    )


def _forwarded_in_vain(rule_input: RuleInput) -> Raised | None:
    """Check packets of other hosts that a route refuses. Such a route of a router may be there on purpose."""
    rate = _rejected(rule_input, "4", "6", origin="forwarded")
    if rate < rule_input.limit("packets"):
        return None
    return Raised(
        "info",
        f"A route refuses packets that are to be forwarded: {per_s(rate)}",
        (compare(_REFUSED_BY_ROUTE, rate, rule_input.limits["packets"]),),
        "a blackhole or prohibit route for their destination: a filter, or the rest of a network that has moved",
        _NOT_FORWARDED,
    )


def _rejected(rule_input: RuleInput, *versions: str, origin: str = "sent") -> float:
    """Return packets per second that a route refused; 0 where they are not read."""
    rates = rates_above_zero(rule_input.snapshot, "rejected_sends", "packets")
    return sum(rate for key, rate in rates if key[0] in versions and key[1] == origin)


def _require_rejected(rule_input: RuleInput) -> None:
    """Raise InputUnavailable where there is a route that refuses packets, and its packets cannot be counted."""
    reason = rule_input.snapshot.why_unavailable("rejected_sends")
    if reason and BEING_LOADED not in reason:
        raise InputUnavailable(reason)


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


_NOT_SENT = Headline(
    "packets not sent", "packets", lambda rule_input: rule_input.counts(_IPV4, _IPV6) + _rejected(rule_input, "4", "6")
)


_NOT_FORWARDED = Headline(
    "packets not forwarded", "packets", lambda rule_input: _rejected(rule_input, "4", "6", origin="forwarded")
)


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


_TOO_LARGE = ("IpFragFails", "Ip6FragFails")

SMALLEST_SEGMENT_BYTES = 600
"""Every path takes segments up to 536 bytes (RFC 9293)."""

SENT_AGAIN = 3
"""Timeouts after which losses by chance are unlikely; some 1.4 s after the segment on a path of some ms."""

ANSWERED_WITHIN_MS = 2_000
"""The peer acknowledged something so shortly before the segment that is never acknowledged."""


def mtu_black_hole(rule_input: RuleInput) -> Raised | None:
    """Check connections whose full-sized segments never arrive, and forwarded packets that are too large."""
    forwarded = lasting("too_large", _of_forwarded_packets)(rule_input)
    if forwarded is not None:
        return forwarded
    stuck = _stuck_sockets(rule_input)
    if len(stuck) < rule_input.limit("sockets") or _drops_before_the_path(rule_input):
        return None
    return _of_own_connections(rule_input, stuck)


def _drops_before_the_path(rule_input: RuleInput) -> bool:
    """Return True if a queue of a watched interface drops on the way out: a small queue drops large packets first."""
    snapshot = rule_input.snapshot
    return any(rates_above_zero(snapshot, "qdiscs", "drops", each.label) for each in snapshot.interfaces)


def _of_own_connections(rule_input: RuleInput, stuck: list[Key]) -> Raised:
    reading = rule_input.reading("timed_out_sockets")
    first = stuck[0]
    segment = reading.value(first, "segment_bytes")
    by = f" by {first[4]}" if first[4] else ""
    return Raised(
        "warning",
        f"MTU black hole likely: segments of {segment} B to {_peer(first)} never arrive",
        (
            compare("connections that stand still", len(stuck), rule_input.limits["sockets"]),
            f"{_peer(first)}{by}: the same segment sent {reading.value(first, 'retransmits')} times again after small "
            "ones were acknowledged",
            f"assumed for this path: MTU {reading.value(first, 'path_mtu')}, MSS {segment}",
        ),
        "a link on the way has a smaller MTU, and its ICMP message (fragmentation needed) does not come back",
        Headline("connections that stand still", "sockets", lambda other: len(_stuck_sockets(other))),
    )


def _stuck_sockets(rule_input: RuleInput) -> list[Key]:
    """Return the sockets with a full-sized segment that is never acknowledged though small ones were.

    Not where another connection to the peer has carried full-sized segments: then the path loses much, or the peer is
    down. Nor where a small segment has no answer either.
    """
    reading = rule_input.reading("timed_out_sockets")
    stuck, silent = [], set()
    for key in reading.keys:
        again, segment, queued, acked, timer_ms, since_ack_ms = (
            reading.value(key, column) or 0
            for column in ("retransmits", "segment_bytes", "queued_bytes", "peer_acked_bytes", "timer_ms",
                           "since_ack_ms")
        )  # fmt: skip
        if queued < segment:
            silent.add(key[1])
        # The timer doubles each time, so the segment is less than two of its last periods old.
        elif again >= SENT_AGAIN and acked < segment and since_ack_ms <= 2 * timer_ms + ANSWERED_WITHIN_MS:
            stuck.append(key)
    return [
        key
        for key in stuck
        if key[1] not in silent and (reading.value(key, "segment_bytes") or 0) > SMALLEST_SEGMENT_BYTES
    ]


def _of_forwarded_packets(rule_input: RuleInput) -> Raised | None:
    """Check forwarded packets that are too large: a sender that is told so sends smaller ones from then on."""
    failed, forwarded = rule_input.counts(*_TOO_LARGE), rule_input.counts(*FORWARDED)
    share = failed / max(1.0, failed + forwarded)
    if failed < rule_input.limit("packets") or share < rule_input.limit("share"):
        return None
    return Raised(
        "warning",
        f"Packets too large for the next link: {per_s(failed)}, and their senders do not send smaller ones",
        (
            compare("FragFails", failed, rule_input.limits["packets"]),
            f"forwarded {per_s(forwarded)}; too large are {pct(share)}; limit {pct(rule_input.limits['share'].raised)}",
        ),
        "ICMP messages (fragmentation needed) of this host do not reach the senders: a filter here or on the way",
        Headline("FragFails", "packets", lambda other: other.counts(*_TOO_LARGE)),
    )


def _peer(key: Key) -> str:
    return socket((*key[:4], ""))


RULES = (
    Rule(
        "no-route-out", "stack", "netns", ("snmp", "snmp6", "rejected_sends"), ("info", "warning"),
        "packets of this host that have no route to their destination, or a route that refuses them", no_route_out,
        {"packets": Limit(1, None, "/s", "a healthy host has none")},
        ("ip route", "ip -6 route", "ip route show type blackhole", "ip route show type unreachable",
         "nstat -az IpOutNoRoutes Ip6OutNoRoutes"),
        explains=("tcp-retransmits", "connect-unanswered"),
        woken_by=(_IPV4, _IPV6, "rejected_sends"),
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
        woken_by=("IpInHdrErrors", "Ip6InHdrErrors"),
    ),
    Rule(
        "mtu-black-hole", "tcp", "netns", ("timed_out_sockets", "snmp", "snmp6"), ("warning",),
        "full-sized segments that never arrive while small ones do, and forwarded packets that stay too large",
        mtu_black_hole,
        {"sockets": Limit(1, 1, "connections"),
         "packets": Limit(1, None, "/s"),
         "share": Limit(0.05, 0.03, "share", "path MTU discovery costs a new connection one packet of many")},
        ("ss -tnoi state established", "tracepath -n ADDRESS", "ip route get ADDRESS",
         "nstat -az IpFragFails Ip6FragFails TcpExtTCPTimeouts"),
        explains=("tcp-retransmits", "zero-window"),
        measures={"too_large": lambda rule_input: rule_input.counts(*_TOO_LARGE)},
        woken_by=("timed_out_sockets", "qdiscs.drops", *_TOO_LARGE),
    ),
)  # fmt: skip
