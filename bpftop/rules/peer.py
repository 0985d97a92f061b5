"""Rules about TCP connections and their other end: opened without an answer, stalled, with losses on the way here."""

from __future__ import annotations

from collections import Counter

from bpftop.model.families import UNREAD_BYTES
from bpftop.model.findings import Severity
from bpftop.model.sample import Key
from bpftop.model.units import pct, si
from bpftop.rules.check_factories import Share, share_over_limit
from bpftop.rules.evidence import compare, per_s, socket
from bpftop.rules.rule import Headline, Limit, Raised, Rule, RuleInput


def connect_unanswered(rule_input: RuleInput) -> Raised | None:
    """Check connection requests of this host that nobody answers.

    TCPSynRetrans counts SYN+ACKs to clients as well, so a socket in the state SYN-SENT must have sent its SYN again.
    """
    again, opened = rule_input.count("TcpExtTCPSynRetrans"), rule_input.count("TcpActiveOpens")
    sockets = rule_input.reading("connecting_sockets").keys
    if not sockets or again < rule_input.limit("again") or again < rule_input.limit("share") * opened:
        return None
    by_destination = Counter(f"{_peer(key)}{_by_process(key)}" for key in sockets).most_common()
    return Raised(
        "warning",
        f"No answer to connection requests: {per_s(again)} SYNs sent again, most to {by_destination[0][0]}",
        (
            compare("TCPSynRetrans", again, rule_input.limits["again"]),
            f"opened {per_s(opened)}; limit {pct(rule_input.limits['share'].raised)} of them",
            *(f"{count} sockets wait for {destination}" for destination, count in by_destination[:3]),
        ),
        "the host is down, or a firewall drops the requests: a closed port would be refused at once",
        Headline("TCPSynRetrans", "again", lambda other: other.count("TcpExtTCPSynRetrans")),
    )


def zero_window(rule_input: RuleInput) -> Raised | None:
    """Check connections that stand still because a receive buffer is full: of this host, or of the peer."""
    own, peers = _stalled(rule_input)
    if len(own) + len(peers) < rule_input.limit("sockets"):
        return None
    severity: Severity = "warning" if own else "info"
    key, waiting = (own or peers)[0]
    if own:
        title = f"A program does not read: {si(waiting)}B from {_peer(key)} wait for {key[4] or 'the program'}"
        why = f"{key[4] or 'the program'} has not read for 3 s, so the peer has to wait"
    else:
        title = f"A peer does not read: {_peer(key)} takes no more{_by_process(key, ' from ')}"
        why = f"the program at {_peer(key)} does not read, and its receive buffer is full"
    return Raised(
        severity,
        title,
        (
            f"own receive buffers that stand still: {len(own)}; windows closed by peers: {len(peers)}",
            *(f"from {_peer(row)}{_by_process(row, ' to ')}: {si(count)}B not read" for row, count in own[:3]),
        ),
        why,
        Headline("connections that stand still", "sockets", lambda other: sum(map(len, _stalled(other)))),
    )


def _stalled(rule_input: RuleInput) -> tuple[list[tuple[Key, int]], list[tuple[Key, int]]]:
    """Return the sockets whose own receive buffer stands still, and those whose peer has closed its window."""
    return _unchanged(rule_input, "receive_queue_bytes"), _unchanged(rule_input, "window_probe")


def port_exhaustion(rule_input: RuleInput) -> Share | None:
    """Return the share of local ports in use towards the destination with most; None where few are in use."""
    reading = rule_input.reading("port_use")
    rows = [
        (used / ports, used, ports, key)
        for key in reading.keys
        if (used := reading.value(key, "used")) and (ports := reading.value(key, "ports"))
    ]
    if not rows:
        return None
    share, used, ports, (_, source, destination, port) = max(rows)
    waiting = rule_input.level("sockstat", (), "tcp_time_wait")
    return Share(
        share,
        "local ports in use towards one destination",
        f"Local ports run out: {pct(share)} in use from {source} to {destination} port {port}",
        (f"{used} of {ports} ports (net.ipv4.ip_local_port_range)", f"connections in TIME-WAIT {si(waiting)}"),
        "connections are opened and closed faster than their ports come back: each rests for 60 s in TIME-WAIT"
        if waiting >= used / 2
        else "connections stay open, and each keeps its port: a pool that grows, or a program that does not close them",
    )


