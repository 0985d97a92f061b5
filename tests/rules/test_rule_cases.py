"""Cases in which a rule was once wrong: false alarms, false causes, blindness without need, delays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.model.device import DeviceFacts, Irq, Queue
from bpftop.model.findings import Finding, Severity
from bpftop.model.sample import BEING_LOADED, Hook
from bpftop.rules.engine import fold
from tests.rules.world import ETH0, Watch, World

ETH1 = replace(ETH0, label="eth1", name="eth1", ifindex=3)
SECOND = 10**9


def require_finding(watch: Watch, rule: str) -> Finding:
    finding = watch.finding(rule)
    assert finding is not None, watch.now
    return finding


def observer(world: World) -> World:
    """Remove all counts of programs; rtnetlink, softnet and stack counters remain."""
    world.facts(hooks={})
    for name in [name for name in world._cells if name.endswith(("/rx", "/tx"))]:
        world.absent(name, "")
    return world


# Accept queues and SYNs (net/ipv4/tcp_input.c: tcp_conn_request)


def test_full_syn_queue_is_no_accept_queue_overflow() -> None:
    """ListenDrops also counts every SYN that finds the SYN queue full."""
    watch = Watch(World().stack(TcpExtListenDrops=900, TcpExtListenOverflows=0.4, TcpExtTCPReqQFullDrop=899))
    watch.run(6)
    assert watch.finding("accept-queue-overflow") is None


def test_slow_server_is_no_syn_flood() -> None:
    """Clients repeat their SYNs, and the kernel counts an overflow for each SYN that it drops."""
    world = World().frames("protocols", 6, pps=2_000).frames("tcp_flags", "syn", pps=2_000)
    world.stack(IpInReceives=2_000, TcpExtListenOverflows=1_950, TcpExtListenDrops=1_950, TcpPassiveOpens=20,
                TcpExtTCPReqQFullDoCookies=1_950)  # fmt: skip
    watch = Watch(world)
    watch.run(6)
    assert require_finding(watch, "accept-queue-overflow").severity == "critical"
    assert watch.finding("syn-flood") is None


def test_syn_flood_whose_answers_have_no_route_says_so() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=5_000, IpOutNoRoutes=4_900))
    watch.run(4)
    assert require_finding(watch, "syn-flood").why == (
        "this host has no route back to most senders: 4.90 k/s answers had none (OutNoRoutes)"
    )
    assert require_finding(watch, "no-route-out").explained_by == "syn-flood"


def test_syn_flood_whose_resets_have_no_route_says_so() -> None:
    """The kernel counts a reset even where it finds no route for it."""
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=5_000, TcpOutRsts=4_900))
    watch.run(6)
    assert require_finding(watch, "syn-flood").why == (
        "nobody listens where most SYNs are sent to: 4.90 k/s resets (TcpOutRsts) are made and do not leave by this "
        "interface, so that there is no route back to the senders, or another one"
    )


def test_syn_flood_check_does_not_apply_to_bridged_syns() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=30))
    watch.run(6)
    assert watch.finding("syn-flood") is None
    assert "bridged" in watch.now.not_applicable["syn-flood"]


def test_router_with_full_syn_queue_is_warned() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=5_000, IpForwDatagrams=4_000, TcpExtTCPReqQFullDrop=50))
    watch.run(6)
    assert require_finding(watch, "syn-flood").severity == "warning"


def test_full_syn_queue_without_a_program() -> None:
    watch = Watch(observer(World().stack(TcpExtTCPReqQFullDoCookies=50)))
    watch.run(6)
    assert require_finding(watch, "syn-flood").severity == "warning"
    watch.world.quiet()
    watch.run(15)
    assert "no program counts" in watch.now.blind["syn-flood"]


@pytest.mark.parametrize(("waiting", "cause"), [(850, "TIME-WAIT"), (20, "connections stay open")])
def test_ports_are_used_up_by_closed_or_by_open_connections(waiting: int, cause: str) -> None:
    world = World().level("sockstat", (), tcp_time_wait=waiting)
    watch = Watch(world.level("port_use", (4, "10.0.0.1", "10.0.0.9", 443), used=850, ports=1000))
    watch.run(5)
    assert cause in require_finding(watch, "port-exhaustion").why


def test_refusing_route_without_its_counts() -> None:
    """The check is blind, but not while the program is loaded, nor where the kernel's own counter is enough."""
    watch = Watch(World().absent("rejected_sends", "packets that a route refuses: it takes CAP_BPF"))
    watch.run(3)
    assert "CAP_BPF" in watch.now.blind["no-route-out"]
    watch.world.stack(IpOutNoRoutes=20)
    watch.run(3)
    assert require_finding(watch, "no-route-out").title.startswith("No route to the destination: 20/s")
    loading = Watch(World().absent("rejected_sends", f"packets that a route refuses: {BEING_LOADED}"))
    loading.run(3)
    assert "no-route-out" not in loading.now.blind


