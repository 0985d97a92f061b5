"""Rules about TCP: connections that come, connections that break, segments sent again, memory."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.model.rules.counted import part_rate, tcp
from bpftop.model.rules.link import level
from bpftop.model.rules.rule import Blind, Limit, Raised, Rule, Seen
from bpftop.model.rules.say import against, per_s, socket
from bpftop.model.units import pct, si

_FULL = ("TcpExtTCPReqQFullDoCookies", "TcpExtTCPReqQFullDrop")
_FORWARDED = ("IpForwDatagrams", "Ip6OutForwDatagrams")
_OVERFLOWS = ("TcpExtListenOverflows", "TcpExtListenDrops")


def syn_flood(seen: Seen) -> Raised | None:
    full = seen.counts(*_FULL)
    syn = part_rate(seen, "tcp_flags", "syn")
    accepted = seen.count("TcpPassiveOpens")
    enough = syn >= seen.limit("syn")
    share = accepted / syn if syn else 1.0
    if enough and share < seen.limit("accepted"):
        if seen.counts(*_FORWARDED) > 0.5 * syn:
            raise Blind("this host forwards: most SYNs are for others, and what becomes of them is not seen")
        evidence = (
            against("SYN", syn, seen.limits["syn"]),
            f"accepted {per_s(accepted)}, {pct(share)} of them; a flood below {pct(seen.limits['accepted'].raised)}",
            f"SYN queue full {per_s(full)}, cookies {per_s(seen.count('TcpExtSyncookiesSent'))}",
        )
        title = f"SYN flood likely: {per_s(syn, 'SYN')}, {pct(share)} accepted"
        return Raised("critical", title, evidence, _why_syn(full))
    if full > seen.limit("queue_full"):
        said = (against("TCPReqQFull*", full, seen.limits["queue_full"]), f"SYN {per_s(syn)}")
        return Raised("warning", f"SYN queue is full: {per_s(full)}", said, _why_syn(full))
    return None


def _why_syn(full: float) -> str:
    return "more connection requests than the SYN queue of a listening socket holds" if full > 0 else ""


def accept_queue_overflow(seen: Seen) -> Raised | None:
    lost = max(seen.count(name) for name in _OVERFLOWS)
    overflows = seen.count("TcpExtListenOverflows")
    if overflows <= 0 or lost <= seen.limit("warning"):  # drops without overflows are those of a full SYN queue
        return None
    severity: Severity = "critical" if lost > seen.limit("critical") else "warning"
    full = _fullest(seen)
    return Raised(
        severity,
        f"Accept queue overflows: {per_s(overflows)}" + (f" at {full[0]}" if full else ""),
        (
            against("ListenOverflows or ListenDrops", lost, seen.limits[severity]),
            *((f"{full[0]}: {full[1]} waiting, room for {full[2]}",) if full else ()),
        ),
        f"{full[0]} does not accept as fast as connections come" if full else "",
    )


def _fullest(seen: Seen) -> tuple[str, int, int] | None:
    """The listening socket with the longest queue: its name, what waits, and how much may."""
    signal = seen.view.signal("listen_sockets")
    rows = []
    for key in signal.keys if signal else ():
        assert signal is not None
        waiting, room = signal.value(key, "accept_queue"), signal.value(key, "accept_queue_max")
        if waiting is not None and room is not None and waiting >= room:
            rows.append((socket(key), waiting, room))
    return max(rows, key=lambda row: row[1], default=None)


def rst_storm(seen: Seen) -> Raised | None:
    """Resets that no connection explains: one for each connection that was opened is how many programs close."""
    whole, unexplained = tcp(seen), unexplained_resets(seen)
    base = seen.baselines.get("resets")
    grown = base is not None and unexplained >= seen.limit("resets") and unexplained > seen.limit("factor") * base
    plain = unexplained >= seen.limit("absolute") and unexplained >= seen.limit("share") * max(whole, 1.0)
    if not grown and not plain:
        return None
    received, sent = part_rate(seen, "tcp_flags", "rst"), seen.count("TcpOutRsts")
    evidence = [
        against("resets that no new connection explains", unexplained, seen.limits["resets" if grown else "absolute"]),
        f"received {per_s(received)}, sent {per_s(sent)}, established connections reset "
        f"{per_s(seen.count('TcpEstabResets'))}",
    ]
    if base is not None:
        evidence.append(f"{per_s(base)} in the minute before (netdata tcp_resets: 10 times as many)")
    why = "this host answers segments for which it has no connection or no listener" if sent > received else ""
    return Raised("warning", f"Storm of TCP resets: {per_s(unexplained)}", tuple(evidence), why)


def unexplained_resets(seen: Seen) -> float:
    opened = seen.counts("TcpPassiveOpens", "TcpActiveOpens")
    return max(0.0, part_rate(seen, "tcp_flags", "rst") + seen.count("TcpOutRsts") - opened)


def tcp_retransmits(seen: Seen) -> Raised | None:
    sent, again = seen.count("TcpExtTCPOrigDataSent"), seen.count("TcpRetransSegs")
    if seen.count("TcpOutSegs") < seen.limit("segments") or not sent:
        return None
    part = again / sent
    severity = level(seen, part)
    if severity is None:
        return None
    syn = seen.count("TcpExtTCPSynRetrans")
    why = "most of them are SYNs that nobody answered" if syn > 0.5 * again else ""
    return Raised(
        severity,
        f"TCP sends {pct(part)} of its segments again",
        (
            against("RetransSegs / TCPOrigDataSent", part, seen.limits[severity]),
            f"{per_s(again)} of {per_s(sent)}; looked at from {si(seen.limits['segments'].raised)} segments/s",
            f"timeouts {per_s(seen.count('TcpExtTCPTimeouts'))}, SYN again {per_s(syn)}",
        ),
        why,
    )


def tcp_memory(seen: Seen) -> Raised | None:
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
    return Raised(
        "critical" if critical else "warning",
        f"TCP runs out of memory: {pct(parts[what])} of {'tcp_max_orphans' if what == 'orphans' else 'tcp_mem'}",
        (
            f"{si(used)} pages in use; pressure at {si(pressure)}, at most {si(most)} (tcp_mem)",
            f"orphans {si(orphans)} of at most {si(orphans_most)}",
            f"critical above {pct(limits.raised)} ({limits.source})",
        ),
        f"pressure began {per_s(seen.count('TcpExtTCPMemoryPressures'))}"
        if seen.count("TcpExtTCPMemoryPressures") > 0
        else "",
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
