"""Where rules lied, cried wolf, were blind without need or came late: one test each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.model.device import DeviceFacts, Irq, Queue
from bpftop.model.findings import Finding, Severity
from bpftop.model.sample import Hook
from bpftop.rules.engine import fold
from tests.rules.world import ETH0, Watch, World

ETH1 = replace(ETH0, label="eth1", name="eth1", ifindex=3)
SECOND = 10**9


def found(watch: Watch, rule: str) -> Finding:
    finding = watch.finding(rule)
    assert finding is not None, watch.now
    return finding


def observer(world: World) -> World:
    """Without a program: rtnetlink, softnet and the stack's counters."""
    world.facts(hooks={})
    for name in [name for name in world._cells if name.endswith(("/rx", "/tx"))]:
        world.absent(name, "")
    return world


# Accept queues and SYNs (net/ipv4/tcp_input.c: tcp_conn_request)


def test_drops_of_a_full_syn_queue_are_no_accept_queue_overflow() -> None:
    """ListenDrops counts every SYN that finds the SYN queue full; one overflow among them does not make 900."""
    watch = Watch(World().stack(TcpExtListenDrops=900, TcpExtListenOverflows=0.4, TcpExtTCPReqQFullDrop=899))
    watch.run(6)
    assert watch.finding("accept-queue-overflow") is None


def test_a_server_that_does_not_accept_is_no_syn_flood() -> None:
    """Clients send their SYNs again, and the kernel counts an overflow for each that it drops."""
    world = World().frames("protocols", 6, pps=2_000).frames("tcp_flags", "syn", pps=2_000)
    world.stack(IpInReceives=2_000, TcpExtListenOverflows=1_950, TcpExtListenDrops=1_950, TcpPassiveOpens=20,
                TcpExtTCPReqQFullDoCookies=1_950)  # fmt: skip
    watch = Watch(world)
    watch.run(6)
    assert found(watch, "accept-queue-overflow").severity == "critical"
    assert watch.finding("syn-flood") is None


def test_syns_that_a_bridge_carries_elsewhere_are_unknown() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=30))
    watch.run(6)
    assert watch.finding("syn-flood") is None
    assert "bridged" in watch.now.blind["syn-flood"]


def test_a_host_that_forwards_still_has_syn_queues_of_its_own() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=5_000, IpForwDatagrams=4_000, TcpExtTCPReqQFullDrop=50))
    watch.run(6)
    assert found(watch, "syn-flood").severity == "warning"


def test_a_full_syn_queue_is_seen_without_a_program() -> None:
    watch = Watch(observer(World().stack(TcpExtTCPReqQFullDoCookies=50)))
    watch.run(6)
    assert found(watch, "syn-flood").severity == "warning"
    watch.world.quiet()
    watch.run(15)
    assert "no program counts" in watch.now.blind["syn-flood"]


def test_syns_to_closed_ports_say_so() -> None:
    world = World().frames("protocols", 6, pps=5_000).frames("tcp_flags", "syn", pps=5_000)
    watch = Watch(world.stack(IpInReceives=5_000).frames("tcp_flags", "rst", pps=5_000, direction="tx"))
    watch.run(6)
    assert "nobody listens" in found(watch, "syn-flood").why


# Resets, retransmissions


def test_resets_of_connections_that_are_forwarded_are_no_storm() -> None:
    world = World()
    watch = Watch(world)
    watch.run(20)
    world.frames("protocols", 6, pps=9_000).frames("tcp_flags", "rst", pps=2_000).frames("tcp_flags", "syn", pps=2_000)
    world.frames("tcp_flags", "syn_ack", pps=2_000, direction="tx").stack(IpForwDatagrams=20_000)
    for _ in range(20):
        watch.run(1)
        assert watch.finding("rst-storm") is None


