"""Flows: the table has the sent flows, and switching on and off loses no count and leaves nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import product

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, PadN
from scapy.layers.l2 import ARP, GRE, Dot1Q

from bpftop.collect.bpf import flow_counter, flow_reader
from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest, thinner_request
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import AttachMode, AttachRequest
from bpftop.hooks.steps import ProgramName
from bpftop.kernel._libbpf import lib
from bpftop.kernel.bpf.flow_table import BUCKETS_MAX, FLOW_WAYS, FlowKnobs, FlowTable
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.netns import enter
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Key, Reading
from tests.bpf.devices import ROOT, Lab
from tests.bpf.frame import BROADCAST, Layers, ether, pad
from tests.bpf.harness import context
from tests.bpf.reference import Skb
from tests.bpf.sender import send_exactly, times_sent
from tests.bpf.watching import Watch, is_loaded, watching
from tests.waiting import until

pytestmark = pytest.mark.bpf

SENT = 200_000
OTHER_ETHER = 0x88B5  # IEEE 802: for local experiments
ALL = FlowRequest()


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.veth()
    return lab


def frames() -> list[tuple[bytes, Key | None]]:
    """Return frames, each with its flow."""
    ip4: Layers = IP(src="198.18.9.1", dst="198.18.9.2")
    ip6: Layers = IPv6(src="fd00::9", dst="fd00::a")
    source, target = "198.18.9.1", "198.18.9.2"
    v6 = ("fd00::9", "fd00::a")
    return [
        (bytes(ether() / ip4 / UDP(sport=5000, dport=53) / bytes(100)), (source, target, 5000, 53, 17)),
        (bytes(ether() / ip4 / UDP(sport=5001, dport=53) / bytes(30)), (source, target, 5001, 53, 17)),
        (bytes(ether() / ip4 / TCP(sport=5000, dport=53) / bytes(700)), (source, target, 5000, 53, 6)),
        (
            bytes(ether() / IP(src="198.18.9.3", dst=target) / TCP(sport=65535, dport=1, flags="S")),
            ("198.18.9.3", target, 65535, 1, 6),
        ),
        (bytes(ether() / ip6 / TCP(sport=443, dport=40000, flags="FA")), (*v6, 443, 40000, 6)),
        (bytes(ether() / ip6 / UDP(sport=1, dport=2) / bytes(9)), (*v6, 1, 2, 17)),
        (bytes(ether() / Dot1Q(vlan=7) / ip4 / UDP(sport=7, dport=8) / bytes(50)), (source, target, 7, 8, 17)),
        (bytes(ether() / ip4 / ICMP(type=0) / bytes(56)), (source, target, 0, 0, 1)),
        (bytes(ether() / ip6 / ICMPv6EchoRequest() / bytes(20)), (*v6, 0, 0, 58)),
        (bytes(ether() / ip4 / GRE() / bytes(40)), (source, target, 0, 0, 47)),
        (
            bytes(ether() / IP(src=source, dst=target, flags="MF") / UDP(sport=9, dport=10) / bytes(64)),
            (source, target, 9, 10, 17),
        ),
        (bytes(ether() / IP(src=source, dst=target, frag=9, proto=17) / bytes(72)), (source, target, 0, 0, 17)),
        (bytes(ether() / ip6 / IPv6ExtHdrFragment(nh=6, offset=9) / bytes(64)), (*v6, 0, 0, 6)),
        (bytes(ether() / ip4 / bytes(20)), (source, target, 0, 0, 0)),
        (bytes(ether() / IP(src=source, dst=target, proto=6) / bytes(7)), None),  # malformed
        (pad(ether(BROADCAST) / ARP(), 60), None),
    ]


def of_ours(reading: Reading) -> dict[Key, tuple[int | None, ...]]:
    """Return the rows of the test's addresses only, because the kernels on both sides send packets too."""
    return {key[2:]: row for key, row in reading.totals.items() if str(key[2]).startswith(("198.18.9.", "fd00::"))}


def table(watch: Watch, direction: str = "rx") -> dict[str, Reading]:
    """Return the readings of a direction, by family."""
    counter = next(c for c in watch.attachment.flow_counters if c.direction == direction)
    return {name.partition("/")[0]: reading for name, reading in counter.read(watch.now.label).items()}


