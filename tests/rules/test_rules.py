"""Each rule on a made-up machine: conditions that raise it, its sentences, and healthy traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bpftop.model.device import Bond, BondLeg, DeviceFacts, Irq, Queue
from bpftop.rules.rule import NO_BASELINE
from bpftop.rules.table import RULES
from tests.rules.world import ETH0, Watch, World

SECOND = 10**9

Setup = Callable[[World], object]


def fast(world: World) -> World:
    """Set the speed of the link to 10 Gb/s."""
    return world.facts(speed_bits_per_sec=10**10)


def one_queue(world: World) -> World:
    facts = DeviceFacts(queues=(Queue("rx", 0, ()), Queue("tx", 0, ())), irqs=(Irq(24, "eth0-0", (0, 1), (0,)),))
    return world.facts(facts=facts)


def syn_flood(world: World) -> World:
    world.stack(IpInReceives=5_000)
    return world.frames("protocols", 6, pps=5_000, size=60).frames("tcp_flags", "syn", pps=5_000, size=60)


def udp_answers(world: World, *, size: int = 1_000, requests: float = 0) -> World:
    world.frames("protocols", 17, pps=5_000, size=size).frames("udp_ports", 53, pps=5_000, size=size)
    world.stack(IpInReceives=5_000, UdpNoPorts=5_000 - requests, UdpInDatagrams=requests)
    return world.frames("udp_ports", 53, pps=requests, direction="tx")


def busy_cpu(world: World, softirq: float) -> World:
    one_queue(world).frames("protocols", 17, pps=50_000)
    return world.rate("cpu_times", (0,), "softirq_ns", softirq * SECOND)


def ports(world: World, used: int) -> World:
    world.level("sockstat", (), tcp_time_wait=used)
    return world.level("port_use", (4, "10.0.0.1", "10.0.0.9", 443), used=used, ports=1000)


_MOVED = ("neighbour", "eth0", "192.0.2.9", "02:01", "02:02")

RAISED: list[tuple[str, str, str, Setup]] = [
    ("syn-flood", "critical", "SYN flood likely: 5.00 k/s SYN, 2 % accepted",
     lambda w: syn_flood(w).stack(TcpPassiveOpens=100)),
    ("syn-flood", "warning", "SYN queue is full: 20/s",
     lambda w: w.frames("tcp_flags", "syn", pps=500).frames("protocols", 6, pps=500).stack(
         TcpExtTCPReqQFullDoCookies=20, TcpPassiveOpens=480)),
    ("accept-queue-overflow", "warning", "Accept queue overflows: 3/s at 10.0.0.1:80 of nginx[7]",
     lambda w: w.stack(TcpExtListenOverflows=3, TcpExtListenDrops=3).level(
         "listen_sockets", (4, "10.0.0.1", 80, 9, "nginx[7]"), accept_queue=129, accept_queue_max=128)),
    ("accept-queue-overflow", "critical", "Accept queue overflows: 40/s",
     lambda w: w.stack(TcpExtListenOverflows=40, TcpExtListenDrops=40)),
    ("rst-storm", "warning", "Storm of TCP resets: 2.00 k/s",
     lambda w: w.frames("protocols", 6, pps=2_500).frames("tcp_flags", "rst", pps=2_000)),
    ("tcp-retransmits", "warning", "TCP sends 3.0 % of its segments again".replace("3.0", "3"),
     lambda w: w.stack(TcpOutSegs=10_000, TcpExtTCPOrigDataSent=10_000, TcpRetransSegs=300)),
    ("tcp-retransmits", "critical", "TCP sends 8 % of its segments again",
     lambda w: w.stack(TcpOutSegs=10_000, TcpExtTCPOrigDataSent=10_000, TcpRetransSegs=800)),
    ("tcp-memory", "critical", "TCP runs out of memory: 95 % of tcp_mem", lambda w: memory(w, used=950)),
    ("tcp-memory", "warning", "TCP runs out of memory: 80 % of tcp_mem", lambda w: memory(w, used=800)),
    ("tcp-memory", "critical", "TCP runs out of memory: 99 % of tcp_max_orphans",
     lambda w: memory(w, used=10, orphans=99)),
    ("udp-socket-overflow", "warning", "UDP socket overflows: 500/s datagrams dropped at 0.0.0.0:53 of dnsmasq[8]",
     lambda w: w.stack(UdpRcvbufErrors=500).rate("udp_sockets", (4, "0.0.0.0", 53, 9, "dnsmasq[8]"), "drops", 500)),
    ("udp-port-unreachable", "info", "500/s UDP datagrams for ports where nobody listens",
     lambda w: w.stack(UdpNoPorts=200, Udp6NoPorts=300)),
    ("udp-amplification", "critical",
     "UDP amplification: 5.00 k/s answers from port 53 (DNS) that few here asked for", udp_answers),
    ("udp-flood", "warning", "UDP flood: 50.0 k/s, 80 % of it dropped",
     lambda w: w.frames("protocols", 17, pps=50_000).stack(UdpNoPorts=40_000)),
    ("icmp-flood", "warning", "ICMP flood: 8.00 k/s", lambda w: w.frames("protocols", 58, pps=8_000)),
    ("broadcast-storm", "warning", "Broadcast storm: 2.00 k/s",
     lambda w: w.frames("protocols", 17, pps=2_500).frames("joint", "ipv4", "broadcast", "<=64", pps=2_000)),
    ("broadcast-storm", "warning", "ARP storm: 700/s",
     lambda w: w.frames("protocols", 256, pps=700).frames("protocols", 6, pps=5_000)),
    ("fragment-flood", "warning", "Fragment flood: 2.00 k/s",
     lambda w: w.frames("protocols", 17, pps=2_500).frames("fragments", "later", pps=2_000)),
    ("fragment-flood", "warning", "Reassembly fails: 30/s",
     lambda w: w.frames("protocols", 17, pps=2_500).stack(IpReasmFails=30, IpReasmReqds=30)),
    ("malformed-packets", "warning", "Malformed packets: 50/s",
     lambda w: w.frames("protocols", 262, pps=20).frames("protocols", 263, pps=30).frames("protocols", 6, pps=5_000)),
    ("cpu-imbalance", "critical", "CPU 0 carries 100 % of RX (softirq 90 %)", lambda w: busy_cpu(w, 0.9)),
    ("cpu-imbalance", "info", "CPU 0 carries 100 % of RX", lambda w: busy_cpu(w, 0.5)),
    ("backlog-overflow", "warning", "Backlog overflows: 200/s packets dropped before the stack",
     lambda w: w.rate("softnet", (1,), "dropped", 200)),
    ("softirq-squeeze", "info", "Softirqs run out of budget: 50/s",
     lambda w: w.rate("softnet", (1,), "time_squeeze", 50)),
    ("softirq-squeeze", "warning", "Softirqs run out of budget: 50/s",
     lambda w: w.rate("softnet", (1,), "time_squeeze", 50).rate("cpu_times", (1,), "softirq_ns", 0.9 * SECOND)),
    ("checksum-errors", "warning", "Bad checksums: 7/s", lambda w: w.stack(TcpInCsumErrors=3, Udp6InCsumErrors=4)),
    ("bpf-map-full", "warning", "The BPF map conns is 90% full",
     lambda w: w.level("bpf_maps", ("9", "hash", "conns", ""), entries=90, max_entries=100)),
    ("bpf-program-cost", "warning", "The BPF program filter takes 50% of a CPU",
     lambda w: w.level("bpf_statistics", (), are_on=1, added_ps=0)
     .rate("bpf_programs", ("7", "xdp", "filter", "", ""), "run_cnt", 1e6)
     .rate("bpf_programs", ("7", "xdp", "filter", "", ""), "run_time_ns", 5e8)),
    ("conntrack-full", "warning", "Connection tracking fills: 80 %",
     lambda w: w.level("conntrack", (), entries=80, max_entries=100)),
    ("conntrack-full", "critical", "Connection tracking fills: 95 %",
     lambda w: w.level("conntrack", (), entries=95, max_entries=100)),
    ("conntrack-full", "critical", "Connection tracking is full: 4/s dropped",
     lambda w: w.level("conntrack", (), entries=50, max_entries=100).rate("conntrack_events", (), "early_drop", 4)),
    ("neighbour-table-full", "critical", "Neighbour table arp_cache is full: 2/s could not be added",
     lambda w: w.rate("neighbours", ("arp_cache",), "table_fulls", 2)),
    ("reverse-path-filter", "warning", "9/s packets dropped: no route back to their source, or none to where they go",
     lambda w: w.stack(TcpExtIPReversePathFilter=9)),
    ("xdp-exceptions", "warning", "An XDP program drops by mistake: 5/s",
     lambda w: w.rate("xdp_exceptions/eth0", ("eth0", 31, "XDP_ABORTED"), "packets", 5)),
    ("firewall-drops", "info", "The firewall drops 30/s",
     lambda w: w.rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 30)),
    ("duplicate-address", "warning", "Two hosts have the address 192.0.2.9 on eth0: 02:01 and 02:02",
     lambda w: w.level("address_claims", _MOVED, moves=0).level("address_moves", _MOVED, moves=2)),
    ("duplicate-address", "warning", "Two hosts have the address 192.0.2.1 on eth0: this host and 02:02",
     lambda w: w.level("address_moves", _MOVED, moves=0).level(
         "address_claims", ("own", "eth0", "192.0.2.1", "02:02", "this host"), moves=2)),
    ("mac-flapping", "warning", "MAC address 02:07 moves between ports of br0: port1 and port2",
     lambda w: w.level("address_moves", ("bridge", "br0", "02:07", "port1", "port2"), moves=6)),
    ("ipsec-drops", "warning", "IPsec drops 5/s", lambda w: w.stack(XfrmInNoStates=5)),
    ("vxlan-unknown-vni", "warning", "VXLAN packets of an unknown network (VNI): 9/s",
     lambda w: w.rate("drops", ("eth0", "VXLAN_VNI_NOT_FOUND"), "packets", 9)),
    ("unknown-protocol", "warning", "20/s packets of a protocol that this host does not take, most are ESP",
     lambda w: w.frames("protocols", 50, pps=20).frames("protocols", 6, pps=900).stack(IpInUnknownProtos=20)),
    ("unknown-protocol", "info", "3/s packets of a protocol that this host does not take, most are GRE",
     lambda w: w.frames("protocols", 47, pps=3).stack(IpInUnknownProtos=3)),
    ("conntrack-invalid", "warning", "Connection tracking finds 300/s packets invalid",
     lambda w: w.rate("conntrack_events", (), "invalid", 300).stack(IpInReceives=1_000)),
    ("conntrack-invalid", "info", "Connection tracking finds 30/s packets invalid",
     lambda w: w.rate("conntrack_events", (), "invalid", 30).stack(IpInReceives=1_000)),
    ("dropped-on-this-host", "warning",
     "This host drops its own TCP: 200/s by nftables or iptables on the way out",
     lambda w: own_output(w, 200)),
    ("tcp-retransmits", "warning", "TCP sends 15 % of its segments again",
     lambda w: w.stack(TcpExtTCPOrigDataSent=300, TcpRetransSegs=45)),
    ("tx-drops", "warning", "40/s packets dropped on the way out",
     lambda w: w.rate("qdiscs/eth0", ("eth0", "tbf", "1:"), "drops", 40).rate(
         "links/eth0", ("eth0",), "tx_packets", 10_000)),
    ("link-saturated", "warning", "Link saturated: RX uses 90 % of 10G",
     lambda w: fast(w).frames("protocols", 6, pps=9e9 / 8 / 1024, size=1000)),
    ("link-saturated", "critical", "Link saturated: RX uses 97 % of 10G",
     lambda w: fast(w).frames("protocols", 6, pps=9.7e9 / 8 / 1024, size=1000)),
    ("rx-ring-overflow", "critical", "RX ring overflows: 500/s lost before the kernel saw them",
     lambda w: w.rate("links/eth0", ("eth0",), "rx_missed_errors", 500).rate(
         "links/eth0", ("eth0",), "rx_packets", 100_000)),
    ("rx-crc-errors", "warning", "Bad frames from the wire: 1/s",
     lambda w: w.rate("links/eth0", ("eth0",), "rx_crc_errors", 1)),
    ("no-carrier", "critical", "No carrier on eth0: nothing can be sent or received",
     lambda w: w.level("links/eth0", ("eth0",), rx_packets=7).facts(state="down", admin_up=True, carrier=False)),
    ("no-carrier", "info", "No carrier on eth0: nothing can be sent or received",
     lambda w: w.facts(state="down", admin_up=True, carrier=False)),
    ("no-carrier", "critical", "The link flaps: carrier lost 3 times in 3 s",
     lambda w: w.rate("links/eth0", ("eth0",), "carrier_changes", 2)),
    ("no-route-out", "warning", "No route to the destination: 20/s packets not sent",
     lambda w: w.stack(IpOutNoRoutes=20)),
    ("no-route-out", "warning", "No route to 203.0.113.9: 20/s packets not sent",
     lambda w: w.stack(IpOutNoRoutes=20).level("destinations", ("no route", "203.0.113.9", "curl"), packets=60)),
    ("no-route-out", "warning", "No route to 2001:db8:9::9: 20/s packets not sent",
     lambda w: w.stack(Ip6OutNoRoutes=20, Ip6OutRequests=50).level(
         "destinations", ("no route", "2001:db8:9::9", "curl"), packets=60)),
    ("no-route-out", "info", "No route to IPv6 destinations: 20/s", lambda w: w.stack(Ip6OutNoRoutes=20)),
    ("no-route-out", "warning", "A route refuses packets to 203.0.113.9: 20/s packets not sent",
     lambda w: w.stack(IpOutNoRoutes=2).rate("rejected_sends", ("4", "sent"), "packets", 18).level(
         "destinations", ("no route", "203.0.113.9", "curl"), packets=60)),
    ("no-route-out", "info", "A route refuses packets to IPv6 destinations: 20/s",
     lambda w: w.rate("rejected_sends", ("6", "sent"), "packets", 20)),
    ("no-route-out", "info", "A route refuses packets that are to be forwarded: 20/s",
     lambda w: w.rate("rejected_sends", ("4", "forwarded"), "packets", 20)),
    ("routing-loop", "warning", "Routing loop likely: the TTL of 30/s forwarded packets ends here",
     lambda w: w.stack(IpInHdrErrors=30, IpForwDatagrams=2_000)),
    ("port-scan", "warning", "Connection attempts refused: 200/s, a port scan or a service that is not running",
     lambda w: w.frames("protocols", 6, pps=250).frames("tcp_flags", "syn", pps=250).frames(
         "tcp_flags", "rst", pps=200, direction="tx")),
    ("port-scan", "warning", "Port scan by TCP segments that no program sends: 1.80 k/s refused",
     lambda w: w.frames("protocols", 6, pps=2_000).frames("tcp_flags", "rst", pps=2_000, direction="tx").level(
         "refused_ports", ("TCP odd flags", 0), packets=900).level("refused_ports", ("TCP other", 0), packets=100)),
    ("multicast-flood", "warning", "Multicast flood: 2.00 k/s",
     lambda w: w.frames("protocols", 17, pps=2_000).frames("joint", "ipv4", "multicast", "<=64", pps=2_000)),
    ("multicast-flood", "warning", "Flood of group membership messages: 300/s",
     lambda w: w.frames("protocols", 2, pps=300)),
    ("broadcast-storm", "warning", "Storm of neighbour solicitations: 700/s",
     lambda w: w.frames("protocols", 58, pps=700).frames("icmp_types", "icmpv6", 135, pps=700)),
    ("dropped-on-this-host", "warning", "This host drops its own TCP: 300/s by nftables or iptables",
     lambda w: w.rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 300).rate(
         "links/eth0", ("eth0",), "rx_packets", 9_000).stack(TcpInSegs=10_000, TcpExtTCPOFOQueue=300)),
    ("dropped-on-this-host", "warning", "This host drops its own TCP: 300/s by a tc program or filter on the way out",
     lambda w: w.rate("drops", ("eth0", "TC_EGRESS"), "packets", 300).rate(
         "links/eth0", ("eth0",), "tx_packets", 9_000).stack(TcpOutSegs=90_000)),
    ("dropped-on-this-host", "info", "This host drops packets: 300/s by a tc program or filter on the way in",
     lambda w: w.rate("drops", ("eth0", "TC_INGRESS"), "packets", 300).rate(
         "links/eth0", ("eth0",), "rx_packets", 9_000)),
    ("neighbour-unresolved", "critical", "The default gateway does not answer: 10.0.0.254 on eth0",
     lambda w: w.rate("drops", ("eth0", "NEIGH_FAILED"), "packets", 9).level(
         "unresolved_neighbours", ("eth0", "10.0.0.254", "default gateway"), since_ms=900)),
    ("neighbour-unresolved", "warning", "A neighbour does not answer: 10.0.0.9 on eth0",
     lambda w: w.rate("drops", ("eth0", "NEIGH_FAILED"), "packets", 9).level(
         "unresolved_neighbours", ("eth0", "10.0.0.9", ""), since_ms=900)),
    ("neighbour-unresolved", "warning", "A neighbour does not answer: 2001:db8::9 on eth0",
     lambda w: w.stack(Icmp6OutDestUnreachs=9).level(
         "unresolved_neighbours", ("eth0", "2001:db8::9", ""), since_ms=900)),
    ("connect-unanswered", "warning",
     "No answer to connection requests: 5/s SYNs sent again, most to 10.0.0.9:443 by curl[7]",
     lambda w: w.stack(TcpExtTCPSynRetrans=5, TcpActiveOpens=9).level(
         "connecting_sockets", (4, "10.0.0.9", 443, 5, "curl[7]"), retransmits=2)),
    ("mtu-black-hole", "warning", "MTU black hole likely: segments of 1448 B to 10.0.0.9:443 never arrive",
     lambda w: timed_out(w, queued_bytes=30_000, acked_bytes=301)),
    ("mtu-black-hole", "warning",
     "Packets too large for the next link: 40/s, and their senders do not send smaller ones",
     lambda w: w.stack(IpFragFails=40, IpForwDatagrams=500)),
    ("port-exhaustion", "warning", "Local ports run out: 85 % in use from 10.0.0.1 to 10.0.0.9 port 443",
     lambda w: ports(w, 850)),
    ("port-exhaustion", "critical", "Local ports run out: 99 % in use from 10.0.0.1 to 10.0.0.9 port 443",
     lambda w: ports(w, 990)),
    ("zero-window", "warning", "A program does not read: 300 kB from 10.0.0.9:443 wait for curl[7]",
     lambda w: w.level("stalled_sockets", (4, "10.0.0.9", 443, 5, "curl[7]"), receive_queue_bytes=300_000)),
    ("zero-window", "info", "A peer does not read: 10.0.0.9:443 takes no more from curl[7]",
     lambda w: w.level("stalled_sockets", (4, "10.0.0.9", 443, 5, "curl[7]"), send_queue_bytes=9, window_probe=1)),
    ("xdp-drops", "info", "An XDP program drops 300/s, 50 % of what arrives",
     lambda w: w.rate("xdp_verdicts/eth0", ("eth0", 31, "DROP"), "packets", 300).rate(
         "xdp_verdicts/eth0", ("eth0", 31, "PASS"), "packets", 300)),
    ("loss-before-us", "info", "3 % of received TCP segments come out of order",
     lambda w: w.stack(TcpInSegs=10_000, TcpExtTCPOFOQueue=300)),
    ("bond-leg-lost", "warning", "Bond has lost 1 of 2 legs: eth5",
     lambda w: w.facts(facts=DeviceFacts(bond=Bond("802.3ad", None, (BondLeg("eth4", True), BondLeg("eth5", False)))))),
    ("irq-wrong-numa", "info", "1 of 1 interrupts are handled far from NUMA node 0",
     lambda w: w.frames("protocols", 6, pps=20_000).facts(
         facts=DeviceFacts(numa_node=0, numa_cpus=(0,), irqs=(Irq(9, "eth0", (1,), (1,)),)))),
]  # fmt: skip


def timed_out(world: World, inode: int = 5, **columns: int) -> World:
    """Let a connection to 10.0.0.9 stand still that was answered just before."""
    usual = {"retransmits": 4, "segment_bytes": 1448, "timer_ms": 3200, "since_ack_ms": 4000, "path_mtu": 1500}
    columns.setdefault("peer_acked_bytes", columns["acked_bytes"])
    return world.level("timed_out_sockets", (4, "10.0.0.9", 443, inode, "curl[7]"), **{**usual, **columns})


def own_output(world: World, dropped: int) -> World:
    """Let the firewall drop some of 5 000 segments a second that this host sends."""
    world.rate("drops", ("", "NETFILTER_DROP"), "packets", dropped).rate("links/eth0", ("eth0",), "tx_packets", 5_000)
    return world.stack(TcpOutSegs=5_000, IpOutRequests=5_000, IpOutTransmits=5_000 - dropped)


def memory(world: World, used: int, orphans: int = 0) -> World:
    world.level("socket_memory", (), tcp_memory_pages=used, tcp_orphans=orphans)
    limits = {"net.ipv4.tcp_mem.pressure": 750, "net.ipv4.tcp_mem.max": 1000, "net.ipv4.tcp_max_orphans": 100}
    for name, value in limits.items():
        world.level("sysctls", (name,), value=value)
    return world


@pytest.mark.parametrize(("rule", "severity", "title", "setup"), RAISED, ids=[f"{r}-{s}" for r, s, _, _ in RAISED])
def test_rule_is_raised_and_cleared(rule: str, severity: str, title: str, setup: Setup) -> None:
    world = World()
    watch = Watch(world)
    setup(world)
    watch.run({"rx-ring-overflow": 20, "cpu-imbalance": 40}.get(rule, 5))
    finding = watch.finding(rule)
    assert finding is not None, watch.now
    assert (finding.severity, finding.title) == (severity, title)
    assert finding.evidence
    assert finding.next_steps
    assert finding.why
    assert (finding.value is None) == title.startswith("No carrier")  # a state, and no number
    if finding.value is not None:
        assert finding.value.now is not None
        assert finding.value.peak >= finding.value.raise_at
        assert finding.value.below_since_ns is None
    world.quiet()
    for family in (
        "unresolved_neighbours",
        "connecting_sockets",
        "stalled_sockets",
        "port_use",
        "address_moves",
        "timed_out_sockets",
        "address_claims",
        "bpf_maps",
    ):
        world.absent(family)
    world.level("conntrack", (), entries=0, max_entries=100).facts(facts=None, state="up", admin_up=True, carrier=True)
    memory(world, used=0)
    watch.run(15)
    assert watch.finding(rule) is None


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES} - {rule for rule, *_ in RAISED} == {
        "packet-storm",
        "rx-dropped-harmless",
        "service-gone",
    }


QUIET: dict[str, Setup] = {
    "a server that accepts what comes": lambda w: syn_flood(w).stack(TcpPassiveOpens=4_900),
    "few SYNs that a firewall drops": lambda w: w.frames("tcp_flags", "syn", pps=900).frames("protocols", 6, pps=900),
    "resets that close health checks": lambda w: w.frames("protocols", 6, pps=6_000).frames(
        "tcp_flags", "rst", pps=2_000).stack(TcpPassiveOpens=2_000, TcpEstabResets=2_000),
    "a recursive resolver": lambda w: udp_answers(w, requests=4_900),
    "small answers nobody asked for are no amplification": lambda w: udp_answers(w, size=90),
    "UDP that is read": lambda w: w.frames("protocols", 17, pps=200_000, cpu=0).frames(
        "protocols", 17, pps=200_000, cpu=1).stack(UdpInDatagrams=400_000),
    "retransmissions of next to nothing": lambda w: w.stack(
        TcpOutSegs=100, TcpExtTCPOrigDataSent=100, TcpRetransSegs=20),
    "healthy bulk TCP": lambda w: w.stack(TcpOutSegs=90_000, TcpExtTCPOrigDataSent=90_000, TcpRetransSegs=400),
    "one drop on the way out": lambda w: w.rate("qdiscs/eth0", ("eth0", "tbf", "1:"), "drops", 0.3),
    "a backlog that lost five": lambda w: w.rate("softnet", (0,), "dropped", 5),
    "a link that came up": lambda w: w.rate("links/eth0", ("eth0",), "carrier_changes", 0.04),
    "a link that is switched off": lambda w: w.facts(state="down", admin_up=False, carrier=False),
    "a bridge without a port": lambda w: w.facts(kind="bridge", state="down", admin_up=True, carrier=False),
    "a host without IPv6 asked for IPv6": lambda w: w.stack(Ip6OutNoRoutes=50, Ip6OutRequests=0.2),
    "traceroute through a router": lambda w: w.stack(IpInHdrErrors=5, IpForwDatagrams=20_000),
    "bad checksums on a router are no loop": lambda w: w.stack(
        IpInHdrErrors=9, IpExtInCsumErrors=9, IpForwDatagrams=20_000),
    "streams that a program reads": lambda w: w.frames("protocols", 17, pps=2_000).frames(
        "joint", "ipv4", "multicast", "1024-1518", pps=2_000).stack(UdpInDatagrams=2_000),
    "a memcached client over UDP": lambda w: udp_answers(w, requests=200).stack(UdpNoPorts=0, UdpInDatagrams=5_000),
    "a mirror port with DNS answers to others": lambda w: udp_answers(w).stack(
        IpInReceives=20, UdpNoPorts=0, UdpInDatagrams=0),
    "8 kB datagrams in six fragments each": lambda w: w.frames("protocols", 17, pps=6_000, size=1_400).frames(
        "fragments", "first", pps=1_000).frames("fragments", "later", pps=5_000).stack(
        IpReasmReqds=6_000, IpReasmOKs=1_000, UdpInDatagrams=1_000),
    "a shaper that slows TCP down": lambda w: w.rate("qdiscs/eth0", ("eth0", "tbf", "1:"), "drops", 19).rate(
        "links/eth0", ("eth0",), "tx_packets", 400).stack(TcpExtTCPOrigDataSent=8_000, TcpRetransSegs=20),
    "one ping to a neighbour that is down": lambda w: w.rate("drops", ("eth0", "NEIGH_FAILED"), "packets", 0.3).level(
        "unresolved_neighbours", ("eth0", "10.0.0.9", ""), since_ms=900),
    "SYN+ACKs sent again to clients": lambda w: w.stack(TcpExtTCPSynRetrans=50, TcpActiveOpens=9),
    "half of the ports towards a busy backend": lambda w: ports(w, 500),
    "one slow server among many": lambda w: w.stack(TcpExtTCPSynRetrans=2, TcpActiveOpens=900).level(
        "connecting_sockets", (4, "10.0.0.9", 443, 5, "curl[7]"), retransmits=1),
    "a firewall that drops what TCP does not miss": lambda w: w.rate(
        "drops", ("eth0", "NETFILTER_DROP"), "packets", 500).rate("links/eth0", ("eth0",), "rx_packets", 9_000).stack(
        TcpInSegs=9_000, TcpRetransSegs=20),
    "a router that tells senders of a small MTU": lambda w: w.stack(IpFragFails=40, IpForwDatagrams=9_000),
    "a peer that went down during an upload": lambda w: timed_out(w, queued_bytes=90_000, acked_bytes=2_000_000),
    "a peer that is down": lambda w: timed_out(
        timed_out(w, 6, queued_bytes=200, acked_bytes=1), queued_bytes=30_000, acked_bytes=301),
    "a peer that went down while nothing was sent": lambda w: timed_out(
        w, queued_bytes=30_000, acked_bytes=301, since_ack_ms=900_000),
    "a path that loses much, and carries full-sized segments": lambda w: timed_out(
        w, queued_bytes=30_000, acked_bytes=301, peer_acked_bytes=40_000),
    "a few segments sent again, of few": lambda w: w.stack(TcpExtTCPOrigDataSent=300, TcpRetransSegs=20),
    "a firewall that drops on an interface that is not watched": lambda w: own_output(w, 200).stack(
        IpOutTransmits=5_000),
    "a policy that blocks a little of what is sent": lambda w: own_output(w, 20),
    "segments lost by chance": lambda w: timed_out(w, queued_bytes=30_000, acked_bytes=301, retransmits=2),
    "a single flow on a CPU that has time left": lambda w: busy_cpu(w, 0.3),
    "a standby host takes an address over": lambda w: w.level("address_moves", _MOVED, moves=1).level(
        "address_claims", _MOVED, moves=1),
    "a virtual machine migrates": lambda w: w.level(
        "address_moves", ("bridge", "br0", "02:07", "port1", "port2"), moves=1),
    "a change of IPsec keys": lambda w: w.stack(XfrmInNoStates=0.4),
    "VXLAN networks that share a multicast group": lambda w: w.rate(
        "drops", ("eth0", "VXLAN_VNI_NOT_FOUND"), "packets", 40).frames("protocols", 17, pps=100).frames(
        "joint", "ipv4", "multicast", "128-255", pps=90),
    "late segments of closed connections": lambda w: w.rate("conntrack_events", (), "invalid", 50).stack(
        IpInReceives=20_000),
    "ARP of a large network": lambda w: w.frames("protocols", 256, pps=300).frames("protocols", 6, pps=5_000),
}  # fmt: skip


@pytest.mark.parametrize("what", QUIET)
def test_healthy_traffic_raises_no_warning(what: str) -> None:
    world = World()
    watch = Watch(world)
    watch.run(20)
    QUIET[what](world)
    for _ in range(30):
        watch.run(1)
        loud = [f for f in watch.now.findings if f.severity != "info"]
        assert loud == []


def test_drops_of_a_token_bucket_are_no_black_hole() -> None:
    world = World().rate("qdiscs/eth0", ("eth0", "tbf", "1:"), "drops", 3)
    watch = Watch(world)
    watch.run(10)
    timed_out(world, queued_bytes=30_000, acked_bytes=301)
    assert watch.until("mtu-black-hole", 20) is None
    world.rate("qdiscs/eth0", ("eth0", "tbf", "1:"), "drops", 0)
    assert watch.until("mtu-black-hole", 20) is not None


def test_packet_storm_with_losses_needs_no_baseline() -> None:
    world = World().frames("protocols", 6, pps=50_000)
    watch = Watch(world)
    watch.run(5)
    assert watch.finding("packet-storm") is None
    assert "packet-storm" in watch.now.waiting
    world.rate("softnet", (0,), "dropped", 2_000)
    watch.run(4)
    finding = watch.finding("packet-storm")
    assert finding is not None
    assert finding.severity == "warning"
    assert finding.title == "Packet storm: 50.0 kpps, 4 % of it lost"


def test_packet_storm_without_loss_is_info() -> None:
    world = World().frames("protocols", 6, pps=100)
    watch = Watch(world)
    watch.run(20)
    world.frames("protocols", 6, pps=50_000)
    watch.run(4)
    finding = watch.finding("packet-storm")
    assert finding is not None
    assert finding.severity == "info"
    assert finding.why == "TCP grew from 100 pps to 50.0 kpps; 100 % of all on CPU 0"
    world.rate("softnet", (0,), "dropped", 500)
    watch.run(4)
    finding = watch.finding("packet-storm")
    assert finding is not None
    assert finding.severity == "warning"


def test_reset_storm_against_its_baseline() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "rst", pps=5)
    watch = Watch(world)
    watch.run(20)
    world.frames("tcp_flags", "rst", pps=300)
    assert watch.until("rst-storm", 5) is not None


def test_harmless_drops_need_ten_minutes() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_dropped", 5).rate("links/eth0", ("eth0",), "rx_packets", 100)
    watch = Watch(world)
    watch.run(500)
    assert watch.finding("rx-dropped-harmless") is None
    watch.run(110)
    finding = watch.finding("rx-dropped-harmless")
    assert finding is not None
    assert finding.severity == "info"


def test_syn_flood_check_does_not_apply_to_forwarded_syns() -> None:
    world = syn_flood(World()).stack(IpForwDatagrams=4_000)
    watch = Watch(world)
    watch.run(5)
    assert watch.finding("syn-flood") is None
    assert "forwards" in watch.now.not_applicable["syn-flood"]


def test_rules_that_need_a_program_are_blind_without() -> None:
    world = World(replace(ETH0, hooks={}))
    for name in [name for name in world._cells if name.endswith(("/rx", "/tx"))]:
        del world._cells[name]
    watch = Watch(world)
    watch.run(5)
    assert "no program counts" in watch.now.blind["icmp-flood"]
    assert "accept-queue-overflow" not in watch.now.blind


def test_cpu_imbalance_names_the_first_cause() -> None:
    world = busy_cpu(World(), 0.9)
    watch = Watch(world)
    watch.run(4)
    finding = watch.finding("cpu-imbalance")
    assert finding is not None
    assert finding.why == "eth0 has one RX queue and RPS is off"
    queues = tuple(Queue("rx", i, ()) for i in range(4))
    pinned = tuple(Irq(24 + i, f"eth0-{i}", (0,), (0,)) for i in range(4))
    world.facts(facts=DeviceFacts(queues=queues, irqs=pinned))
    watch.run(1)
    finding = watch.finding("cpu-imbalance")
    assert finding is not None
    assert finding.why == "all interrupts of eth0 are pinned to CPU 0"
    traffic = ("eth0", "rx", "10.0.0.1", "10.0.0.2", 1, 2, 17)
    world.rate("flows/eth0/rx", traffic, "packets", 49_000)
    watch.run(4)
    finding = watch.finding("cpu-imbalance")
    assert finding is not None
    assert finding.why == (
        "one flow is 98 % of the packets, 10.0.0.1 port 1 to 10.0.0.2 port 2: no queue can spread it"
    )


def test_backlog_overflow_for_a_minute_is_critical() -> None:
    world = World().rate("softnet", (0,), "dropped", 20)
    world.level("sysctls", ("net.core.netdev_max_backlog",), value=1000)
    watch = Watch(world)
    watch.run(10)
    finding = watch.finding("backlog-overflow")
    assert finding is not None
    assert finding.severity == "warning"
    watch.run(60)
    finding = watch.finding("backlog-overflow")
    assert finding is not None
    assert finding.severity == "critical"


def test_service_that_ended_is_named_by_its_port() -> None:
    world = World().stack(UdpInDatagrams=180, UdpNoPorts=2)
    watch = Watch(world)
    watch.run(20)
    world.stack(UdpInDatagrams=30, UdpNoPorts=152).level("closed_ports", ("UDP", 9200), since_ms=3000)
    watch.run(4)
    finding = watch.finding("service-gone")
    assert finding is not None
    assert finding.title == "A UDP service on port 9200 has ended and is still asked: 152/s datagrams refused"
    assert finding.evidence[1:] == (
        "served 30/s; in the minute before 180/s, refused 2/s",
        "UDP port 9200: last seen open 3 s ago",
    )
    refused = watch.finding("udp-port-unreachable")
    assert refused is not None
    assert refused.explained_by == "service-gone"
    world.stack(UdpInDatagrams=180, UdpNoPorts=2)
    watch.run(6)
    assert watch.finding("service-gone") is None


def test_scan_beside_a_service_is_no_service_that_ended() -> None:
    world = World().stack(UdpInDatagrams=1_000, TcpPassiveOpens=200)
    watch = Watch(world)
    watch.run(20)
    world.stack(UdpInDatagrams=940, UdpNoPorts=60, TcpPassiveOpens=190, TcpOutRsts=300)
    watch.run(8)
    assert watch.finding("service-gone") is None


def test_a_service_that_may_have_ended_waits_for_a_baseline() -> None:
    world = World().stack(UdpNoPorts=152)
    watch = Watch(world)
    watch.run(6)
    assert watch.finding("service-gone") is None
    assert watch.now.waiting["service-gone"] == NO_BASELINE


def _started_after_the_end(**refused: float) -> World:
    """Return a namespace that has served a million datagrams, and refuses 152 a second since before bpftop began."""
    world = World().stack(UdpInDatagrams=1_000_000)
    world.advance()
    return world.quiet().stack(**(refused or {"UdpNoPorts": 152}))


def test_service_that_ended_before_is_named_by_the_asked_port() -> None:
    world = _started_after_the_end().level("refused_ports", ("UDP", 9200), packets=1_460)
    world.level("refused_ports", ("UDP", 137), packets=40)
    watch = Watch(world)
    watch.run(4)
    finding = watch.finding("service-gone")
    assert finding is not None
    assert finding.title == "UDP port 9200 is asked and no program listens there: 152/s datagrams refused"
    assert finding.evidence[1] == "served 0/s; since this namespace began 1.00 M served and 608 refused"
    watch.run(70)
    assert watch.finding("service-gone") is not None, "the baseline of a fault is no baseline"
    world.stack(UdpNoPorts=0)
    watch.run(6)
    assert watch.finding("service-gone") is None


NOT_ONE_SERVICE: dict[str, Setup] = {
    "a scan of many ports": lambda w: w.level("refused_ports", ("UDP", 137), packets=800),
    "others are served as before": lambda w: w.stack(UdpInDatagrams=20),
    "a flood": lambda w: w.stack(UdpNoPorts=12_000),
}


@pytest.mark.parametrize("case", NOT_ONE_SERVICE)
def test_refused_requests_wait_for_a_baseline(case: str) -> None:
    world = _started_after_the_end().level("refused_ports", ("UDP", 9200), packets=1_000)
    NOT_ONE_SERVICE[case](world)
    watch = Watch(world)
    watch.run(6)
    assert watch.finding("service-gone") is None
    assert watch.now.waiting["service-gone"] == NO_BASELINE


def test_interface_switched_off_and_on_is_no_flapping_link() -> None:
    world = World()
    watch = Watch(world)
    watch.run(5)
    for up in (False, True) * 4:
        world.rate("links/eth0", ("eth0",), "carrier_changes", 1).facts(
            state="up" if up else "down", admin_up=up, carrier=up
        )
        watch.run(1)
        assert watch.finding("no-carrier") is None
        world.rate("links/eth0", ("eth0",), "carrier_changes", 0)
        watch.run(3)
        assert watch.finding("no-carrier") is None


def test_link_that_flaps_slowly_is_found_within_a_short_watch() -> None:
    world = World()
    watch = Watch(world)
    watch.run(2)
    world.rate("links/eth0", ("eth0",), "carrier_changes", 1)  # a loss every two seconds
    watch.run(6)
    world.rate("links/eth0", ("eth0",), "carrier_changes", 0)
    watch.run(1)
    finding = watch.finding("no-carrier")
    assert finding is not None
    assert finding.title == "The link flaps: carrier lost 3 times in 7 s"