def test_resets_are_said_of_the_interface_that_has_them() -> None:
    world = World(ETH0, ETH1).stack(TcpOutRsts=5_000).frames("protocols", 6, pps=6_000)
    world.frames("tcp_flags", "rst", pps=5_000, direction="tx").frames("protocols", 6, pps=6_000, label="eth1")
    watch = Watch(world)
    watch.run(6)
    assert [f.scope_name for f in watch.now.findings if f.id == "rst-storm"] == ["eth0"]


def test_a_host_that_receives_much_and_sends_little_payload_has_no_share_of_retransmissions() -> None:
    watch = Watch(World().stack(TcpOutSegs=90_000, TcpExtTCPOrigDataSent=50, TcpRetransSegs=5))
    watch.run(10)
    assert watch.finding("tcp-retransmits") is None


# UDP


def test_a_resolver_whose_questions_nobody_counts_is_unknown_and_no_victim() -> None:
    world = World(replace(ETH0, hooks={"rx": Hook("xdp", "native")}))
    world.frames("protocols", 17, pps=5_000, size=1_000).frames("udp_ports", 53, pps=5_000, size=1_000)
    for name in [name for name in world._cells if name.endswith("/tx")]:
        del world._cells[name]
    watch = Watch(world)
    watch.run(6)
    assert watch.finding("udp-amplification") is None
    assert "sends" in watch.now.blind["udp-amplification"]


def test_a_resolver_that_asks_by_another_interface_is_no_victim() -> None:
    world = World(ETH0, ETH1).frames("protocols", 17, pps=5_000, size=1_000)
    world.frames("udp_ports", 53, pps=5_000, size=1_000)
    world.frames("udp_ports", 53, pps=4_900, direction="tx", label="eth1")
    watch = Watch(world)
    watch.run(6)
    assert watch.finding("udp-amplification") is None


def test_a_flood_is_said_of_the_interface_with_most_of_it() -> None:
    world = World(ETH0, ETH1).frames("protocols", 17, pps=20_000, cpu=0).stack(UdpNoPorts=90_000)
    watch = Watch(world.frames("protocols", 17, pps=100_000, label="eth1"))
    watch.run(6)
    assert [f.scope_name for f in watch.now.findings if f.id == "udp-flood"] == ["eth1"]


def test_udp_without_memory_says_so() -> None:
    watch = Watch(World().stack(UdpMemErrors=40))
    watch.run(6)
    assert "udp_mem" in found(watch, "udp-socket-overflow").why


# Link and CPUs


def test_a_loss_that_a_driver_counts_three_times_is_one() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_packets", 100_000)
    for column in ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors"):
        world.rate("links/eth0", ("eth0",), column, 40)
    watch = Watch(world)
    watch.run(15)
    assert found(watch, "rx-ring-overflow").title.startswith("RX ring overflows: 40/s")
    assert found(watch, "rx-ring-overflow").severity == "warning"  # 0.04 %


def test_what_the_driver_missed_to_send_is_no_full_rx_ring() -> None:
    watch = Watch(World().rate("nic/eth0", ("eth0", "tx_missed_timestamps"), "count", 9))
    watch.run(15)
    assert watch.finding("rx-ring-overflow") is None


def test_ten_seconds_are_enough_for_what_must_hold_ten_seconds() -> None:
    watch = Watch(World().rate("links/eth0", ("eth0",), "rx_missed_errors", 5))
    watch.run(9)
    assert "10 s" in watch.now.waiting["rx-ring-overflow"]  # and is not ruled out
    watch.run(1)
    assert found(watch, "rx-ring-overflow").since_s(watch.world.mono_ns) == 10


def test_drops_of_the_device_and_of_its_queue_add_up() -> None:
    world = World().rate("links/eth0", ("eth0",), "tx_dropped", 7).rate("links/eth0", ("eth0",), "tx_packets", 10_000)
    world.rate("qdiscs/eth0", ("eth0", "htb", "1:"), "drops", 7).rate(
        "qdiscs/eth0", ("eth0", "fq_codel", "10:"), "drops", 7)  # fmt: skip
    watch = Watch(world)
    watch.run(6)
    assert found(watch, "tx-drops").title == "14/s packets dropped on the way out"


