"""Rules about packets that something on this host drops on purpose: filters, policers, queues, XDP programs."""

from __future__ import annotations

from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import pct
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.packet_rates import FORWARDED, has_most
from bpftop.rules.rule import Headline, InputUnavailable, Limit, Raised, Rule, RuleInput, if_available, rates_above_zero

_PLACES = {
    "TC_INGRESS": "a tc program or filter on the way in",
    "TC_EGRESS": "a tc program or filter on the way out",
    "NETFILTER_DROP": "nftables or iptables",
    "output": "nftables or iptables on the way out",
}
"""Drop reason -> where the packet was dropped. Drops of a queue are in tx-drops.

``output`` are the packets of this host that the firewall drops before they have a device.
"""

_SENT, _PASSED = ("IpOutRequests", "Ip6OutRequests"), ("IpOutTransmits", "Ip6OutTransmits")


def dropped_on_this_host(rule_input: RuleInput) -> Raised | None:
    """Check drops of this host's own filters: a warning if TCP suffers from the drops at the same time."""
    rule_input.rates("drops", "packets")  # raises where drop reasons cannot be read
    label = rule_input.interface.label
    rates = _filtered(rule_input)
    dropped = sum(rates.values())
    outward = rates["TC_EGRESS"] + rates["output"] >= 0.5 * dropped
    whole = dropped + rule_input.link("tx_packets") if outward else rule_input.link("rx_packets")
    share = dropped / max(1.0, whole)
    if dropped < rule_input.limit("packets") or share < rule_input.limit("share"):
        return None
    holes, again = rule_input.count("TcpExtTCPOFOQueue"), rule_input.count("TcpRetransSegs")
    suffers = holes + again >= rule_input.limit("repaired") * dropped or (outward and _sends_mostly_tcp(rule_input))
    most = max(rates, key=lambda reason: rates[reason])
    if most in ("NETFILTER_DROP", "output") and not suffers:
        return None  # firewall-drops has it
    return Raised(
        "warning" if suffers else "info",
        f"This host drops {'its own TCP' if suffers else 'packets'}: {per_s(dropped)} by {_PLACES[most]}",
        (
            compare(f"of packets {'sent' if outward else 'received'}", share, rule_input.limits["share"]),
            f"dropped: {', '.join(f'{_PLACES[reason]} {per_s(rate)}' for reason, rate in rates.items() if rate)}",
            f"TCP segments sent again {per_s(again)}, received out of order {per_s(holes)}",
        ),
        f"{_PLACES[most]} of {label} says drop",
        Headline("dropped", "packets", lambda other: sum(_filtered(other).values())),
    )


def _filtered(rule_input: RuleInput) -> dict[str, float]:
    """Return drop reason -> packets per second of the interface that a filter dropped."""
    label = rule_input.interface.label
    rates = {reason: rule_input.drops_by_interface((reason,)).get(label, 0.0) for reason in _PLACES}
    without_device = rule_input.drops_by_interface(("NETFILTER_DROP",)).get("elsewhere", 0.0)
    if without_device and has_most(rule_input, _sent):
        rates["output"] = min(without_device, if_available(lambda: _not_passed(rule_input)) or 0.0)
    return rates


def _sent(interface: InterfaceSnapshot) -> float:
    return interface.tx.totals.packets_per_sec or 0.0


def _not_passed(rule_input: RuleInput) -> float:
    """Return packets per second that the firewall drops on the way out. The kernel counts OutTransmits since 6.7."""
    return max(0.0, rule_input.counts(*_SENT, *FORWARDED) - rule_input.counts(*_PASSED))


def _sends_mostly_tcp(rule_input: RuleInput) -> bool:
    """Return True if most of what this host sends is TCP.

    A segment that is dropped before it leaves is no retransmission: TCP learns of the drop at once, slows down, and
    sends the segment as if for the first time (tcp_write_xmit).
    """
    return rule_input.count("TcpOutSegs") > rule_input.counts("UdpOutDatagrams", "Udp6OutDatagrams")


