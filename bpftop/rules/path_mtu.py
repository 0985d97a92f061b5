"""Rule about packets that are too large for a link on their way, while nobody tells their sender."""

from __future__ import annotations

from bpftop.model.sample import Key
from bpftop.model.units import pct
from bpftop.rules.evidence import compare, per_s, socket
from bpftop.rules.rule import Headline, Limit, Raised, Rule, RuleInput
from bpftop.rules.shapes import lasting

_TOO_LARGE = ("IpFragFails", "Ip6FragFails")
_FORWARDED = ("IpForwDatagrams", "Ip6OutForwDatagrams")

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
    return _of_own_connections(rule_input, stuck) if len(stuck) >= rule_input.limit("sockets") else None


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
    failed, forwarded = rule_input.counts(*_TOO_LARGE), rule_input.counts(*_FORWARDED)
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
    ),
)  # fmt: skip