def test_resets_are_no_storm_until_their_cause_is_sampled() -> None:
    """A scan by odd flags has its own name from the first on."""
    world = World().frames("protocols", 6, pps=2_000).frames("tcp_flags", "rst", pps=2_000, direction="tx")
    watch = Watch(world.absent("refused_ports", f"refused ports: {BEING_LOADED}"))
    watch.run(4)
    assert watch.finding("rst-storm") is None
    assert "being looked at" in watch.now.waiting["rst-storm"]
    world.unavailable.clear()
    world.level("refused_ports", ("TCP odd flags", 0), packets=2_000)
    watch.run(1)
    assert require_finding(watch, "rst-storm").explained_by == "port-scan"


def test_refused_syns_are_no_flood() -> None:
    """A scan of closed ports, one in ten of them open: the resets are consequences of the scan."""
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    world.stack(IpInReceives=5_000, TcpPassiveOpens=500, TcpOutRsts=4_500)
    watch = Watch(world.frames("tcp_flags", "rst", pps=4_500, direction="tx"))
    watch.run(6)
    assert watch.finding("syn-flood") is None
    assert "no socket listens" in require_finding(watch, "port-scan").why
    assert require_finding(watch, "rst-storm").explained_by == "port-scan"


def test_flood_without_a_way_back_names_the_cause() -> None:
    """SYN+ACKs that have no route never reach the addresses that the SYNs come from."""
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=5_000, IpOutNoRoutes=5_000))
    watch.run(6)
    finding = require_finding(watch, "syn-flood")
    assert "no route" in finding.why
    assert require_finding(watch, "no-route-out").explained_by == "syn-flood"


def test_burst_of_clients_is_no_overflow() -> None:
    """Many clients at once fill the queue for a moment, and their SYNs come again after 1 s."""
    world = World()
    watch = Watch(world)
    watch.run(20)
    for per_sec in (900, 40, 0, 0, 0, 0):
        world.stack(TcpExtListenOverflows=per_sec, TcpExtListenDrops=per_sec)
        watch.run(1)
        assert watch.finding("accept-queue-overflow") is None


def test_resets_are_found_from_the_middle() -> None:
    """Without a baseline, a fifth of TCP is enough."""
    world = World().frames("protocols", 6, pps=1_000).frames("tcp_flags", "rst", pps=300)
    watch = Watch(world)
    watch.run(4)
    assert require_finding(watch, "rst-storm").severity == "warning"


# Resets, retransmissions


def test_forwarded_resets_are_no_storm() -> None:
    world = World()
    watch = Watch(world)
    watch.run(20)
    world.frames("protocols", 6, pps=9_000).frames("tcp_flags", "rst", pps=2_000).frames("tcp_flags", "syn", pps=2_000)
    world.frames("tcp_flags", "syn_ack", pps=2_000, direction="tx").stack(IpForwDatagrams=20_000)
    for _ in range(20):
        watch.run(1)
        assert watch.finding("rst-storm") is None


def test_reset_storm_names_its_interface() -> None:
    world = World(ETH0, ETH1).stack(TcpOutRsts=5_000).frames("protocols", 6, pps=6_000)
    world.frames("tcp_flags", "rst", pps=5_000, direction="tx").frames("protocols", 6, pps=6_000, label="eth1")
    watch = Watch(world)
    watch.run(6)
    assert [f.scope_name for f in watch.now.findings if f.id == "rst-storm"] == ["eth0"]


