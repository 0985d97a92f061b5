"""The packets that a finding is about: the packets that it counts as lost, or all of its protocol and port."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.fields import replace
from bpftop.model.findings import Finding
from bpftop.model.packet_filter import STAGE_DROPS, PacketFilter, drops_for
from bpftop.model.packet_headers import ETHERTYPE_ARP
from bpftop.model.protocols import ICMP, TCP, UDP
from bpftop.model.snapshot import Snapshot
from bpftop.rules.flow_evidence import target_port

_TCP, _ANY = PacketFilter(l4_proto=TCP), PacketFilter()

FINDING_PACKETS: Mapping[str, PacketFilter] = {
    "duplicate-address": PacketFilter(ethertype=ETHERTYPE_ARP),
    "mac-flapping": _ANY,
    "neighbour-unresolved": drops_for("NEIGH_FAILED", "NEIGH_QUEUEFULL"),
    "neighbour-table-full": STAGE_DROPS["neighbour"],
    "no-route-out": STAGE_DROPS["ip_out_routes"],
    "routing-loop": drops_for("IP_INHDR"),
    "mtu-black-hole": _TCP,
    "service-gone": drops_for("NO_SOCKET"),
    "syn-flood": _TCP,
    "port-scan": STAGE_DROPS["tcp_ports"],
    "accept-queue-overflow": STAGE_DROPS["listen"],
    "rst-storm": _TCP,
    "tcp-retransmits": _TCP,
    "tcp-memory": _TCP,
    "zero-window": _TCP,
    "loss-before-us": _TCP,
    "connect-unanswered": _TCP,
    "udp-amplification": PacketFilter(l4_proto=UDP),
    "udp-flood": PacketFilter(l4_proto=UDP),
    "udp-socket-overflow": STAGE_DROPS["udp_sockets"],
    "udp-port-unreachable": STAGE_DROPS["udp_ports"],
    "icmp-flood": PacketFilter(l4_proto=ICMP),
    "broadcast-storm": _ANY,
    "multicast-flood": _ANY,
    "fragment-flood": _ANY,
    "packet-storm": _ANY,
    "cpu-imbalance": _ANY,
    "link-saturated": _ANY,
    "rx-ring-overflow": _ANY,
    "malformed-packets": STAGE_DROPS["ip_header"],
    "backlog-overflow": STAGE_DROPS["backlog"],
    "ipsec-drops": drops_for("XFRM_POLICY"),
    "vxlan-unknown-vni": drops_for("VXLAN_VNI_NOT_FOUND"),
    "unknown-protocol": STAGE_DROPS["ip_unknown"],
    "checksum-errors": STAGE_DROPS["checksums"],
    "conntrack-full": STAGE_DROPS["conntrack"],
    "conntrack-invalid": _ANY,
    "firewall-drops": STAGE_DROPS["firewall"],
    "dropped-on-this-host": drops_for("NETFILTER_DROP", "TC_INGRESS", "TC_EGRESS"),
    "reverse-path-filter": STAGE_DROPS["rpf"],
    "xdp-exceptions": STAGE_DROPS["xdp_exceptions"],
    "xdp-drops": STAGE_DROPS["xdp_drops"],
    "tx-drops": STAGE_DROPS["qdisc"],
}
"""Id of a rule -> its packets. Rules without an entry are about no packets: a carrier, ports, CPUs, BPF objects."""


def packets_of(snapshot: Snapshot, finding: Finding) -> PacketFilter | None:
    """Return the packets of a finding, with the port that most of them go to, once flows name it.

    None: the finding is about no packets.
    """
    wanted = FINDING_PACKETS.get(finding.id)
    if wanted is None or wanted.dropped:
        return wanted
    port = target_port(snapshot, finding)
    return wanted if port is None else replace(wanted, l4_proto=port[0], port=port[1])


def interfaces_of(snapshot: Snapshot, finding: Finding) -> tuple[str, ...]:
    """Return the names of the interfaces to capture on: the finding's, or all watched interfaces that exist."""
    return tuple(
        each.interface.name
        for each in snapshot.interfaces
        if (finding.scope != "interface" or each.label == finding.scope_name) and each.interface.state in ("up", "down")
    )