def _peer(key: Key) -> str:
    return socket((*key[:4], ""))


def _by_process(key: Key, word: str = " by ") -> str:
    return f"{word}{key[4]}" if key[4] else ""


def _unchanged(rule_input: RuleInput, column: str) -> list[tuple[Key, int]]:
    """Return the sockets whose gauge is above zero and as it was at the begin of the interval, largest first.

    A full queue that a slow program reads changes from one moment to the next.
    """
    reading = rule_input.reading("stalled_sockets")
    rows = []
    for key in reading.keys:
        value = reading.value(key, column)
        if value and reading.gained(key, column) == 0 and (column == "window_probe" or value >= UNREAD_BYTES):
            rows.append((key, value))
    return sorted(rows, key=lambda row: -row[1])


def received_out_of_order(rule_input: RuleInput) -> Share | None:
    """Return the share of received segments that leave a hole before them; None below the floor."""
    segments, holes = rule_input.count("TcpInSegs"), rule_input.count("TcpExtTCPOFOQueue")
    if segments < rule_input.limit("segments"):
        return None
    twice = rule_input.counts("TcpExtTCPDSACKOldSent", "TcpExtTCPDSACKOfoSent")
    reordered = twice > 0.5 * holes
    return Share(
        holes / segments,
        "TCPOFOQueue / InSegs",
        f"{pct(holes / segments)} of received TCP segments come out of order",
        (f"out of order {per_s(holes)} of {per_s(segments)}, received twice {per_s(twice)}",),
        "segments overtake each other on the way to this host: senders repeat what was only late"
        if reordered
        else "segments are lost on the way to this host, before it could see them",
    )


RULES = (
    Rule(
        "connect-unanswered", "tcp", "netns", ("netstat", "snmp", "connecting_sockets"), ("warning",),
        "connection requests of this host that nobody answers", connect_unanswered,
        {"again": Limit(1, None, "/s"), "share": Limit(0.2, 0.15, "share", "of the connections that are opened")},
        ("ss -tnpo state syn-sent", "nstat -az TcpExtTCPSynRetrans TcpActiveOpens TcpAttemptFails",
         "ip route get ADDRESS"),
        explains=("tcp-retransmits",),
        woken_by=("TcpExtTCPSynRetrans", "connecting_sockets"),
    ),
    Rule(
        "port-exhaustion", "tcp", "netns", ("port_use", "sockstat"), ("warning", "critical"),
        "local ports in use towards one destination, of the range for outgoing connections",
        share_over_limit(port_exhaustion),
        {"warning": Limit(0.80, 0.70, "share", "the kernel searches longer for each free port"),
         "critical": Limit(0.95, 0.90, "share", "connect fails with EADDRNOTAVAIL at 100 %")},
        ("ss -tan state time-wait | awk '{print $4}' | sort | uniq -c | sort -n | tail",
         "ss -tanp dst ADDRESS", "sysctl net.ipv4.ip_local_port_range net.ipv4.tcp_tw_reuse",
         "nstat -az TcpExtTCPTimeWaitOverflow"),
        woken_by=("port_use",),
    ),
    Rule(
        "zero-window", "tcp", "netns", ("stalled_sockets",), ("info", "warning"),
        "connections that stand still because a program, here or at the peer, does not read", zero_window,
        {"sockets": Limit(1, 1, "", "a queue that a slow program reads changes from one moment to the next")},
        ("ss -tnpoi state established", "nstat -az TcpExtTCPToZeroWindowAdv TcpExtTCPWinProbe"),
        explains=("tcp-retransmits",),
        woken_by=("stalled_sockets",),
    ),
    Rule(
        "loss-before-us", "tcp", "netns", ("snmp", "netstat"), ("info",),
        "received TCP segments that come after a hole: lost or reordered on the way to this host",
        share_over_limit(received_out_of_order),
        {"info": Limit(0.02, 0.01, "share", "the same share as tcp-retransmits, seen by the receiver"),
         "segments": Limit(500, 350, "/s", "a floor")},
        ("nstat -az TcpExtTCPOFOQueue TcpExtTCPDSACKOldSent TcpInSegs", "ss -ti", "ip -s -s link show {iface}"),
        woken_by=("TcpExtTCPOFOQueue",),
    ),
)  # fmt: skip
