"""Rules about tunnels: IPsec, VXLAN, and protocols that nothing here takes."""

from __future__ import annotations

from bpftop.model.protocols import ARP, ICMP, ICMPV6, TCP, UDP
from bpftop.model.snapshot import Counts
from bpftop.rules.check_factories import Rates, counter_rates, lasting, rate_over_limit
from bpftop.rules.evidence import per_s
from bpftop.rules.rule import Limit, Rule, RuleInput
from bpftop.rules.stack import rates_and_interfaces

_IPSEC = {
    "XfrmInNoStates": "the peer uses an association (SPI) that this host does not have: one of both has lost its keys",
    "XfrmInStateExpired": "the peer goes on with an association whose time is over here",
    "XfrmInStateProtoError": "packets cannot be decrypted or verified: the peer has another key",
    "XfrmInStateSeqError": "packets come twice or far too late, or somebody repeats them",
    "XfrmInTmplMismatch": "the peer sends in the clear, or otherwise protected than a policy here demands",
    "XfrmInNoPols": "no policy here allows the packets that were decrypted",
    "XfrmOutNoStates": "a policy wants these packets encrypted, and no association was negotiated with the peer",
    "XfrmOutStateExpired": "the association's time is over, and no new one was negotiated",
    "XfrmAcquireError": "a policy wants these packets encrypted, and no key daemon runs here to negotiate",
}
"""Counter -> cause."""


def _unknown_vni(rule_input: RuleInput) -> Rates:
    """Return packets per second for VXLAN networks that no device here has, without the packets to a multicast group.

    Several networks may share one group, and then a host gets the packets of all of them.
    """
    rule_input.rates("drops", "packets")  # raises where drop reasons cannot be read
    unknown = sum(rule_input.drops_by_interface(("VXLAN_VNI_NOT_FOUND",)).values())
    if not unknown:
        return {"VXLAN_VNI_NOT_FOUND": 0.0}
    casts = (interface.rx.along(1) for interface in rule_input.snapshot.interfaces)
    groups = sum(cast.get("multicast", Counts()).packets_per_sec or 0.0 for cast in casts)
    return {"VXLAN_VNI_NOT_FOUND": max(0.0, unknown - groups)}


def _why_ipsec(rule_input: RuleInput, rates: Rates) -> str:
    return _IPSEC[max(rates, key=lambda counter: rates[counter])]


def _unknown_protocols(rule_input: RuleInput, rates: Rates) -> str:
    """Return the title with the protocol that is most of what came besides TCP and UDP."""
    counted = [
        (row.counts.packets_per_sec or 0.0, row.name)
        for interface in rule_input.snapshot.interfaces
        for row in interface.rx.protocols
        if row.number < ARP and row.number not in (TCP, UDP, ICMP, ICMPV6)
    ]
    name = max(counted, default=(0.0, "an unknown protocol"))[1]
    return f"{per_s(sum(rates.values()))} packets of a protocol that this host does not take, most are {name}"


RULES = (
    Rule(
        "ipsec-drops", "stack", "netns", ("xfrm",), ("warning",),
        "packets that IPsec drops: no association, another key, or a policy that wants them protected",
        lasting("failures", rate_over_limit(
            counter_rates(*_IPSEC), counters="drops of IPsec", title="IPsec drops {rate}", why=_why_ipsec)),
        {"warning": Limit(1, None, "/s", "a change of keys loses packets of one moment only")},
        ("ip -s xfrm state", "ip xfrm policy", "cat /proc/net/xfrm_stat"),
        explains=("tcp-retransmits", "connect-unanswered"),
        measures={"failures": lambda rule_input: rule_input.counts(*_IPSEC)},
        woken_by=tuple(_IPSEC),
    ),
    Rule(
        "vxlan-unknown-vni", "stack", "netns", ("drops",), ("warning",),
        "VXLAN packets of a network that no device here has (Linux 6.12 and newer name them)",
        lasting("packets", rate_over_limit(
            _unknown_vni, counters="VXLAN_VNI_NOT_FOUND", title="VXLAN packets of an unknown network (VNI): {rate}",
            details=rates_and_interfaces("VXLAN_VNI_NOT_FOUND"),
            why="a peer sends with a VNI that no VXLAN device here has: a device is missing, or an ID is mistyped")),
        {"warning": Limit(1, None, "/s", "none where the peers have the same configuration")},
        ("ip -d link show type vxlan", "bridge vni show", "tcpdump -nc 20 -i {iface} udp port 4789"),
        explains=("connect-unanswered", "tcp-retransmits"),
        measures={"packets": lambda rule_input: sum(_unknown_vni(rule_input).values())},
        woken_by=("drops",),
    ),
    Rule(
        "unknown-protocol", "stack", "netns", ("snmp", "snmp6"), ("info", "warning"),
        "packets of an IP protocol that neither the kernel nor a program here takes",
        rate_over_limit(
            counter_rates("IpInUnknownProtos", "Ip6InUnknownProtos"), counters="InUnknownProtos",
            title=_unknown_protocols, details=rates_and_interfaces("IP_NOPROTO"),
            why="a tunnel or VPN ends here for its sender, and this host has none: no device, or no kernel module"),
        {"info": Limit(1, None, "/s"), "warning": Limit(10, None, "/s", "scanners of the Internet send fewer")},
        ("ip -d link show type ipip", "ip xfrm state", "lsmod", "tcpdump -nc 20 -i {iface} 'not (tcp or udp or icmp)'"),
        woken_by=("IpInUnknownProtos", "Ip6InUnknownProtos"),
    ),
)  # fmt: skip