def test_retransmits_need_enough_sent_data() -> None:
    watch = Watch(World().stack(TcpOutSegs=90_000, TcpExtTCPOrigDataSent=50, TcpRetransSegs=5))
    watch.run(10)
    assert watch.finding("tcp-retransmits") is None


# UDP


def test_resolver_without_tx_counts_is_unavailable() -> None:
    world = World(replace(ETH0, hooks={"rx": Hook("xdp", "native")}))
    world.frames("protocols", 17, pps=5_000, size=1_000).frames("udp_ports", 53, pps=5_000, size=1_000)
    for name in [name for name in world._cells if name.endswith("/tx")]:
        del world._cells[name]
    watch = Watch(world)
    watch.run(6)
    assert watch.finding("udp-amplification") is None
    assert "sends" in watch.now.blind["udp-amplification"]


def test_resolver_with_two_interfaces_is_no_victim() -> None:
    world = World(ETH0, ETH1).frames("protocols", 17, pps=5_000, size=1_000)
    world.frames("udp_ports", 53, pps=5_000, size=1_000)
    world.frames("udp_ports", 53, pps=4_900, direction="tx", label="eth1")
    watch = Watch(world)
    watch.run(6)
    assert watch.finding("udp-amplification") is None


def test_udp_flood_names_the_busiest_interface() -> None:
    world = World(ETH0, ETH1).frames("protocols", 17, pps=20_000, cpu=0).stack(UdpNoPorts=90_000)
    watch = Watch(world.frames("protocols", 17, pps=100_000, label="eth1"))
    watch.run(6)
    assert [f.scope_name for f in watch.now.findings if f.id == "udp-flood"] == ["eth1"]


def test_udp_without_memory_names_the_cause() -> None:
    watch = Watch(World().stack(UdpMemErrors=40))
    watch.run(6)
    assert "udp_mem" in require_finding(watch, "udp-socket-overflow").why


# Link and CPUs


def test_ring_loss_in_three_counters_counts_once() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_packets", 100_000)
    for column in ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors"):
        world.rate("links/eth0", ("eth0",), column, 40)
    watch = Watch(world)
    watch.run(15)
    assert require_finding(watch, "rx-ring-overflow").title.startswith("RX ring overflows: 40/s")
    assert require_finding(watch, "rx-ring-overflow").severity == "warning"  # 0.04 %


def test_tx_counters_are_no_rx_ring_overflow() -> None:
    watch = Watch(World().rate("nic/eth0", ("eth0", "tx_missed_timestamps"), "count", 9))
    watch.run(15)
    assert watch.finding("rx-ring-overflow") is None


def test_rule_of_ten_seconds_is_raised_after_ten_seconds() -> None:
    watch = Watch(World().rate("links/eth0", ("eth0",), "rx_missed_errors", 5))
    watch.run(9)
    assert "10 s" in watch.now.waiting["rx-ring-overflow"]  # and is not ruled out
    watch.run(1)
    assert require_finding(watch, "rx-ring-overflow").since_s(watch.world.mono_ns) == 10


def test_device_and_qdisc_drops_add_up() -> None:
    world = World().rate("links/eth0", ("eth0",), "tx_dropped", 7).rate("links/eth0", ("eth0",), "tx_packets", 10_000)
    world.rate("qdiscs/eth0", ("eth0", "htb", "1:"), "drops", 7).rate(
        "qdiscs/eth0", ("eth0", "fq_codel", "10:"), "drops", 7)  # fmt: skip
    watch = Watch(world)
    watch.run(6)
    assert require_finding(watch, "tx-drops").title == "14/s packets dropped on the way out"


def test_drops_with_a_full_backlog_are_not_harmless() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_dropped", 5).rate("links/eth0", ("eth0",), "rx_packets", 100)
    watch = Watch(world)
    world.rate("softnet", (0,), "dropped", 5)
    watch.run(300)
    world.rate("softnet", (0,), "dropped", 0)
    watch.run(310)
    assert watch.finding("rx-dropped-harmless") is None


def test_virtual_device_is_not_blind_to_numa() -> None:
    watch = Watch(World().facts(facts=DeviceFacts(irqs=())))
    watch.run(5)
    assert "irq-wrong-numa" not in watch.now.blind


