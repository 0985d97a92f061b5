"""Rules about TCP connections and their other end: opened without an answer, stalled, with losses on the way here."""

from __future__ import annotations

from bpftop.model.units import pct
from bpftop.rules.evidence import per_s
from bpftop.rules.rule import Limit, Rule, RuleInput
from bpftop.rules.shapes import Share, share_over_limit


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
        "loss-before-us", "tcp", "netns", ("snmp", "netstat"), ("info",),
        "received TCP segments that come after a hole: lost or reordered on the way to this host",
        share_over_limit(received_out_of_order),
        {"info": Limit(0.02, 0.01, "share", "the same share as tcp-retransmits, seen by the receiver"),
         "segments": Limit(500, 350, "/s", "a floor")},
        ("nstat -az TcpExtTCPOFOQueue TcpExtTCPDSACKOldSent TcpInSegs", "ss -ti", "ip -s -s link show {iface}"),
    ),
)  # fmt: skip