def test_drops_are_not_harmless_where_a_backlog_was_full_within_the_ten_minutes() -> None:
    world = World().rate("links/eth0", ("eth0",), "rx_dropped", 5).rate("links/eth0", ("eth0",), "rx_packets", 100)
    watch = Watch(world)
    world.rate("softnet", (0,), "dropped", 5)
    watch.run(300)
    world.rate("softnet", (0,), "dropped", 0)
    watch.run(310)
    assert watch.finding("rx-dropped-harmless") is None


def test_a_device_without_interrupts_is_not_blind_to_their_node() -> None:
    watch = Watch(World().facts(facts=DeviceFacts(irqs=())))
    watch.run(5)
    assert "irq-wrong-numa" not in watch.now.blind


def test_one_queue_of_many_is_named_by_its_interrupt() -> None:
    queues = tuple(Queue("rx", i, ()) for i in range(4))
    irqs = tuple(Irq(24 + i, f"eth0-{i}", (0, 1), (i % 2,)) for i in range(4))
    world = World().facts(facts=DeviceFacts(queues=queues, irqs=irqs)).frames("protocols", 6, pps=50_000)
    world.rate("irqs/eth0", ("eth0", "26"), "count", 9_000).rate("irqs/eth0", ("eth0", "25"), "count", 100)
    watch = Watch(world)
    watch.run(6)
    assert found(watch, "cpu-imbalance").why.startswith("interrupt 26 eth0-2 is 99 % of the device's: RSS puts")
    assert "on CPU 0: TCP 50.0 kpps" in found(watch, "cpu-imbalance").evidence


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
def test_why_one_cpu(facts: DeviceFacts, why: str) -> None:
    watch = Watch(World().facts(facts=facts).frames("protocols", 6, pps=50_000))
    watch.run(5)
    assert found(watch, "cpu-imbalance").why == why


def test_a_backlog_that_rps_fills_says_so() -> None:
    world = World().rate("softnet", (1,), "dropped", 200).rate("softnet", (1,), "received_rps", 9_000)
    watch = Watch(world)
    watch.run(5)
    assert found(watch, "backlog-overflow").why == "RPS sends CPU 1 packets faster than it takes them"


def test_rps_by_bursts_is_named_though_it_tells_the_cpu_of_few() -> None:
    """Measured: bursts of 6 000 packets, 22 k/s dropped, and 5 interrupts a second from the CPU that steers."""
    world = World().rate("softnet", (1,), "dropped", 22_000).rate("softnet", (1,), "received_rps", 5)
    watch = Watch(world.facts(facts=DeviceFacts(queues=(Queue("rx", 0, (1,)),))))
    watch.run(5)
    assert found(watch, "backlog-overflow").why == "RPS of eth0 sends CPU 1 packets faster than it takes them"


# Traffic


def test_a_storm_without_a_baseline_is_not_ruled_out() -> None:
    watch = Watch(World().frames("protocols", 6, pps=90_000, cpu=0))
    watch.run(10)
    assert "no baseline yet" in watch.now.waiting["packet-storm"]


def test_a_storm_is_seen_without_a_program_and_without_softnet() -> None:
    world = observer(World().absent("softnet", "no softnet")).rate("links/eth0", ("eth0",), "rx_packets", 100)
    watch = Watch(world)
    watch.run(20)
    world.rate("links/eth0", ("eth0",), "rx_packets", 50_000)
    watch.run(4)
    assert found(watch, "packet-storm").severity == "info"


def test_what_grew_is_named_and_not_what_was_most_before() -> None:
    world = World().frames("protocols", 6, pps=4_000).frames("protocols", 17, pps=100)
    watch = Watch(world)
    watch.run(30)
    world.frames("protocols", 6, pps=30_000).frames("protocols", 17, pps=59_900, cpu=1)
    watch.run(4)
    assert found(watch, "packet-storm").why == "UDP grew from 100 pps to 60.0 kpps; 67 % of all on CPU 1"