def test_busiest_interrupt_is_named() -> None:
    queues = tuple(Queue("rx", i, ()) for i in range(4))
    irqs = tuple(Irq(24 + i, f"eth0-{i}", (0, 1), (i % 2,)) for i in range(4))
    world = World().facts(facts=DeviceFacts(queues=queues, irqs=irqs)).frames("protocols", 6, pps=50_000)
    world.rate("irqs/eth0", ("eth0", "26"), "count", 9_000).rate("irqs/eth0", ("eth0", "25"), "count", 100)
    world.rate("cpu_times", (0,), "softirq_ns", 5e8)
    watch = Watch(world)
    watch.run(40)
    assert require_finding(watch, "cpu-imbalance").why.startswith(
        "interrupt 26 eth0-2 is 99 % of the device's: RSS puts"
    )
    assert "on CPU 0: TCP 50.0 kpps" in require_finding(watch, "cpu-imbalance").evidence


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (DeviceFacts(queues=(Queue("rx", 0, (0,)), Queue("rx", 1, (0,)))), "RPS of eth0 names CPU 0 alone"),
        (DeviceFacts(queues=(Queue("rx", 0, ()), Queue("rx", 1, ())), irqs=(Irq(1, "a", (0, 1), (0,)),)),
         "all interrupts of eth0 go to CPU 0, though some may go elsewhere"),
        (DeviceFacts(queues=(Queue("rx", 0, ()), Queue("rx", 1, ())), irqs=(), rss={1: 128}),
         "the RSS table of eth0 names RX queue 1 alone"),
    ],
)  # fmt: skip
def test_cause_of_cpu_imbalance(facts: DeviceFacts, why: str) -> None:
    world = World().facts(facts=facts).frames("protocols", 6, pps=50_000)
    watch = Watch(world.rate("cpu_times", (0,), "softirq_ns", 5e8))
    watch.run(40)
    assert require_finding(watch, "cpu-imbalance").why == why


def test_backlog_overflow_by_rps() -> None:
    world = World().rate("softnet", (1,), "dropped", 200).rate("softnet", (1,), "received_rps", 9_000)
    watch = Watch(world)
    watch.run(5)
    assert require_finding(watch, "backlog-overflow").why == "RPS sends CPU 1 packets faster than it takes them"


def test_backlog_overflow_by_rps_bursts() -> None:
    """Measured: bursts of 6 000 packets, 22 k/s dropped, and 5 interrupts a second from the CPU that steers."""
    world = World().rate("softnet", (1,), "dropped", 22_000).rate("softnet", (1,), "received_rps", 5)
    watch = Watch(world.facts(facts=DeviceFacts(queues=(Queue("rx", 0, (1,)),))))
    watch.run(5)
    assert require_finding(watch, "backlog-overflow").why == "RPS of eth0 sends CPU 1 packets faster than it takes them"


# Traffic


def test_packet_storm_without_baseline_waits() -> None:
    watch = Watch(World().frames("protocols", 6, pps=90_000, cpu=0))
    watch.run(10)
    assert "no baseline yet" in watch.now.waiting["packet-storm"]


def test_packet_storm_without_program_and_softnet() -> None:
    world = observer(World().absent("softnet", "no softnet")).rate("links/eth0", ("eth0",), "rx_packets", 100)
    watch = Watch(world)
    watch.run(20)
    world.rate("links/eth0", ("eth0",), "rx_packets", 50_000)
    watch.run(4)
    assert require_finding(watch, "packet-storm").severity == "info"


def test_packet_storm_names_the_protocol_that_grew() -> None:
    world = World().frames("protocols", 6, pps=4_000).frames("protocols", 17, pps=100)
    watch = Watch(world)
    watch.run(30)
    world.frames("protocols", 6, pps=30_000).frames("protocols", 17, pps=59_900, cpu=1)
    watch.run(4)
    assert require_finding(watch, "packet-storm").why == "UDP grew from 100 pps to 60.0 kpps; 67 % of all on CPU 1"


def test_traceroutes_through_a_router_are_not_malformed() -> None:
    world = World().frames("protocols", 17, pps=5_000).stack(IpInHdrErrors=60, IpForwDatagrams=4_900)
    watch = Watch(world)
    watch.run(10)
    assert watch.finding("malformed-packets") is None
    world.stack(IpExtInCsumErrors=50)
    watch.run(5)
    assert watch.finding("malformed-packets") is not None