@pytest.mark.parametrize(
    ("attach", "limit", "hook"),
    [("native", 1e15, "xdp native"), ("generic", 1e15, "xdp generic"), ("auto", 0, "tcx"), ("clsact", 1e15, "clsact")],
)
def test_table_has_the_flows_that_were_sent(lab: Lab, attach: AttachMode, limit: float, hook: str) -> None:
    sent = frames()
    expected: dict[Key, tuple[int, int]] = {}
    for (frame, flow), times in zip(sent, times_sent(SENT // 10, len(sent)), strict=True):
        if flow is not None:
            expected[flow] = (times, times * len(frame))
    with watching("v0", attach, may_disturb_device=True, limit=limit) as watch:
        assert watch.hooks[0] == hook
        watch.attachment.watch_flows(ALL)
        with lab.inside(lab.far):
            assert send_exactly("v1", [frame for frame, _ in sent], SENT // 10).lost == 0
        until(lambda: of_ours(table(watch)["flows"]) == expected, "the flows that were sent are in the table")
        assert not watch.attachment.flow_faults
        found = table(watch)
        groups = {key[2:]: row for key, row in found["flow_groups"].totals.items()}
        dns = [row for flow, row in expected.items() if flow[3:] == (53, 17)]
        assert groups["destination_port", "UDP 53"] == tuple(map(sum, zip(*dns, strict=True)))
        assert groups["source", "198.18.9.3"] == expected["198.18.9.3", "198.18.9.2", 65535, 1, 6]
        assert all(age is not None and 0 <= age < 60e9 for (age,) in found["flow_ages"].totals.values())


def test_a_port_has_the_number_of_its_sources(lab: Lab) -> None:
    """A source with two connections is one source, and the same source at another port is one there too."""
    ends = [(source, sport, 443) for source in range(200) for sport in (5000, 5001)]
    ends += [(source, 5000, 80) for source in range(20)]
    sent = [
        bytes(ether() / IP(src=f"198.18.9.{source}", dst="198.18.10.1") / TCP(sport=sport, dport=dport))
        for source, sport, dport in ends
    ]
    with watching("v0") as watch:
        watch.attachment.watch_flows(ALL)
        with lab.inside(lab.far):
            assert send_exactly("v1", sent, 2 * len(sent)).lost == 0

        def sources() -> dict[str, int | None]:
            return {str(key[2]): row[0] for key, row in table(watch)["flow_sources"].totals.items()}

        until(lambda: (sources().get("TCP 443"), sources().get("TCP 80")) == (200, 20), "all sources are counted")


def test_sent_packets_are_tx_flows(lab: Lab) -> None:
    frame, flow = frames()[0]
    with watching("v0") as watch:
        watch.attachment.watch_flows(ALL)
        assert send_exactly("v0", [frame], 1000).lost == 0
        assert of_ours(table(watch, "tx")["flows"]) == {flow: (1000, 1000 * len(frame))}


@pytest.mark.parametrize(("attach", "limit"), [("native", 1e15), ("auto", 0), ("clsact", 1e15)])
def test_switching_under_traffic_loses_no_count(lab: Lab, attach: AttachMode, limit: float) -> None:
    frame = bytes(ether(BROADCAST, OTHER_ETHER) / bytes(50))
    lost: list[int] = []

    def send() -> None:
        enter(lab.far)  # moves this thread until it ends
        lost.append(send_exactly("v1", [frame], 5 * SENT).lost)

    with watching("v0", attach, may_disturb_device=True, limit=limit) as watch:
        epoch, since = watch.attachment.epoch, watch.now.counting_since_ns
        sending = threading.Thread(target=send)
        sending.start()
        swaps = 0
        while sending.is_alive():
            watch.attachment.watch_flows(None if swaps % 2 else ALL)
            watch.step()
            swaps += 1
        sending.join()
        assert swaps > 4
        assert lost == [0]
        until(lambda: watch.packets("rx") == 5 * SENT, f"{watch.packets('rx')} of {5 * SENT} after {swaps} swaps")
        assert (watch.attachment.epoch, watch.step().counting_since_ns) == (epoch, since)


def test_switching_off_leaves_no_program(lab: Lab) -> None:
    with watching("v0", "native", may_disturb_device=True) as watch:
        plain = watch.prog_ids()
        watch.attachment.watch_flows(ALL)
        watch.step()
        flows = watch.prog_ids()
        assert not set(flows) & set(plain)
        watch.attachment.watch_flows(None)
        watch.step()
        assert watch.prog_ids() == plain
        assert watch.attachment.flow_counters == []
        until(lambda: not any(map(is_loaded, flows)), "the programs with flows are gone")
        watch.attachment.watch_flows(ALL)
        watch.step()
        flows = watch.prog_ids()
    until(lambda: not any(map(is_loaded, plain + flows)), "all programs are gone")


CHILD = """
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.hooks.attach_facts import AttachRequest
source = LiveSource(["v0"], LiveOptions(AttachRequest("native", may_disturb_device=True), interval_s=0.1))
source.watch_flows(True)
for sample in source.samples():
    if "flow_table/v0/rx" in sample.readings:
        print(*[hook.prog_id for hook in sample.interfaces[0].hooks.values()], flush=True)
"""


def test_samples_have_flow_rates_while_switched_on(lab: Lab) -> None:
    """The live source delivers flows from switching on to off, keeps the counters' epoch, and leaves nothing."""
    frame, flow = frames()[0]
    assert flow is not None
    source = LiveSource(["v0"], LiveOptions(AttachRequest("native", may_disturb_device=True), interval_s=0.2))
    before = None
    rates, prog_ids = [], set()
    source.watch_flows(True)
    with closing(source.samples()) as samples:
        for sample in samples:
            shown, before = derive_snapshot(before, sample), sample
            prog_ids |= {hook.prog_id for hook in sample.interfaces[0].hooks.values()}
            assert {r.epoch for name, r in sample.readings.items() if name.startswith("protocols/")} == {1}
            signal = shown.reading("flows", "v0", "rx")
            if signal is not None:
                rates.append(signal.per_sec(("v0", "rx", *flow), "packets"))
            if rates and signal is None:
                break
            if len(rates) >= 8 and any(rates):
                source.watch_flows(False)
            with lab.inside(lab.far):
                send_exactly("v1", [frame], 1000)
    assert any(rates)
    assert all(rate is None or rate >= 0 for rate in rates)
    until(lambda: not any(prog_id is not None and is_loaded(prog_id) for prog_id in prog_ids), "all programs are gone")


def test_top_flows_give_way_to_a_finding_and_a_person(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """All flows are counted for a finding and for a person, and the busiest alone again afterwards."""
    monkeypatch.setattr(flow_reader, "SUMMARY_EVERY_NS", 10**8)
    source = LiveSource(["v0"], LiveOptions(AttachRequest("tcx"), interval_s=0.1))
    steps: list[tuple[str, Callable[[], object]]] = [
        ("none", partial(source.watch_top_flows, 4)),
        ("top", partial(source.sample_flows, 2, 3.0)),
        ("all, 1 in 2", lambda: None),
        ("top", partial(source.watch_flows, True)),
        ("all, 1 in 1", partial(source.watch_top_flows, 8)),
        ("all, 1 in 1", partial(source.watch_flows, False)),
        ("top", partial(source.watch_top_flows, 0)),
        ("none", source.close),
    ]
    with closing(source.samples()) as samples:
        for sample, _ in zip(samples, range(600), strict=False):
            table = sample.readings.get("flow_table/v0/rx")
            counted = "none"
            if table is not None:
                has_groups = "flow_groups/v0/rx" in sample.readings
                counted = f"all, 1 in {table.values[3]}" if has_groups else "top"
                assert has_groups or table.values[3] in (4, 8)
            if steps and counted == steps[0][0]:
                steps.pop(0)[1]()
            with lab.inside(lab.far):
                send_exactly("v1", [frames()[0][0]], 100)
    assert steps == []


def test_a_summary_has_the_busiest_flows(program: ProgramName) -> None:
    """A flood of other flows in the small table does not displace the busiest flows."""
    request = FlowRequest.for_summary(1, inner=False)
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
        with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, request)) as flows:
            for number in range(1, 6):
                flows.program.test_run(udp(number, 10), 100)
            for number in range(10, 2010):
                flows.program.test_run(udp(number, 10))
            found = flows.read("test0")
    finally:
        os.sched_setaffinity(0, cpus)
    assert found.keys() == {"flows/test0/rx", "flow_table/test0/rx"}
    shown = [key[4] for key in found["flows/test0/rx"].keys]
    assert set(shown[:5]) == {1, 2, 3, 4, 5}
    assert flow_counter.SUMMARY_TOP <= len(shown) <= 2 * flow_counter.SUMMARY_TOP
    assert thinner_request(request, found) is None


def test_a_full_table_is_thinned_while_it_is_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has one bucket, so a few ports fill it; the live source then counts one packet in 4, and so on."""
    monkeypatch.setattr(flow_counter, "buckets_for", lambda cpus: 1)
    source = LiveSource(["v0"], LiveOptions(AttachRequest("tcx"), interval_s=0.1))
    source.watch_flows(True)
    ip: Layers = IP(src="198.18.9.1", dst="198.18.9.2")
    seen = set()
    with closing(source.samples()) as samples:
        for sample, _ in zip(samples, range(600), strict=False):
            table = sample.readings.get("flow_table/v0/rx")
            if table is not None:
                seen.add(table.values[3])
            if len(seen) >= 3:
                break
            with lab.inside(lab.far):
                for cpu in os.sched_getaffinity(0):  # each CPU has a table of its own
                    ports = range(1 + 256 * cpu, 257 + 256 * cpu)
                    send_exactly("v1", [bytes(ether() / ip / UDP(sport=port, dport=9)) for port in ports], 256, cpu=cpu)
    assert sorted(seen)[:3] == [1, 4, 16]


def test_kill_9_leaves_no_program(lab: Lab) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        prog_ids = [int(word) for word in child.stdout.readline().split()]
        assert len(prog_ids) == 2
        assert all(map(is_loaded, prog_ids))
    finally:
        child.kill()
        child.communicate()
    until(lambda: not any(map(is_loaded, prog_ids)), "the programs are gone")


def test_a_retreat_to_tcx_keeps_flows(lab: Lab) -> None:
    frame, flow = frames()[0]
    with watching("v0", limit=1e6, window_ns=20_000_000) as watch:
        assert watch.hooks[0] == "xdp native"
        watch.attachment.watch_flows(ALL)
        lab.send_far("v1", 20_000)
        until(lambda: watch.step().hooks["rx"].hook == "tcx", "the retreat")
        with lab.inside(lab.far):
            send_exactly("v1", [frame], 100)
        until(lambda: of_ours(table(watch)["flows"]) == {flow: (100, 100 * len(frame))}, "the flow is counted again")


@pytest.fixture(params=["count_xdp", "count_xdp_frags", "count_tc"])
def program(request: pytest.FixtureRequest) -> ProgramName:
    found: ProgramName = request.param
    return found


def flow_rows(counter: FlowCounter) -> dict[Key, tuple[int | None, ...]]:
    return counter.read("test0")["flows/test0/rx"].totals


def gauges(counter: FlowCounter) -> dict[str, int | None]:
    reading = counter.read("test0")["flow_table/test0/rx"]
    names = ("entries", "max_entries", "removed_idle", "sampled_1_in")
    return dict(zip(names, reading.totals["test0", "rx"], strict=False))


def test_failed_timing_of_the_cost_is_not_repeated(program: ProgramName, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refuse(*arguments: object) -> float:
        tried.append(arguments)
        raise BpftopError("no test runs here")

    monkeypatch.setattr(flow_counter, "flows_cost_ns", refuse)
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, ALL)) as flows:
        for _ in range(2):
            flows.measure_cost()
        assert (flows.added_ns, len(tried)) == (None, 1)


def test_idle_flows_are_left_out_and_begin_anew(program: ProgramName) -> None:
    first, second = frames()[0][0], frames()[4][0]
    request = FlowRequest(idle_ns=500_000_000)
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, request)) as flows:
        flows.program.test_run(first)
        assert gauges(flows)["entries"] == 1
        threading.Event().wait(1.0)
        flows.read("test0")  # the program's clock stands at the last read
        flows.program.test_run(second)
        assert gauges(flows) == {
            "entries": 1, "max_entries": 32768 * possible_cpus(), "removed_idle": 0, "sampled_1_in": 1,
        }  # fmt: skip
        assert list(flow_rows(flows)) == [("test0", "rx", *(frames()[4][1] or ()))]
        flows.program.test_run(first)
        reading = flows.read("test0")["flows/test0/rx"]
        assert reading.previous is not None
        key = ("test0", "rx", *(frames()[0][1] or ()))
        assert (reading.totals[key], reading.previous.totals[key]) == ((1, len(first)), (0, 0))


def test_full_table_evicts_the_oldest_flows(program: ProgramName) -> None:
    """The flows that were not seen for the longest time give way; the other counts are not touched."""
    buckets, every = 64, 5000
    room = buckets * FLOW_WAYS * possible_cpus()
    request = FlowRequest(1, buckets)
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, request)) as flows:
        for number in range(every):
            frame = bytes(ether() / IP(src="198.18.9.1", dst="198.18.9.2") / UDP(sport=5000, dport=1)) + bytes(8)
            port = (number + 1).to_bytes(2, "big")
            flows.program.test_run(frame[:34] + port + frame[36:])
            if number % 500 == 499:
                found = flows.read("test0")
                entries, most, evicted = found["flow_table/test0/rx"].totals["test0", "rx"][:3]
                assert entries is not None
                assert 0 < entries <= room == most
                assert entries + (evicted or 0) == number + 1
                now, before = found["flows/test0/rx"], found["flows/test0/rx"].previous
                assert before is not None
                assert set(now.totals.values()) == {(1, len(frame))}
                gains = [a - b for a, b in zip(now.values, before.values, strict=True)]
                assert all(gain >= 0 for gain in gains)
                assert found["flow_groups/test0/rx"].totals["test0", "rx", "source", "198.18.9.1"][0] == entries
        assert counter.read("test0", 1)["protocols/test0/rx"].totals["test0", "rx", 17][0] == every


def test_least_recently_seen_flow_gives_way(program: ProgramName) -> None:
    """One bucket on one CPU: the ninth flow takes the place of the one that is silent for longest."""
    request = FlowRequest(1, 1)
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
        with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, request)) as flows:
            for number in range(1, FLOW_WAYS + 1):
                flows.program.test_run(udp(number, 10))
                flows.read("test0")
            flows.program.test_run(udp(1, 10))
            flows.read("test0")
            flows.program.test_run(udp(99, 10))
            assert {key[4] for key in flow_rows(flows)} == {1, *range(3, FLOW_WAYS + 1), 99}
    finally:
        os.sched_setaffinity(0, cpus)


@pytest.mark.parametrize("apart", [1, 2**20, 2**27 - 1])
def test_flows_between_two_subnets_do_not_collide(program: ProgramName, apart: int) -> None:
    """Addresses that differ in their last byte alone: their flows spread over buckets, whatever the secrets are.

    Secrets of the two addresses that are nearly equal make the hashes of flows with the same sum of those bytes nearly
    equal too.
    """
    generator = random.Random(apart)
    secrets = [generator.getrandbits(64) for _ in range(10)]
    secrets[6] = (secrets[2] + apart) % 2**64
    knobs = FlowKnobs(BUCKETS_MAX, secrets=tuple(secrets))
    with (
        closing(PacketCounter(program, "rx")) as counter,
        closing(counter.with_flows(knobs)) as flows,
        closing(FlowTable(flows, possible_cpus(), knobs)) as table,
    ):
        for source, target in product(range(1, 41), repeat=2):
            packet = ether() / IP(src=f"10.0.0.{source}", dst=f"10.0.1.{target}") / UDP(sport=123, dport=123)
            flows.program.test_run(bytes(packet / bytes(48)))
        table.read(0, 0)
        assert (table.entries, table.evicted) == (1600, 0)


def test_busy_flow_stays_beside_newcomers(program: ProgramName) -> None:
    """All flows of one tick were seen at the same time: of those the one with the fewest packets gives way."""
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
        with (
            closing(PacketCounter(program, "rx")) as counter,
            closing(FlowCounter(counter, FlowRequest(1, 1))) as flows,
        ):
            for number in range(2, 22):
                flows.program.test_run(udp(1, 10), 100)
                flows.program.test_run(udp(number, 10))
            busiest = {key[4]: row[0] for key, row in flow_rows(flows).items()}
            assert busiest[1] == 2000
    finally:
        os.sched_setaffinity(0, cpus)


def test_busy_flow_goes_on_after_long_intervals(program: ProgramName) -> None:
    """The interval between two reads is longer than the time after which a silent flow begins anew."""
    request = FlowRequest(idle_ns=1)
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, request)) as flows:
        for _ in range(3):
            flows.program.test_run(udp(1, 10), 1000)
            reading = flows.read("test0")["flows/test0/rx"]
            assert [row[0] for row in reading.totals.values()] == [1000]


def test_flows_of_several_cpus_are_one(program: ProgramName) -> None:
    frame, flow = frames()[0]
    cpus = os.sched_getaffinity(0)
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, ALL)) as flows:
        for _ in range(2):
            for cpu in cpus:
                os.sched_setaffinity(0, {cpu})
                flows.program.test_run(frame, 100)
            os.sched_setaffinity(0, cpus)
            reading = flows.read("test0")["flows/test0/rx"]
        assert reading.previous is not None
        key = ("test0", "rx", *(flow or ()))
        assert reading.totals == {key: (200 * len(cpus), 200 * len(cpus) * len(frame))}
        assert reading.previous.totals == {key: (100 * len(cpus), 100 * len(cpus) * len(frame))}


def test_single_look_ups_without_batches() -> None:
    """Before 5.13 per-CPU arrays refuse batches; a seccomp filter cannot stand in for that, so the flag is set."""
    with closing(PacketCounter("count_xdp", "rx")) as counter, closing(FlowCounter(counter, ALL)) as flows:
        flows.program.test_run(frames()[0][0], 3)
        by_batch = flow_rows(flows)
        lib.bpftop_flow_table_refuse_batches(flows._table._table)
        assert flow_rows(flows) == by_batch


def test_thin_table_has_every_kind_of_flow(lab: Lab) -> None:
    """Frames are chosen by their number in their cell: frames of each kind are chosen, at XDP and at tc."""
    sent, sample_1_in = frames(), 8
    for attach in ("native", "clsact"):
        with watching("v0", attach, may_disturb_device=True) as watch:
            watch.attachment.watch_flows(FlowRequest(sample_1_in))
            with lab.inside(lab.far):
                assert send_exactly("v1", [frame for frame, _ in sent], SENT // 10).lost == 0
            times = {flow: n for (_, flow), n in zip(sent, times_sent(SENT // 10, len(sent)), strict=True) if flow}
            estimates = {flow: row[0] or 0 for flow, row in of_ours(table(watch)["flows"]).items()}
            assert estimates.keys() == times.keys()
            for flow, packets in times.items():
                assert abs(estimates[flow] - packets) < 5 * (packets * sample_1_in) ** 0.5, (attach, flow)


@pytest.mark.parametrize("flows_in_turn", [2, 3, 8, 21])
def test_sampling_takes_its_part_of_flows_in_turn(program: ProgramName, flows_in_turn: int) -> None:
    """A rhythm of the traffic does not hide a flow from the choice, as every 8th frame would."""
    rounds, sample_1_in = 200, 8
    cpus = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cpus)})
        with (
            closing(PacketCounter(program, "rx")) as counter,
            closing(FlowCounter(counter, FlowRequest(sample_1_in))) as flows,
        ):
            for _ in range(rounds):
                for number in range(flows_in_turn):
                    flows.program.test_run(udp(number, 10))
            estimates = {key[4]: row[0] or 0 for key, row in flow_rows(flows).items()}
        assert estimates.keys() == set(range(flows_in_turn))
        assert all(abs(estimate - rounds) <= rounds // 5 for estimate in estimates.values()), estimates
    finally:
        os.sched_setaffinity(0, cpus)


def test_sampling_estimates_within_bounds(program: ProgramName) -> None:
    frame, packets = frames()[0][0], 400_000
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, FlowRequest(10))) as flows:
        flows.program.test_run(frame, packets)
        ((estimate, size),) = flow_rows(flows).values()
        assert estimate is not None
        # 40 000 are expected with a standard deviation of 190: five of them
        assert abs(estimate - packets) < 5 * 190 * 10
        assert estimate % 10 == 0
        assert size == estimate * len(frame)
        assert counter.read("test0", 1)["protocols/test0/rx"].totals["test0", "rx", 17][0] == packets


def udp(number: int, payload: int) -> bytes:
    return bytes(ether() / IP(src="198.18.9.1", dst="198.18.9.2") / UDP(sport=number, dport=9) / bytes(payload))


def test_busiest_flows_by_packets_and_by_bytes(program: ProgramName) -> None:
    """Flows are ranked by the packets since the read before, not by their totals."""
    with closing(PacketCounter(program, "rx")) as counter, closing(FlowCounter(counter, ALL)) as flows:
        for number in range(1, 301):
            flows.program.test_run(udp(number, 10), 500 if number > 200 else 1)
        first = flows.read("test0")
        assert {key[4] for key in first["flows/test0/rx"].keys} >= set(range(201, 301))
        for number in range(1, 301):
            flows.program.test_run(udp(number, 10), 300 - number + 10)
        for number in range(290, 301):
            flows.program.test_run(udp(number, 1400), 8)
        reading = flows.read("test0")["flows/test0/rx"]
        shown = [key[4] for key in reading.keys]
        assert shown[:100] == list(range(1, 101))
        assert set(range(290, 301)) <= set(shown[100:])
        assert reading.previous is not None
        assert reading.totals["test0", "rx", "198.18.9.1", "198.18.9.2", 1, 9, 17][0] == 1 + 309
        assert reading.previous.totals["test0", "rx", "198.18.9.1", "198.18.9.2", 1, 9, 17][0] == 1


def test_a_super_frame_counts_its_segments() -> None:
    frame = bytes(ether() / IP(src="198.18.9.1", dst="198.18.9.2") / TCP(sport=1, dport=2, flags="A") / bytes(3000))
    with closing(PacketCounter("count_tc", "rx")) as counter, closing(FlowCounter(counter, ALL)) as flows:
        flows.program.test_run(frame, context=context(Skb(gso_segs=3, gso_size=1000)))
        counted = counter.read("test0", 1)["protocols/test0/rx"].totals["test0", "rx", 6]
        assert list(flow_rows(flows).values()) == [counted] == [(3, 3 * 54 + 3000)]


def test_a_sampled_super_frame_counts_its_segments() -> None:
    frame = bytes(ether() / IP(src="198.18.9.1", dst="198.18.9.2") / TCP(sport=1, dport=2, flags="A") / bytes(3000))
    with closing(PacketCounter("count_tc", "rx")) as counter, closing(FlowCounter(counter, FlowRequest(4))) as flows:
        for _ in range(200):
            flows.program.test_run(frame, context=context(Skb(gso_segs=3, gso_size=1000)))
        ((packets, size),) = flow_rows(flows).values()
        assert packets is not None
        assert abs(packets - 600) <= 60
        assert packets % 12 == 0
        assert size == packets * (3 * 54 + 3000) // 3


def test_flow_of_headers_beyond_the_linear_part() -> None:
    """A chain of extension headers that ends beyond the linear part is parsed by copies."""
    options = [IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(255))] * 7) for _ in range(3)]
    packet: Layers = ether() / IPv6(src="fd00::9", dst="fd00::a")
    for option in options:
        packet = packet / option
    frame = bytes(packet / UDP(sport=3, dport=4) / bytes(20))
    with closing(PacketCounter("count_xdp_frags", "rx")) as counter, closing(FlowCounter(counter, ALL)) as flows:
        flows.program.test_run(frame)
        assert list(flow_rows(flows).items()) == [(("test0", "rx", "fd00::9", "fd00::a", 3, 4, 17), (1, len(frame)))]
    with (
        closing(PacketCounter("count_xdp_frags", "rx")) as counter,
        closing(FlowCounter(counter, FlowRequest(4))) as flows,
    ):
        flows.program.test_run(frame, 400)
        ((key, (packets, size)),) = flow_rows(flows).items()
        assert packets is not None
        assert key[2:] == ("fd00::9", "fd00::a", 3, 4, 17)
        assert abs(packets - 400) <= 40
        assert size == packets * len(frame)
