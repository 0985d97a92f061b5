"""All faults, by stage of a packet's path."""

from __future__ import annotations

from tests.faults.scenario import Scenario
from tests.faults.scenarios import backlog, conntrack, ip, route, tcp, tx, udp, wire

FAULTS: tuple[type[Scenario], ...] = (
    route.NoCarrier,
    route.LinkFlaps,
    wire.PacketStorm,
    wire.BroadcastStorm,
    wire.MulticastFlood,
    wire.MembershipFlood,
    wire.Solicitations,
    wire.XdpDrops,
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
    route.DeadGateway,
    route.DeadNeighbour,
    route.NoRouteOut,
    route.BlackholeRoute,
    route.RoutingLoop,
    conntrack.ConntrackFull,
    tcp.PortScan,
    tcp.SynFlood,
    tcp.AcceptQueueOverflow,
    tcp.RstStorm,
    tcp.TcpRetransmits,
    tcp.ConnectUnanswered,
    tcp.UnreadConnection,
    tcp.StalledPeer,
    tcp.LossBeforeUs,
    tcp.DroppedOnThisHost,
    udp.UdpSocketOverflow,
    udp.UdpPortUnreachable,
    udp.UdpFlood,
    udp.UdpAmplification,
    tx.TxDrops,
)
