"""Rules about TCP: connections that come, connections that break, segments sent again, memory."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.model.sample import BEING_LOADED, DIRECTIONS
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import pct, si
from bpftop.rules.check_factories import (
    Rates,
    Share,
    counter_rates,
    growth_limit,
    lasting,
    rate_over_limit,
    share_over_limit,
)
from bpftop.rules.evidence import compare, per_s, socket
from bpftop.rules.moved_inputs import TRAFFIC
from bpftop.rules.packet_rates import FORWARDED, backlog_dropped, cell_rate, has_most, tcp
from bpftop.rules.rule import Headline, InputUnavailable, Limit, NotEnoughData, Raised, Rule, RuleInput, if_available

_QUEUE_FULL = ("TcpExtTCPReqQFullDoCookies", "TcpExtTCPReqQFullDrop")
_NO_ROUTE_OUT = ("IpOutNoRoutes", "Ip6OutNoRoutes")
_ARRIVED = ("IpInReceives", "Ip6InReceives")


def syn_flood(rule_input: RuleInput) -> Raised | None:
    """Check SYNs of which few become connections, and SYN queues that are full."""
    full, overflows = _queue_full(rule_input), rule_input.count("TcpExtListenOverflows")
    syn = if_available(lambda: cell_rate(rule_input, "tcp_flags", "syn"))
    accepted = rule_input.count("TcpPassiveOpens")
    not_judged = ""
    if syn is not None and syn >= rule_input.limit("syn") and accepted < rule_input.limit("accepted") * syn:
        # A server that does not accept fills its SYN queue, too: the kernel counts an overflow for each SYN that it
        # then drops (tcp_conn_request), and accept-queue-overflow names that server.
        not_judged = _why_not_judged(rule_input, syn, full)
        refused = _resets_sent(rule_input) >= rule_input.limit("refused") * syn  # port-scan names refused SYNs
        if overflows < 0.5 * (syn - accepted) and not refused and not not_judged:
            return _flood(rule_input, syn, accepted, full)
    if full > rule_input.limit("queue_full") and overflows < 0.5 * full and has_most(rule_input, _syns):
        evidence = (
            compare("TCPReqQFull*", full, rule_input.limits["queue_full"]),
            f"SYN {per_s(syn)}" if syn else "no program counts SYNs here",
        )
        why, number = _why_syn(rule_input, syn or 0.0, full), Headline("TCPReqQFull*", "queue_full", _queue_full)
        return Raised("warning", f"SYN queue is full: {per_s(full)}", evidence, why, number)
    if syn is None:
        cell_rate(rule_input, "tcp_flags", "syn")  # raises the reason why SYNs cannot be seen
    if not_judged:
        raise InputUnavailable(not_judged, applies=False)
    return None


def _queue_full(rule_input: RuleInput) -> float:
    return rule_input.counts(*_QUEUE_FULL)


def _flood(rule_input: RuleInput, syn: float, accepted: float, full: float) -> Raised:
    share = pct(accepted / syn)
    evidence = (
        compare("SYN", syn, rule_input.limits["syn"]),
        f"accepted {per_s(accepted)}, {share} of them; a flood below {pct(rule_input.limits['accepted'].raised)}",
        f"SYN queue full {per_s(full)}, cookies {per_s(rule_input.count('TcpExtSyncookiesSent'))}",
    )
    title = f"SYN flood likely: {per_s(syn, 'SYN')}, {share} accepted"
    number = Headline("SYN", "syn", lambda other: cell_rate(other, "tcp_flags", "syn"))
    return Raised("critical", title, evidence, _why_syn(rule_input, syn, full), number)


def _syns(interface: InterfaceSnapshot) -> float:
    return interface.rx.cell_of("tcp_flags", "syn").packets_per_sec or 0.0


def _why_not_judged(rule_input: RuleInput, syn: float, full: float) -> str:
    """Return why the fate of the SYNs is not visible; empty where the SYNs are for this host."""
    if rule_input.counts(*FORWARDED) > 0.5 * syn:
        return "this host forwards: most SYNs are for others, and what becomes of them is not seen"
    if full > rule_input.limit("queue_full"):
        return ""
    dropped = if_available(lambda: backlog_dropped(rule_input)) or 0.0
    if rule_input.counts(*_ARRIVED) + dropped < 0.5 * syn:
        return "most SYNs do not reach this host's stack: bridged, or taken by somebody before it"
    return ""


def _why_syn(rule_input: RuleInput, syn: float, full: float) -> str:
    if full > 0:
        return "more connection requests than the SYN queue of a listening socket holds"
    no_route = rule_input.counts_available(*_NO_ROUTE_OUT)
    if syn and no_route >= 0.5 * syn:
        return f"this host has no route back to most senders: {per_s(no_route)} answers had none (OutNoRoutes)"
    # The kernel counts a reset even where it finds no route for it, and has no counter of that (tcp_v4_send_reset).
    lost = rule_input.counts_available("TcpOutRsts") - _resets_sent(rule_input)
    if syn and lost >= rule_input.limit("refused") * syn:
        return (
            f"nobody listens where most SYNs are sent to: {per_s(lost)} resets (TcpOutRsts) are made and do not leave "
            "by this interface, so that there is no route back to the senders, or another one"
        )
    return ""


def port_scan(rule_input: RuleInput) -> Raised | None:
    """Check connection requests that this host refuses with a reset."""
    syn, resets = cell_rate(rule_input, "tcp_flags", "syn"), _resets_sent(rule_input)
    odd = _odd_segments(rule_input)
    if odd >= rule_input.limit("refused"):
        return _scan_by_odd_flags(rule_input, odd)
    refused = _refused(rule_input)
    if refused < rule_input.limit("refused") or resets < rule_input.limit("share") * syn:
        return None
    accepted = rule_input.count("TcpPassiveOpens")
    return Raised(
        "warning",
        f"Connection attempts refused: {per_s(refused)}, a port scan or a service that is not running",
        (
            compare("SYNs refused", refused, rule_input.limits["refused"]),
            f"SYN {per_s(syn)}, resets sent {per_s(resets)}; limit {pct(rule_input.limits['share'].raised)} of SYN",
            f"accepted {per_s(accepted)}",
        ),
        "no socket listens on the ports that the SYNs are sent to",
        Headline("SYNs refused", "refused", _refused),
    )


def _scan_by_odd_flags(rule_input: RuleInput, odd: float) -> Raised:
    return Raised(
        "warning",
        f"Port scan by TCP segments that no program sends: {per_s(odd)} refused",
        (
            compare("segments with neither SYN nor ACK refused", odd, rule_input.limits["refused"]),
            f"{pct(_odd_share(rule_input))} of the segments to closed ports in a sample; resets sent "
            f"{per_s(_resets_sent(rule_input))}",
        ),
        "somebody looks for open ports past a firewall that stops SYNs (FIN, NULL or Xmas scan)",
        Headline("segments with neither SYN nor ACK refused", "refused", _odd_segments),
    )


def _odd_segments(rule_input: RuleInput) -> float:
    """Return refused segments per second with neither SYN nor ACK, by their share in the last sample."""
    return _odd_share(rule_input) * _resets_sent(rule_input)


def _odd_share(rule_input: RuleInput) -> float:
    reading = rule_input.snapshot.reading("refused_ports")
    rows = [] if reading is None else [(str(key[0]), reading.value(key, "packets") or 0) for key in reading.keys]
    whole = sum(packets for kind, packets in rows if kind.startswith("TCP"))
    return sum(packets for kind, packets in rows if kind == "TCP odd flags") / max(1, whole)


def _refused(rule_input: RuleInput) -> float:
    """Return connection requests per second that this host answers with a reset."""
    return min(cell_rate(rule_input, "tcp_flags", "syn"), _resets_sent(rule_input))


def _resets_sent(rule_input: RuleInput) -> float:
    """Return resets sent by the interface, or by the namespace where no program counts what the interface sends."""
    by_interface = if_available(lambda: cell_rate(rule_input, "tcp_flags", "rst", direction="tx"))
    return rule_input.count("TcpOutRsts") if by_interface is None else by_interface


def _overflow_title(rule_input: RuleInput, rates: Rates) -> str:
    full = _full_sockets(rule_input)
    return f"Accept queue overflows: {per_s(sum(rates.values()))}" + (f" at {full[0][0]}" if full else "")


def _overflow_details(rule_input: RuleInput, rates: Rates) -> Iterable[str]:
    # ListenDrops alone is no sign: the kernel counts a drop for every overflow, and for a full SYN queue as well.
    yield f"ListenDrops {per_s(rule_input.count('TcpExtListenDrops'))}, the overflows among them"
    for name, waiting, room in _full_sockets(rule_input)[:3]:
        yield f"{name}: {waiting} waiting, room for {room}"


def _why_overflow(rule_input: RuleInput, rates: Rates) -> str:
    full = _full_sockets(rule_input)
    return f"{full[0][0]} does not accept as fast as connections come" if full else ""


def _full_sockets(rule_input: RuleInput) -> list[tuple[str, int, int]]:
    """Return (name, connections waiting, room) of each listening socket whose queue is full, longest queue first."""
    reading = rule_input.snapshot.reading("listen_sockets")
    if reading is None:
        return []
    rows = []
    for key in reading.keys:
        waiting, room = reading.value(key, "accept_queue"), reading.value(key, "accept_queue_max")
        if waiting is not None and room is not None and waiting >= room:
            rows.append((socket(key), waiting, room))
    return sorted(rows, key=lambda row: -row[1])


def rst_storm(rule_input: RuleInput) -> Raised | None:
    """Check resets beyond one per opened connection, which is how many programs close."""
    whole, unexplained = tcp(rule_input), unexplained_resets(rule_input)
    limit = growth_limit(rule_input, "resets", "resets", unexplained, whole)
    if limit is None:
        return None
    received, sent = cell_rate(rule_input, "tcp_flags", "rst"), _resets_sent(rule_input)
    if sent > received and BEING_LOADED in (rule_input.snapshot.why_unavailable("refused_ports") or ""):
        raise NotEnoughData("the segments that are answered by resets are being looked at: a scan has another name")
    evidence = [
        compare("resets that no new connection explains", unexplained, rule_input.limits[limit]),
        f"received {per_s(received)}, sent {per_s(sent)}, established connections reset "
        f"{per_s(rule_input.count('TcpEstabResets'))}",
    ]
    base = rule_input.baselines.get("resets")
    if base is not None:
        evidence.append(f"{per_s(base)} in the minute before (netdata tcp_resets: 10 times as many)")
    why = "most are received: peers give up, or somebody sends resets for connections of others"
    if sent > 0.5 * received:
        why = "this host answers segments for which it has no connection or no listener"
    number = Headline("resets that no new connection explains", limit, unexplained_resets)
    return Raised("warning", f"Storm of TCP resets: {per_s(unexplained)}", tuple(evidence), why, number)


def unexplained_resets(rule_input: RuleInput) -> float:
    """Return resets per second beyond one per opened connection.

    A connection counts if this namespace opened it, or if its SYN and SYN+ACK passed the interface (a router).
    """
    handshakes = if_available(lambda: _handshakes(rule_input)) or 0.0
    opened = max(rule_input.counts("TcpPassiveOpens", "TcpActiveOpens"), handshakes)
    return max(0.0, cell_rate(rule_input, "tcp_flags", "rst") + _resets_sent(rule_input) - opened)


def _handshakes(rule_input: RuleInput) -> float:
    """Return SYNs per second in one direction that have a SYN+ACK in the other."""
    syn, syn_ack = (
        [cell_rate(rule_input, "tcp_flags", flag, direction=direction) for direction in DIRECTIONS]
        for flag in ("syn", "syn_ack")
    )
    return min(syn[0], syn_ack[1]) + min(syn[1], syn_ack[0])


def retransmitted(rule_input: RuleInput) -> Share | None:
    """Return the share of data segments sent again; None below the floor.

    Segments with new payload are the whole: a host that only receives sends many segments without payload. Of few
    segments a larger share must be sent again, as behind a slow line that is too full.
    """
    sent, again = rule_input.count("TcpExtTCPOrigDataSent"), rule_input.count("TcpRetransSegs")
    few = sent < rule_input.limit("segments")
    if few and (sent < rule_input.limit("few_segments") or again < rule_input.limit("few_share") * sent):
        return None
    timeouts, syn = rule_input.count("TcpExtTCPTimeouts"), rule_input.count("TcpExtTCPSynRetrans")
    return Share(
        again / sent,
        "RetransSegs / TCPOrigDataSent",
        f"TCP sends {pct(again / sent)} of its segments again",
        (
            f"{per_s(again)} of {per_s(sent)}; looked at from {per_s(rule_input.limits['segments'].raised)}, or from "
            f"{per_s(rule_input.limits['few_segments'].raised)} and {pct(rule_input.limits['few_share'].raised)}",
            f"timeouts {per_s(timeouts)}, SYN again {per_s(syn)}",
        ),
        _why_retransmitted(rule_input, again, syn, timeouts),
        "warning" if few else None,
    )


def _why_retransmitted(rule_input: RuleInput, again: float, syn: float, timeouts: float) -> str:
    if syn > 0.5 * again:
        return "most of them are SYNs that nobody answered"
    if rule_input.count("TcpExtTCPLostRetransmit") > 0.2 * again:
        return "segments that were sent again are lost again: the path is congested, or loses much"
    if timeouts > 0.5 * again:
        return "most are sent when a timer expires: nothing comes back from those peers"
    return "segments are lost on the way, or their acknowledgements are; most are found missing by later ones"


def tcp_memory(rule_input: RuleInput) -> Raised | None:
    """Check the pages and the orphaned connections of TCP against their limits."""
    used = rule_input.level("socket_memory", (), "tcp_memory_pages")
    pressure = rule_input.level("sysctls", ("net.ipv4.tcp_mem.pressure",), "value")
    most = rule_input.level("sysctls", ("net.ipv4.tcp_mem.max",), "value")
    orphans = rule_input.level("socket_memory", (), "tcp_orphans")
    orphans_most = rule_input.level("sysctls", ("net.ipv4.tcp_max_orphans",), "value")
    shares = _memory_shares(rule_input)
    what = max(shares, key=lambda name: shares[name])
    critical = shares[what] > rule_input.limit("critical")
    if not critical and _pressure(rule_input) <= rule_input.limit("pressure"):
        return None
    limits = rule_input.limits["critical"]
    begun = if_available(lambda: rule_input.count("TcpExtTCPMemoryPressures"))
    return Raised(
        "critical" if critical else "warning",
        f"TCP runs out of memory: {pct(shares[what])} of {what}",
        (
            f"{si(used)} pages in use; pressure at {si(pressure)}, at most {si(most)} (tcp_mem)",
            f"orphans {si(orphans)} of at most {si(orphans_most)}",
            f"critical above {pct(limits.raised)} ({limits.source})",
        ),
        f"memory came under pressure {per_s(begun)}" if begun else "",
        Headline(what, "critical", lambda other: _memory_shares(other)[what])
        if critical
        else Headline("tcp_mem pressure", "pressure", _pressure),
    )


def _memory_shares(rule_input: RuleInput) -> dict[str, float]:
    """Return the shares of the limits of TCP's memory and of orphaned connections that are in use."""
    used = rule_input.level("socket_memory", (), "tcp_memory_pages")
    most = rule_input.level("sysctls", ("net.ipv4.tcp_mem.max",), "value")
    orphans = rule_input.level("socket_memory", (), "tcp_orphans")
    orphans_most = rule_input.level("sysctls", ("net.ipv4.tcp_max_orphans",), "value")
    return {"tcp_mem": used / max(1, most), "tcp_max_orphans": orphans / max(1, orphans_most)}


