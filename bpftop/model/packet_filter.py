"""Packets that belong to a stage of the path, by the kernel's drop reasons for them and by their protocol."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.fields import frozen

TCP, UDP = 6, 17


@frozen
class PacketFilter:
    """Packets dropped for one of ``reasons``; without reasons packets of the interfaces.

    Reasons are without SKB_DROP_REASON_; a kernel may lack some of them. None: any protocol, any port of either side.
    """

    reasons: tuple[str, ...] = ()
    ethertype: int | None = None
    l4_proto: int | None = None
    port: int | None = None


def _drops(*reasons: str, l4_proto: int | None = None) -> PacketFilter:
    return PacketFilter(reasons, l4_proto=l4_proto)


STAGE_DROPS: Mapping[str, PacketFilter] = {
    "xdp_exceptions": _drops("XDP"),
    "xdp_drops": _drops("XDP"),
    "xdp_aborted": _drops("XDP"),
    "backlog": _drops("CPU_BACKLOG"),
    "backlog_here": _drops("CPU_BACKLOG"),
    "flow_limit": _drops("CPU_BACKLOG"),
    "nohandler": _drops("OTHERHOST", "UNHANDLED_PROTO"),
    "ip_header": _drops("IP_INHDR", "IP_CSUM", "PKT_TOO_SMALL", "HDR_TRUNC"),
    "ip_address": _drops(
        "IP_INADDRERRORS", "IP_INNOROUTES", "IP_INVALID_DEST", "IP_INVALID_SOURCE", "IP_LOCAL_SOURCE", "IP_LOCALNET"
    ),
    "ip_discards": _drops("NOMEM"),
    "ip_reassembly": _drops("FRAG_REASM_TIMEOUT", "FRAG_TOO_FAR", "DUP_FRAG"),
    "ip_unknown": _drops("IP_NOPROTO"),
    "rpf": _drops("IP_RPFILTER"),
    "conntrack": _drops("NETFILTER_DROP"),
    "firewall": _drops("NETFILTER_DROP"),
    "tcp_ports": _drops("NO_SOCKET", l4_proto=TCP),
    "listen": _drops("TCP_LISTEN_OVERFLOW", l4_proto=TCP),
    "accept_queue": _drops("TCP_LISTEN_OVERFLOW", l4_proto=TCP),
    "tcp_sockets": _drops(
        "SOCKET_BACKLOG", "SOCKET_RCVBUFF", "PROTO_MEM", "TCP_ZEROWINDOW", "TCP_OFO_DROP", "TCP_OFO_QUEUE_PRUNE",
        l4_proto=TCP,
    ),
    "udp_sockets": _drops("SOCKET_RCVBUFF", l4_proto=UDP),
    "udp_ports": _drops("NO_SOCKET", l4_proto=UDP),
    "memory": _drops("PROTO_MEM", "PFMEMALLOC"),
    "checksums": _drops("TCP_CSUM", "UDP_CSUM", "ICMP_CSUM", "SKB_CSUM"),
    "neighbour": _drops("NEIGH_QUEUEFULL", "NEIGH_FAILED", "NEIGH_CREATEFAIL"),
    "ip_out_routes": _drops("IP_OUTNOROUTES"),
    "qdisc": _drops(
        "QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_CONGESTED", "CAKE_FLOOD", "FQ_BAND_LIMIT", "FQ_FLOW_LIMIT"
    ),
    "tx_drops": _drops("FULL_RING"),
}  # fmt: skip
"""Id of a stage -> its dropped packets. Stages without an entry: the device drops the packet before the kernel has it,
or the kernel gives no reason of its own."""
