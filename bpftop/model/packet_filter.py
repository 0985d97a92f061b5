"""Packets that belong to a stage of the path, by the kernel's drop reasons for them and by their protocol."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.fields import frozen
from bpftop.model.protocols import TCP, UDP
from bpftop.model.stages import STAGES


@frozen
class PacketFilter:
    """Packets of the interfaces; with ``dropped`` those that the kernel dropped, for one of ``reasons`` or for any.

    Reasons are without SKB_DROP_REASON_; a kernel may lack some of them. None: any protocol, any port of either side.
    """

    dropped: bool = False
    reasons: tuple[str, ...] = ()
    ethertype: int | None = None
    l4_proto: int | None = None
    port: int | None = None


def drops_for(*reasons: str, l4_proto: int | None = None) -> PacketFilter:
    """Return the filter for packets that are dropped for one of these reasons."""
    return PacketFilter(True, reasons, l4_proto=l4_proto)


ANY_DROP = drops_for()

STAGE_DROPS: Mapping[str, PacketFilter] = {
    "xdp_exceptions": drops_for("XDP"),
    "xdp_drops": drops_for("XDP"),
    "xdp_aborted": drops_for("XDP"),
    "backlog": drops_for("CPU_BACKLOG"),
    "backlog_here": drops_for("CPU_BACKLOG"),
    "flow_limit": drops_for("CPU_BACKLOG"),
    "nohandler": drops_for("OTHERHOST", "UNHANDLED_PROTO"),
    "ip_header": drops_for("IP_INHDR", "IP_CSUM", "PKT_TOO_SMALL", "HDR_TRUNC"),
    "ip_address": drops_for(
        "IP_INADDRERRORS", "IP_INNOROUTES", "IP_INVALID_DEST", "IP_INVALID_SOURCE", "IP_LOCAL_SOURCE", "IP_LOCALNET"
    ),
    "ip_discards": drops_for("NOMEM"),
    "ip_reassembly": drops_for("FRAG_REASM_TIMEOUT", "FRAG_TOO_FAR", "DUP_FRAG"),
    "ip_unknown": drops_for("IP_NOPROTO"),
    "tunnels": drops_for("VXLAN_VNI_NOT_FOUND", "XFRM_POLICY"),
    "tc_filters": drops_for("TC_INGRESS", "TC_EGRESS"),
    "rpf": drops_for("IP_RPFILTER"),
    "conntrack": drops_for("NETFILTER_DROP"),
    "firewall": drops_for("NETFILTER_DROP"),
    "tcp_ports": drops_for("NO_SOCKET", l4_proto=TCP),
    "listen": drops_for("TCP_LISTEN_OVERFLOW", l4_proto=TCP),
    "accept_queue": drops_for("TCP_LISTEN_OVERFLOW", l4_proto=TCP),
    "tcp_sockets": drops_for(
        "SOCKET_BACKLOG", "SOCKET_RCVBUFF", "PROTO_MEM", "TCP_ZEROWINDOW", "TCP_OFO_DROP", "TCP_OFO_QUEUE_PRUNE",
        l4_proto=TCP,
    ),
    "udp_sockets": drops_for("SOCKET_RCVBUFF", l4_proto=UDP),
    "udp_ports": drops_for("NO_SOCKET", l4_proto=UDP),
    "memory": drops_for("PROTO_MEM", "PFMEMALLOC"),
    "checksums": drops_for("TCP_CSUM", "UDP_CSUM", "ICMP_CSUM", "SKB_CSUM"),
    "neighbour": drops_for("NEIGH_QUEUEFULL", "NEIGH_CREATEFAIL"),
    "neighbour_silent": drops_for("NEIGH_FAILED"),
    "ip_out_routes": drops_for("IP_OUTNOROUTES"),
    "qdisc": drops_for(
        "QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_CONGESTED", "CAKE_FLOOD", "FQ_BAND_LIMIT", "FQ_FLOW_LIMIT"
    ),
    "tx_drops": drops_for("FULL_RING"),
}  # fmt: skip
"""Id of a stage -> its dropped packets. Stages without an entry: the device drops the packet before the kernel has it,
or the kernel gives no reason of its own."""


def stages_of(reason: str, l4_proto: int | None) -> tuple[str, ...]:
    """Return the titles of the stages that a dropped packet may belong to; none where no stage has the reason."""
    wanted = {
        stage_id
        for stage_id, drops in STAGE_DROPS.items()
        if reason in drops.reasons and drops.l4_proto in (None, l4_proto)
    }
    return tuple(stage.title.strip() for stage in STAGES if stage.id in wanted and stage.kind != "part")
