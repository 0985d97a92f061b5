"""Rules about TCP: connections that come, connections that break, segments sent again, memory."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.model.sample import DIRECTIONS
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import pct, si
from bpftop.rules.counted import leads, part_rate, tcp
from bpftop.rules.evidence import against, per_s, socket
from bpftop.rules.link import backlog_dropped, level
from bpftop.rules.rule import InputUnavailable, Limit, Raised, Rule, RuleInput, tried

_FULL = ("TcpExtTCPReqQFullDoCookies", "TcpExtTCPReqQFullDrop")
_FORWARDED = ("IpForwDatagrams", "Ip6OutForwDatagrams")
_ARRIVED = ("IpInReceives", "Ip6InReceives")


def syn_flood(seen: RuleInput) -> Raised | None:
    full, overflows = seen.counts(*_FULL), seen.count("TcpExtListenOverflows")
    syn = tried(lambda: part_rate(seen, "tcp_flags", "syn"))
    accepted = seen.count("TcpPassiveOpens")
    share = accepted / syn if syn else 1.0
    flood = syn is not None and syn >= seen.limit("syn") and share < seen.limit("accepted")
    # A server that does not accept fills its SYN queue, too: the kernel counts an overflow for each SYN it then drops
    # (tcp_conn_request), and accept-queue-overflow says so.
    others = _for_others(seen, syn, full) if flood and syn is not None else ""
    if flood and syn is not None and overflows < 0.5 * (syn - accepted) and not others:
        evidence = (
            against("SYN", syn, seen.limits["syn"]),
            f"accepted {per_s(accepted)}, {pct(share)} of them; a flood below {pct(seen.limits['accepted'].raised)}",
            f"SYN queue full {per_s(full)}, cookies {per_s(seen.count('TcpExtSyncookiesSent'))}",
        )
        title = f"SYN flood likely: {per_s(syn, 'SYN')}, {pct(share)} accepted"
        return Raised("critical", title, evidence, _why_syn(seen, syn, full))
    if full > seen.limit("queue_full") and overflows < 0.5 * full and leads(seen, _syns):
        said = (against("TCPReqQFull*", full, seen.limits["queue_full"]), f"SYN {per_s(syn)}" if syn else "SYNs unseen")
        return Raised("warning", f"SYN queue is full: {per_s(full)}", said, _why_syn(seen, syn or 0.0, full))
    if syn is None:
        part_rate(seen, "tcp_flags", "syn")  # blind for the larger part
    if others:
        raise InputUnavailable(others)
    return None


def _syns(watched: InterfaceSnapshot) -> float:
    return watched.rx.cell_of("tcp_flags", "syn").packets_per_sec or 0.0


def _for_others(seen: RuleInput, syn: float, full: float) -> str:
    """Why it cannot be said what becomes of the SYNs; empty where they are for this host."""
    if seen.counts(*_FORWARDED) > 0.5 * syn:
        return "this host forwards: most SYNs are for others, and what becomes of them is not seen"
    if full > seen.limit("queue_full"):
        return ""
    if seen.counts(*_ARRIVED) + (tried(lambda: backlog_dropped(seen)) or 0.0) < 0.5 * syn:
        return "most SYNs do not reach this host's stack: bridged, or taken by somebody before it"
    return ""


def _why_syn(seen: RuleInput, syn: float, full: float) -> str:
    if full > 0:
        return "more connection requests than the SYN queue of a listening socket holds"
    if syn and _resets_sent(seen) >= 0.5 * syn:
        return "most go to ports where nobody listens: a scan, or a service that is not running"
    return ""


def _resets_sent(seen: RuleInput) -> float:
    """By this interface; by the namespace, where nobody counts what the interface sends."""
    own = tried(lambda: part_rate(seen, "tcp_flags", "rst", direction="tx"))
    return seen.count("TcpOutRsts") if own is None else own


def accept_queue_overflow(seen: RuleInput) -> Raised | None:
    """ListenDrops has more in it: the kernel counts it for every overflow, and for a full SYN queue as well."""
    overflows, drops = seen.count("TcpExtListenOverflows"), seen.count("TcpExtListenDrops")
    if overflows <= seen.limit("warning"):
        return None
    severity: Severity = "critical" if overflows > seen.limit("critical") else "warning"
    full = _fullest(seen)
    return Raised(
        severity,
        f"Accept queue overflows: {per_s(overflows)}" + (f" at {full[0][0]}" if full else ""),
        (
            against("ListenOverflows", overflows, seen.limits[severity]),
            f"ListenDrops {per_s(drops)}, those among them",
            *(f"{name}: {waiting} waiting, room for {room}" for name, waiting, room in full[:3]),
        ),
        f"{full[0][0]} does not accept as fast as connections come" if full else "",
    )


def _fullest(seen: RuleInput) -> list[tuple[str, int, int]]:
    """Listening sockets whose queue is full, the longest first: name, what waits, and how much may."""
    signal = seen.view.reading("listen_sockets")
    rows = []
    for key in signal.keys if signal else ():
        assert signal is not None
        waiting, room = signal.value(key, "accept_queue"), signal.value(key, "accept_queue_max")
        if waiting is not None and room is not None and waiting >= room:
            rows.append((socket(key), waiting, room))
    return sorted(rows, key=lambda row: -row[1])


def rst_storm(seen: RuleInput) -> Raised | None:
    """Resets that no connection explains: one for each connection that was opened is how many programs close."""
    whole, unexplained = tcp(seen), unexplained_resets(seen)
    base = seen.baselines.get("resets")
    grown = base is not None and unexplained >= seen.limit("resets") and unexplained > seen.limit("factor") * base
    plain = unexplained >= seen.limit("absolute") and unexplained >= seen.limit("share") * max(whole, 1.0)
    if not grown and not plain:
        return None
    received, sent = part_rate(seen, "tcp_flags", "rst"), _resets_sent(seen)
    evidence = [
        against("resets that no new connection explains", unexplained, seen.limits["resets" if grown else "absolute"]),
        f"received {per_s(received)}, sent {per_s(sent)}, established connections reset "
        f"{per_s(seen.count('TcpEstabResets'))}",
    ]
    if base is not None:
        evidence.append(f"{per_s(base)} in the minute before (netdata tcp_resets: 10 times as many)")
    why = "most are received: peers give up, or somebody sends resets for connections that are not his"
    if sent > 0.5 * received:
        why = "this host answers segments for which it has no connection or no listener"
    return Raised("warning", f"Storm of TCP resets: {per_s(unexplained)}", tuple(evidence), why)


def unexplained_resets(seen: RuleInput) -> float:
    """Beyond one for each connection: those that this namespace opened, or whose SYN and SYN+ACK passed the interface,
    as on a host that forwards."""
    opened = max(seen.counts("TcpPassiveOpens", "TcpActiveOpens"), tried(lambda: _handshakes(seen)) or 0.0)
    return max(0.0, part_rate(seen, "tcp_flags", "rst") + _resets_sent(seen) - opened)


def _handshakes(seen: RuleInput) -> float:
    """SYNs one way with a SYN+ACK the other way."""
    syn, syn_ack = (
        [part_rate(seen, "tcp_flags", flag, direction=direction) for direction in DIRECTIONS]
        for flag in ("syn", "syn_ack")
    )
    return min(syn[0], syn_ack[1]) + min(syn[1], syn_ack[0])


def tcp_retransmits(seen: RuleInput) -> Raised | None:
    sent, again = seen.count("TcpExtTCPOrigDataSent"), seen.count("TcpRetransSegs")
    if sent < seen.limit("segments"):  # of new payload: a host that receives sends many segments without any
        return None
    part = again / sent
    severity = level(seen, part)
    if severity is None:
        return None
    syn = seen.count("TcpExtTCPSynRetrans")
    why = _why_again(seen, again, syn)
    return Raised(
        severity,
        f"TCP sends {pct(part)} of its segments again",
        (
            against("RetransSegs / TCPOrigDataSent", part, seen.limits[severity]),
            f"{per_s(again)} of {per_s(sent)}; looked at from {si(seen.limits['segments'].raised)} data segments/s",
            f"timeouts {per_s(seen.count('TcpExtTCPTimeouts'))}, SYN again {per_s(syn)}",
        ),
        why,
    )


def _why_again(seen: RuleInput, again: float, syn: float) -> str:
    if syn > 0.5 * again:
        return "most of them are SYNs that nobody answered"
    if seen.count("TcpExtTCPLostRetransmit") > 0.2 * again:
        return "segments that were sent again are lost again: the path is congested, or loses much"
    if seen.count("TcpExtTCPTimeouts") > 0.5 * again:
        return "most are sent when a timer expires: nothing comes back from those peers"
    return "segments are lost on the way, or their acknowledgements are; most are found missing by later ones"


def tcp_memory(seen: RuleInput) -> Raised | None:
    used = seen.level("socket_memory", (), "tcp_memory_pages")
    pressure = seen.level("sysctls", ("net.ipv4.tcp_mem.pressure",), "value")
    most = seen.level("sysctls", ("net.ipv4.tcp_mem.max",), "value")
    orphans = seen.level("socket_memory", (), "tcp_orphans")
    orphans_most = seen.level("sysctls", ("net.ipv4.tcp_max_orphans",), "value")
    parts = {"TCP memory": used / max(1, most), "orphans": orphans / max(1, orphans_most)}
    what = max(parts, key=lambda name: parts[name])
    critical = parts[what] > seen.limit("critical")
    pressed = used > pressure * (seen.limit("pressure"))
    if not critical and not pressed:
        return None
    limits = seen.limits["critical"]
    begun = tried(lambda: seen.count("TcpExtTCPMemoryPressures"))
    return Raised(
        "critical" if critical else "warning",
        f"TCP runs out of memory: {pct(parts[what])} of {'tcp_max_orphans' if what == 'orphans' else 'tcp_mem'}",
        (
            f"{si(used)} pages in use; pressure at {si(pressure)}, at most {si(most)} (tcp_mem)",
            f"orphans {si(orphans)} of at most {si(orphans_most)}",
            f"critical above {pct(limits.raised)} ({limits.source})",
        ),
        f"memory came under pressure {per_s(begun)}" if begun else "",
    )


RULES = (
    Rule(
        "syn-flood", "tcp", "interface", ("tcp_flags", "netstat", "snmp"), ("warning", "critical"),
        "SYN queues that are full, or SYNs of which few become connections", syn_flood,
        {"queue_full": Limit(1, None, "/s", "netdata tcp_listen"),
         "syn": Limit(1_000, None, "/s", "below this rate a full queue speaks for itself"),
         "accepted": Limit(0.2, 0.3, "share", "a server under load accepts nearly all")},
        ("nstat -az TcpExtTCPReqQFullDoCookies TcpExtTCPReqQFullDrop TcpExtSyncookiesSent", "ss -ltn",
         "ss -tn state syn-recv | tail -n +2 | wc -l"),
        explains=("packet-storm", "cpu-imbalance", "backlog-overflow", "accept-queue-overflow", "softirq-squeeze",
                  "rst-storm", "tcp-retransmits", "conntrack-full", "rx-ring-overflow", "link-saturated",
                  "firewall-drops", "tcp-memory", "tx-drops"),
    ),
    Rule(
        "accept-queue-overflow", "tcp", "netns", ("netstat",), ("warning", "critical"),
        "connections that found the accept queue of their socket full", accept_queue_overflow,
        {"warning": Limit(1, None, "/s", "netdata tcp_listen; pcp"), "critical": Limit(5, None, "/s", "netdata")},
        ("ss -ltnp", "nstat -az TcpExtListenOverflows TcpExtListenDrops", "sysctl net.core.somaxconn"),
        explains=("tcp-retransmits",),
    ),
    Rule(
        "rst-storm", "tcp", "interface", ("tcp_flags", "snmp"), ("warning",),
        "resets, more than connections were opened, against the minute before or a fifth of TCP", rst_storm,
        {"resets": Limit(100, None, "/s"), "factor": Limit(10, 5, "x", "netdata tcp_resets"),
         "absolute": Limit(1_000, None, "/s"), "share": Limit(0.2, 0.15, "share")},
        ("nstat -az TcpOutRsts TcpEstabResets TcpAttemptFails", "ss -s"),
        explains=("packet-storm", "cpu-imbalance", "backlog-overflow", "softirq-squeeze"),
        measures={"resets": unexplained_resets},
    ),
    Rule(
        "tcp-retransmits", "tcp", "netns", ("snmp", "netstat"), ("warning", "critical"),
        "segments sent again, of those with new payload", tcp_retransmits,
        {"warning": Limit(0.02, 0.01, "share", "healthy bulk TCP stays below 0.5 %"),
         "critical": Limit(0.05, 0.03, "share"), "segments": Limit(1_000, 500, "/s", "a floor")},
        ("ss -ti", "nstat -az TcpRetransSegs TcpExtTCPLostRetransmit TcpExtTCPTimeouts", "tc -s qdisc"),
    ),
    Rule(
        "tcp-memory", "tcp", "host", ("socket_memory", "sysctls"), ("warning", "critical"),
        "pages and orphans of TCP against their limits", tcp_memory,
        {"pressure": Limit(1.0, 0.9, "share"), "critical": Limit(0.9, 0.85, "share", "netdata tcp_mem")},
        ("cat /proc/net/sockstat", "sysctl net.ipv4.tcp_mem net.ipv4.tcp_max_orphans", "ss -tm"),
    ),
)  # fmt: skip