def xdp_drops(rule_input: RuleInput) -> Raised | None:
    """Check packets that another owner's XDP program drops."""
    programs, source, rate, whole = _xdp_dropped(rule_input)
    if rate < rule_input.limit("packets") or rate < rule_input.limit("share") * whole:
        return None
    return Raised(
        "info",
        f"An XDP program drops {per_s(rate)}, {pct(rate / whole)} of what arrives",
        (
            compare(source, rate, rule_input.limits["packets"]),
            compare("of what arrives", rate / whole, rule_input.limits["share"]),
        ),
        f"XDP {', '.join(programs)} of another owner returns XDP_DROP, before the stack sees the packets",
        Headline(source, "packets", lambda other: _xdp_dropped(other)[2]),
    )


def _xdp_dropped(rule_input: RuleInput) -> tuple[list[str], str, float, float]:
    """Return the programs that drop, the name of the counter, and packets per second: dropped and all."""
    label = rule_input.interface.label
    if rule_input.snapshot.reading("xdp_verdicts", label) is not None:
        verdicts = rule_input.rates("xdp_verdicts", "packets", label)
        dropped = {key[1]: rate for key, rate in verdicts.items() if key[2] == "DROP"}
        return (
            sorted(f"program {number}" for number in dropped), "XDP_DROP", sum(dropped.values()),
            sum(verdicts.values()),
        )  # fmt: skip
    driver = _driver_xdp_drops(rule_input)
    reason = rule_input.snapshot.why_unavailable("xdp_verdicts", label)
    if driver is None and reason:
        raise InputUnavailable(reason)
    rate = driver or 0.0
    return ["program"], "xdp_drops of the driver", rate, max(rate, rule_input.link("rx_packets"))


def _driver_xdp_drops(rule_input: RuleInput) -> float | None:
    """Return packets per second that the driver counts as dropped by XDP programs; None if it has no such counter.

    bpftop's own program passes all packets. veth counts XDP_ABORTED among them, which xdp-exceptions reports. Some
    drivers count each queue and, under a name without a number, the sum of all queues.
    """
    label = rule_input.interface.label
    reading = rule_input.snapshot.reading("nic", label)
    if reading is None or reading.elapsed_ns is None:
        return None
    rates = {str(key[1]): rate or 0.0 for key, rate in reading.rates("count") if "xdp_drop" in str(key[1]).lower()}
    if not rates:
        return None
    sums = [rate for name, rate in rates.items() if not any(digit in name for digit in "0123456789")]
    failed = sum(rate for _, rate in rates_above_zero(rule_input.snapshot, "xdp_exceptions", "packets", label))
    return max(0.0, max(sums, default=sum(rates.values())) - failed)


RULES = (
    Rule(
        "dropped-on-this-host", "stack", "interface", ("drops", "links", "snmp", "netstat"), ("info", "warning"),
        "packets that a tc program or filter, or the firewall, drops, and TCP that suffers from the drops",
        dropped_on_this_host,
        {"packets": Limit(10, None, "/s"), "share": Limit(0.01, 0.005, "share", "healthy bulk TCP stays below 0.5 %"),
         "repaired": Limit(0.3, 0.2, "share", "TCP segments sent again or out of order, of the packets dropped")},
        ("tc -s filter show dev {iface} egress", "tc -s filter show dev {iface} ingress",
         "bpftool net show dev {iface}", "nft list ruleset", "iptables -nvL"),
        explains=("tcp-retransmits", "firewall-drops", "loss-before-us"),
        woken_by=("drops",),
    ),
    Rule(
        "xdp-drops", "xdp", "interface", ("xdp_verdicts", "nic"), ("info",),
        "packets that another owner's XDP program drops", xdp_drops,
        {"packets": Limit(10, None, "/s"), "share": Limit(0.01, None, "share")},
        ("ip -d link show {iface}", "bpftool prog show", "bpftool net"),
        explains=("tcp-retransmits", "loss-before-us"),
        woken_by=("xdp_verdicts", "nic"),
    ),
)  # fmt: skip
