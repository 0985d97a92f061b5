"""All faults, by stage of a packet's path."""

from __future__ import annotations

from tests.faults.scenario import Scenario
from tests.faults.scenarios import backlog, conntrack, ip, tcp, tx, udp, wire

FAULTS: tuple[type[Scenario], ...] = (
    wire.PacketStorm,
    wire.BroadcastStorm,
    wire.XdpExceptions,
    wire.XdpIllegalAction,
    backlog.BacklogOverflow,
    backlog.SoftirqSqueeze,
    backlog.CpuImbalance,
    ip.MalformedPackets,
    ip.FragmentFlood,
    ip.ReversePathFilter,
    ip.ChecksumErrors,
    ip.IcmpFlood,
    ip.FirewallDrops,
    conntrack.ConntrackFull,
    tcp.SynFlood,
    tcp.AcceptQueueOverflow,
    tcp.RstStorm,
    tcp.TcpRetransmits,
    udp.UdpSocketOverflow,
    udp.UdpPortUnreachable,
    udp.UdpFlood,
    udp.UdpAmplification,
    tx.TxDrops,
)