def _pressure(rule_input: RuleInput) -> float:
    """Return the pages of TCP in relation to the level from which it saves memory."""
    pressure = rule_input.level("sysctls", ("net.ipv4.tcp_mem.pressure",), "value")
    return rule_input.level("socket_memory", (), "tcp_memory_pages") / max(1, pressure)


RULES = (
    Rule(
        "syn-flood", "tcp", "interface", ("tcp_flags", "netstat", "snmp"), ("warning", "critical"),
        "SYN queues that are full, or SYNs of which few become connections", syn_flood,
        {"queue_full": Limit(1, None, "/s", "netdata tcp_listen"),
         "syn": Limit(1_000, None, "/s", "without a full queue, fewer SYNs are no flood"),
         "accepted": Limit(0.2, 0.3, "share", "a server under load accepts nearly all"),
         "refused": Limit(0.5, 0.6, "share", "with more SYNs refused it is a port-scan")},
        ("nstat -az TcpExtTCPReqQFullDoCookies TcpExtTCPReqQFullDrop TcpExtSyncookiesSent", "ss -ltn",
         "ss -tn state syn-recv | tail -n +2 | wc -l"),
        explains=("packet-storm", "cpu-imbalance", "backlog-overflow", "accept-queue-overflow", "softirq-squeeze",
                  "rst-storm", "tcp-retransmits", "conntrack-full", "rx-ring-overflow", "link-saturated",
                  "firewall-drops", "tcp-memory", "tx-drops", "no-route-out", "conntrack-invalid"),
        woken_by=(TRAFFIC, *_QUEUE_FULL),
    ),
    Rule(
        "port-scan", "tcp", "interface", ("tcp_flags", "snmp", "refused_ports"), ("warning",),
        "connection requests to ports where nobody listens, and segments with neither SYN nor ACK", port_scan,
        {"refused": Limit(50, None, "/s", "a client of a service that is down asks less often"),
         "share": Limit(0.5, 0.4, "share")},
        ("ss -ltn", "tcpdump -nc 20 -i {iface} 'tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn'",
         "nstat -az TcpOutRsts TcpPassiveOpens"),
        explains=("rst-storm", "packet-storm", "cpu-imbalance", "backlog-overflow", "softirq-squeeze", "conntrack-full",
                  "firewall-drops", "conntrack-invalid"),
        woken_by=(TRAFFIC,),  # an interface whose sent frames are not counted never rests
    ),
    Rule(
        "accept-queue-overflow", "tcp", "netns", ("netstat",), ("warning", "critical"),
        "connections that found the accept queue of their socket full",
        lasting("overflows", rate_over_limit(
            counter_rates("TcpExtListenOverflows"), counters="ListenOverflows",
            title=_overflow_title, details=_overflow_details, why=_why_overflow)),
        {"warning": Limit(1, None, "/s", "netdata tcp_listen; pcp"), "critical": Limit(5, None, "/s", "netdata")},
        ("ss -ltnp", "nstat -az TcpExtListenOverflows TcpExtListenDrops", "sysctl net.core.somaxconn"),
        explains=("tcp-retransmits",),
        measures={"overflows": lambda rule_input: rule_input.count("TcpExtListenOverflows")},
        woken_by=("TcpExtListenOverflows",),
    ),
    Rule(
        "rst-storm", "tcp", "interface", ("tcp_flags", "snmp"), ("warning",),
        "resets, more than connections were opened, against the minute before or a fifth of TCP", rst_storm,
        {"resets": Limit(100, None, "/s"), "factor": Limit(10, 5, "x", "netdata tcp_resets"),
         "absolute": Limit(100, None, "/s", "without a baseline: as a share of TCP"),
         "share": Limit(0.2, 0.15, "share")},
        ("nstat -az TcpOutRsts TcpEstabResets TcpAttemptFails", "ss -s"),
        explains=("packet-storm", "cpu-imbalance", "backlog-overflow", "softirq-squeeze", "conntrack-invalid"),
        measures={"resets": unexplained_resets},
        woken_by=(TRAFFIC,),  # as above
    ),
    Rule(
        "tcp-retransmits", "tcp", "netns", ("snmp", "netstat"), ("warning", "critical"),
        "segments sent again, of those with new payload", lasting("again", share_over_limit(retransmitted)),
        {"warning": Limit(0.02, 0.01, "share", "healthy bulk TCP stays below 0.5 %"),
         "critical": Limit(0.05, 0.03, "share"), "segments": Limit(1_000, 500, "/s", "a floor"),
         "few_segments": Limit(200, 100, "/s"), "few_share": Limit(0.1, 0.05, "share", "of few segments")},
        ("ss -ti", "nstat -az TcpRetransSegs TcpExtTCPLostRetransmit TcpExtTCPTimeouts", "tc -s qdisc"),
        measures={"again": lambda rule_input: rule_input.count("TcpRetransSegs")},
        woken_by=("TcpRetransSegs",),
    ),
    Rule(
        "tcp-memory", "tcp", "host", ("socket_memory", "sysctls"), ("warning", "critical"),
        "pages and orphans of TCP against their limits", tcp_memory,
        {"pressure": Limit(1.0, 0.9, "share"), "critical": Limit(0.9, 0.85, "share", "netdata tcp_mem")},
        ("cat /proc/net/sockstat", "sysctl net.ipv4.tcp_mem net.ipv4.tcp_max_orphans", "ss -tm"),
        woken_by=("socket_memory", "sysctls"),
    ),
)  # fmt: skip