def test_icmp_flood_names_the_type() -> None:
    world = World().frames("protocols", 1, pps=9_000).frames("icmp_types", "icmp", 8, pps=8_900)
    watch = Watch(world.frames("icmp_types", "icmp", 0, pps=100))
    watch.run(5)
    assert require_finding(watch, "icmp-flood").why == "99 % of it is icmp type 8 (echo request); 100 % of all on CPU 0"


def test_reassembly_that_times_out_after_the_flood_is_over() -> None:
    """Fragments are given up 30 s after they came, and no fragment comes any more."""
    watch = Watch(World().stack(IpReasmFails=30, IpReasmTimeout=30))
    watch.run(5)
    assert watch.finding("fragment-flood") is None


def test_failing_reassembly_without_a_program() -> None:
    watch = Watch(observer(World().stack(IpReasmReqds=30, IpReasmFails=30, IpReasmTimeout=30)))
    watch.run(5)
    assert require_finding(watch, "fragment-flood").why == "other parts do not come in time: 30/s given up"


def test_bad_checksums_name_the_interface() -> None:
    world = World(ETH0, ETH1).stack(UdpInCsumErrors=9).rate("drops", ("eth1", "UDP_CSUM"), "packets", 9)
    watch = Watch(world)
    watch.run(5)
    assert "by interface: eth1 9/s" in require_finding(watch, "checksum-errors").evidence


def test_firewall_drops_are_raised_at_the_limit_itself() -> None:
    watch = Watch(World().rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 10))
    watch.run(5)
    assert require_finding(watch, "firewall-drops").title == "The firewall drops 10/s"


def test_conntrack_drops_of_a_helper_are_no_full_table() -> None:
    world = World().level("conntrack", (), entries=10, max_entries=1000).rate("conntrack_events", (), "drop", 4)
    watch = Watch(world)
    watch.run(5)
    found = require_finding(watch, "conntrack-full")
    assert found.title == "Connection tracking fails: 4/s dropped"
    assert found.why.startswith("the table has room")


def test_rates_survive_a_cpu_that_goes_offline() -> None:
    world = World().rate("softnet", (0,), "dropped", 50)
    watch = Watch(world)
    watch.run(3)
    world._cells["softnet"].pop((1,))
    watch.run(1)
    assert require_finding(watch, "backlog-overflow").title.startswith("Backlog overflows: 50/s")


def test_wrap_of_a_32_bit_counter_is_no_reset() -> None:
    world = World()
    world._cells["softnet"][(0,)][1] = 2**32 - 100
    watch = Watch(world.rate("softnet", (0,), "dropped", 50))
    for _ in range(6):
        watch.run(1)
        world._cells["softnet"][(0,)][1] %= 2**32
    assert require_finding(watch, "backlog-overflow").title.startswith("Backlog overflows: 50/s")


# Causes


def test_info_finding_becomes_cause_of_a_warning() -> None:
    """cpu-imbalance (info) explains backlog-overflow (warning), and must not hide it."""
    world = World().frames("protocols", 17, pps=50_000).rate("softnet", (0,), "dropped", 200)
    world.facts(facts=DeviceFacts(queues=(Queue("rx", 0, ()),)))
    watch = Watch(world)
    watch.run(6)
    first, second = watch.now.findings
    assert (first.id, first.explained_by, first.explains) == ("backlog-overflow", None, ("cpu-imbalance",))
    assert first.why == "CPU 0 carries 100 % of RX: eth0 has one RX queue and RPS is off"
    assert (second.id, second.severity, second.explained_by) == ("cpu-imbalance", "info", "backlog-overflow")


def test_group_with_the_gravest_finding_comes_first() -> None:
    def finding(rule: str, severity: Severity) -> Finding:
        return Finding(rule, severity, rule, "host", "h", (), "", 0, (), "")

    findings = [finding("a", "warning"), finding("b", "warning"), finding("c", "critical")]
    folded = fold(findings, {"b": ("c",)})
    assert [(f.id, f.explained_by) for f in folded] == [("b", None), ("c", "b"), ("a", None)]