def test_traceroutes_through_a_router_are_not_malformed() -> None:
    world = World().frames("protocols", 17, pps=5_000).stack(IpInHdrErrors=60, IpForwDatagrams=4_900)
    watch = Watch(world)
    watch.run(10)
    assert watch.finding("malformed-packets") is None
    world.stack(IpExtInCsumErrors=50)
    watch.run(5)
    assert watch.finding("malformed-packets") is not None


def test_an_icmp_flood_names_the_type() -> None:
    world = World().frames("protocols", 1, pps=9_000).frames("icmp_types", "icmp", 8, pps=8_900)
    watch = Watch(world.frames("icmp_types", "icmp", 0, pps=100))
    watch.run(5)
    assert found(watch, "icmp-flood").why == "99 % of it is icmp type 8 (echo request); 100 % of all on CPU 0"


def test_reassembly_that_fails_is_seen_without_a_program() -> None:
    watch = Watch(observer(World().stack(IpReasmFails=30, IpReasmTimeout=30)))
    watch.run(5)
    assert found(watch, "fragment-flood").why == "other parts do not come in time: 30/s given up"


def test_bad_checksums_name_the_interface() -> None:
    world = World(ETH0, ETH1).stack(UdpInCsumErrors=9).rate("drops", ("eth1", "UDP_CSUM"), "packets", 9)
    watch = Watch(world)
    watch.run(5)
    assert "by interface: eth1 9/s" in found(watch, "checksum-errors").evidence


def test_a_helper_that_drops_does_not_make_an_empty_table_full() -> None:
    world = World().level("conntrack", (), entries=10, max_entries=1000).rate("conntrack_events", (), "drop", 4)
    watch = Watch(world)
    watch.run(5)
    assert found(watch, "conntrack-full").title == "Connection tracking fails: 4/s dropped"


def test_a_cpu_that_goes_offline_leaves_the_others_their_rates() -> None:
    world = World().rate("softnet", (0,), "dropped", 50)
    watch = Watch(world)
    watch.run(3)
    world._cells["softnet"].pop((1,))
    watch.run(1)
    assert found(watch, "backlog-overflow").title.startswith("Backlog overflows: 50/s")


def test_a_counter_of_32_bits_that_wraps_is_no_reset() -> None:
    world = World()
    world._cells["softnet"][(0,)][1] = 2**32 - 100
    watch = Watch(world.rate("softnet", (0,), "dropped", 50))
    for _ in range(6):
        watch.run(1)
        world._cells["softnet"][(0,)][1] %= 2**32
    assert found(watch, "backlog-overflow").title.startswith("Backlog overflows: 50/s")


# Causes


def test_a_note_hides_no_warning_and_is_its_cause() -> None:
    """All packets on one CPU is only worth knowing, and explains a backlog that overflows, which is more."""
    world = World().frames("protocols", 17, pps=50_000).rate("softnet", (0,), "dropped", 200)
    world.facts(facts=DeviceFacts(queues=(Queue("rx", 0, ()),)))
    watch = Watch(world)
    watch.run(6)
    first, second = watch.now.findings
    assert (first.id, first.explained_by, first.explains) == ("backlog-overflow", None, ("cpu-imbalance",))
    assert first.why == "CPU 0 carries 100 % of RX: eth0 has one RX queue and RPS is off"
    assert (second.id, second.severity, second.explained_by) == ("cpu-imbalance", "info", "backlog-overflow")


def test_a_cause_goes_before_what_is_graver_than_others_by_what_follows_from_it() -> None:
    def finding(rule: str, severity: Severity) -> Finding:
        return Finding(rule, severity, rule, "host", "h", (), "", 0, (), "")

    found = [finding("a", "warning"), finding("b", "warning"), finding("c", "critical")]
    folded = fold(found, {"b": ("c",)})
    assert [(f.id, f.explained_by) for f in folded] == [("b", None), ("c", "b"), ("a", None)]
