"""The stages of the path: what each gains, what LOST adds up and what it must not count twice, marks and headroom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpftop.history.history import HISTORY_NS, History
from bpftop.model.device import DeviceFacts, Queue
from bpftop.model.families import FAMILIES
from bpftop.model.readings import ReadingPair
from bpftop.model.sample import Interface, Reading, Sample
from bpftop.model.stages import BY_ID, GROUPS, STAGES, counter_gained
from bpftop.render.headroom import BACKLOG_LIMIT
from bpftop.render.path_columns import duration
from bpftop.render.path_rows import losses, sections, stage_lines
from bpftop.render.selection import Selection
from tests.model.signals import line, looked, pushed
from tests.samples import ETH0, links, reading, sample, softnet, stack
from tests.samples import SECOND_NS as S
from tests.tui.fake_source import FakeSource, interface


def test_the_path_names_existing_families_columns_and_rows() -> None:
    assert len(BY_ID) == len(STAGES)
    for stage in STAGES:
        assert {FAMILIES[counter.family].scope for counter in stage.counters} == {stage.scope}
        for counter in stage.counters:
            family = FAMILIES[counter.family]
            assert counter.column in family.columns
            assert family.kind == "counter"
            labels = family.labels[1:] if family.scope == "interface" else family.labels
            assert counter.row is None or len(counter.row) == len(labels)
        assert stage.help.endswith(".")
        sums = {"lost": "Counted", "refused": "Refused: ", "elsewhere": "Elsewhere on the host"}
        no_sum = "Not counted" if stage.kind == "seen" else "Counted in"
        assert stage.counted.startswith(sums[stage.group] if stage.group else no_sum)


def test_no_counter_is_in_two_losses() -> None:
    seen = [(c.family, c.column, c.row) for s in STAGES if s.kind == "loss" for c in s.counters]
    assert len(seen) == len(set(seen))
    parts = {c.row for s in STAGES if s.kind == "part" for c in s.counters}
    assert parts.isdisjoint({row for _, _, row in seen if row})


def test_the_ring_takes_the_largest_and_the_wire_adds() -> None:
    before, after = links(0), links(1, rx_missed_errors=70, rx_fifo_errors=70, rx_over_errors=5, rx_crc_errors=2,
                                    rx_length_errors=3, rx_errors=80, rx_dropped=9)  # fmt: skip
    history = pushed(sample(0, before), sample(1, after))
    assert line(history, "ring").since_start == 70
    assert line(history, "wire").since_start == 5
    assert [line(history, one).verdict for one in ("device", "device_errors")] == ["seen", "seen"]
    lost = losses(looked(history))["lost"]
    assert lost.per_sec == 75.0
    assert lost.stages == [("wire", 5.0, "interface"), ("NIC ring", 70.0, "interface")]


def test_qdisc_drops_count_once_and_without_filters() -> None:
    def qdiscs(second: float, drops: int) -> Reading:
        kinds = {("eth0", "htb", "1:"): drops, ("eth0", "fq_codel", "10:"): drops - drops // 3,
                 ("eth0", "clsact", "ffff:"): 5 * drops}  # fmt: skip
        return reading("qdiscs", {key: [0, 0, count, 0, 0] for key, count in kinds.items()}, second)

    history = pushed(sample(0, qdiscs(0, 0)), sample(2, qdiscs(2, 30)))
    assert line(history, "qdisc").since_start == 30
    assert losses(looked(history))["lost"].per_sec == 15.0


def test_what_a_listening_socket_drops_is_counted_once() -> None:
    counts = {"TcpExtListenDrops": 10, "TcpExtListenOverflows": 7, "TcpExtTCPReqQFullDrop": 3,
              "TcpExtTCPReqQFullDoCookies": 50}  # fmt: skip
    history = pushed(
        sample(0, stack("netstat", 0, **dict.fromkeys(counts, 0))), sample(1, stack("netstat", 1, **counts))
    )
    assert [line(history, one).verdict for one in ("listen", "syn_queue", "accept_queue", "cookies")] == [
        "losing", "losing", "losing", "seen",
    ]  # fmt: skip
    assert losses(looked(history))["lost"].stages == [("listen", 10.0, "netns")]


def test_a_conntrack_race_in_two_counters_counts_once() -> None:
    def events(second: float, insert_failed: int, drop: int) -> Reading:
        return reading("conntrack_events", {(): [4, insert_failed, drop, 6, 0]}, second)

    history = pushed(sample(0, events(0, 0, 0)), sample(1, events(1, 8, 5)))
    assert line(history, "conntrack").since_start == 8
    assert line(history, "conntrack_evicted").since_start == 0


def test_failed_redirects_are_no_exceptions() -> None:
    def errors(second: float, count: int) -> tuple[Reading, Reading]:
        rows = {("eth0", 7, "XDP_REDIRECT"): [count], ("eth0", 7, "XDP_ABORTED"): [count], ("eth0", 7, "9"): [count]}
        return (
            reading("xdp_exceptions", rows, second),
            reading("xdp_redirect_errors", {("eth0", 7, "ENETDOWN"): [count]}, second),
        )

    history = pushed(sample(0, *errors(0, 0)), sample(1, *errors(1, 4)))
    assert line(history, "xdp_exceptions").since_start == 8
    assert line(history, "xdp_redirects").since_start == 4


def test_foreign_xdp_verdicts_need_a_foreign_program() -> None:
    def verdicts(second: float, count: int) -> Reading:
        rows = {("eth0", 9, "XDP_DROP"): [count, count], ("eth0", 9, "XDP_PASS"): [5, 5]}
        return reading("xdp_verdicts", rows, second)

    history = pushed(sample(0, verdicts(0, 0), cpus=2), sample(1, verdicts(1, 3), cpus=2))
    assert line(history, "xdp_drops").since_start == 6
    assert losses(looked(history))["lost"].per_sec is None
    assert losses(looked(history))["refused"].stages == [("XDP_DROP of another", 6.0, "interface")]
    with pytest.raises(StopIteration):
        line(pushed(sample(0), sample(1)), "xdp_drops")
    refused = {"xdp_verdicts": "verdicts of the XDP program 9: fexit is refused"}
    assert (
        line(pushed(sample(0), sample(1, unavailable=refused)), "xdp_drops").unread[0].endswith(refused["xdp_verdicts"])
    )


def test_the_backlog_adds_up_cpus_wraps_and_survives_hotplug() -> None:
    history = pushed(
        sample(0, softnet(0, {0: 2**32 - 5, 1: 100})),
        sample(1, softnet(1, {0: 5, 1: 101})),  # CPU 0 wrapped
        sample(2, softnet(2, {0: 6})),  # CPU 1 went offline
        sample(3, softnet(3, {0: 7, 1: 500, 9: 3})),  # it came back, and a new one with it
    )
    assert [line(history, "backlog", i).since_start for i in range(4)] == [None, 11, 12, 13]


def test_a_reset_loses_a_tick_but_not_the_total() -> None:
    history = pushed(
        sample(0, links(0, rx_crc_errors=1000)),
        sample(1, links(1, rx_crc_errors=1010)),
        sample(2, links(2, rx_crc_errors=4)),  # went backwards: the device was reset
        sample(3, links(3, rx_crc_errors=6)),
        sample(4, links(4, epoch=1, rx_crc_errors=900)),
        sample(5, links(5, epoch=1, rx_crc_errors=901)),
    )
    assert [line(history, "wire", i).since_start for i in range(6)] == [None, 10, 10, 12, 12, 13]
    # the other two columns of the wire were known when one was not: the stage stays known
    assert line(history, "wire", 2).per_sec == 0.0


def test_losses_in_unreadable_ticks_are_counted_afterwards() -> None:
    gone = {"softnet": "backlog counters: cannot read /proc/net/softnet_stat: Permission denied"}
    history = pushed(
        sample(0, softnet(0, {0: 0})),
        sample(1, softnet(1, {0: 0})),
        sample(2, unavailable=gone),
        sample(3, unavailable=gone),
        sample(4, softnet(4, {0: 30})),
    )
    unread = line(history, "backlog", 3)
    assert (unread.per_sec, unread.since_start, unread.verdict) == (None, 0, "unknown")
    assert unread.unread == (f"softnet_stat dropped: {gone['softnet']}",)
    assert line(history, "backlog").since_start == 30
    assert line(history, "backlog").per_sec is None  # the last interval has no reading before
    assert line(history, "backlog").trend(2) == [None, 7.5]


def test_unread_losses_are_counted() -> None:
    history = pushed(sample(0, links(0)), sample(1, links(1)))
    lost = losses(looked(history))["lost"]
    own = [s for s in STAGES if s.group == "lost" and not s.rare]
    assert (lost.per_sec, lost.recent, lost.stages) == (0.0, 0, [])
    assert lost.unread == sum(s.counters[0].family != "links" or bool(s.within) for s in own)
    assert losses(looked(pushed(sample(0, links(0)))))["lost"].per_sec is None


def test_a_stage_is_known_without_counters_the_kernel_lacks() -> None:
    history = pushed(
        sample(0, stack("snmp", 0, UdpRcvbufErrors=3)),
        sample(1, stack("snmp", 1, UdpRcvbufErrors=5), unavailable={"snmp6": "IPv6 is switched off here"}),
    )
    udp = line(history, "udp_sockets")
    assert udp.since_start == 2
    assert udp.unread == ("Udp6RcvbufErrors: IPv6 is switched off here",)
    assert line(history, "memory").unread[0] == "UdpMemErrors: this kernel does not count it"


def test_a_tracepoint_counts_from_its_attachment_on() -> None:
    def errors(second: float, count: int, previous: Reading | None = None) -> Reading:
        return reading("xdp_exceptions", {("eth0", 7, "XDP_ABORTED"): [count]}, second, previous=previous)

    empty = reading("xdp_exceptions", {}, 0.5)
    history = pushed(sample(0), sample(1, errors(1, 5, empty)), sample(2, errors(2, 6)))
    assert [line(history, "xdp_exceptions", i).since_start for i in (1, 2)] == [5, 6]


def test_rates_are_of_the_last_interval_and_trends_whole_slices() -> None:
    counts, total = [], 0
    for second in range(21):
        total += 10 if second > 10 else 0
        counts.append(sample(1000 + second, softnet(1000 + second, {0: total})))
    history = pushed(*counts)
    assert line(history, "backlog", 10).per_sec == 0.0
    assert line(history, "backlog", 11).per_sec == 10.0
    assert line(history, "backlog").per_sec == 10.0
    assert line(history, "backlog").trend(6) == [None, 0.0, 0.0, 10.0, 10.0, None]
    assert line(history, "ring").trend(2) == [None, None]
    assert line(history, "backlog", 10).verdict == "ok"
    assert line(history, "backlog", 13).verdict == "losing"


def test_since_the_mark_and_scrolling_back_before_it() -> None:
    history = pushed(*(sample(i, softnet(i, {0: 10 * i})) for i in range(8)))
    mark = history.mark(history.at(3))
    snapshot = history.at(-1)
    now = replace(line(history, "backlog"), selection=Selection(snapshot, snapshot.total, history, mark))
    assert (now.since_start, now.since_mark) == (70, 40)
    earlier = history.at(2)
    then = replace(now, selection=Selection(earlier, earlier.total, history, mark))
    assert (then.since_start, then.since_mark) == (20, None)


def test_totals_and_trends_outlive_the_ten_minutes() -> None:
    history = pushed(*(sample(i, softnet(i, {0: i, 1: 0}), links(i)) for i in range(760)))
    assert line(history, "backlog").since_start == 759
    assert line(history, "backlog").recent == 300
    assert line(history, "backlog").trend(12)[:11] == [1.0] * 11
    assert line(history, "wire").since_start == 0
    kept = history.stages._rows["", "backlog"].totals
    assert len(kept) == len(history._times) <= HISTORY_NS // S + 65
    assert len(history.stages._rows["eth0", "wire"].totals) == 0  # a stage that never lost has no series


def test_the_total_adds_up_the_interfaces_that_are_part_of_it() -> None:
    bond = interface("bond0", 5, kind="bond")
    legs = (Interface("eth0", "eth0", 2, master=5), Interface("eth1", "eth1", 3))
    both = (bond, *legs)

    def at(second: float, count: int) -> Sample:
        counts = (links(second, one.label, rx_crc_errors=count * (i + 1)) for i, one in enumerate(both))
        return sample(second, *counts, softnet(second, {0: count}), interfaces=both)

    history = pushed(at(0, 0), at(1, 10))
    assert line(history, "wire").since_start == 40  # eth0 is a leg of bond0, which counts it already
    assert line(history, "wire", label="eth0").since_start == 20
    assert line(history, "backlog", label="eth0").since_start == 10


def test_a_sum_without_an_interface_counts_as_unread() -> None:
    both = (ETH0, Interface("eth1", "eth1", 3, state="moved"))
    seen = [links(0), links(0, "eth1")], [links(1, rx_crc_errors=5)]
    history = pushed(*(sample(second, *found, interfaces=both) for second, found in enumerate(seen)))
    assert line(history, "wire").per_sec == 5.0
    alone, every = losses(looked(history, label="eth0"))["lost"], losses(looked(history))["lost"]
    assert every.per_sec == alone.per_sec == 5.0
    assert every.unread > alone.unread


def test_losses_are_lost_here_refused_or_elsewhere() -> None:
    """28 k/s of the backlog, 1 k of them received by eth0, and 83 k/s to closed ports."""

    def at(second: float, seconds: int) -> Sample:
        counters = {"UdpNoPorts": 83_000 * seconds, "IpOutNoRoutes": 5 * seconds, "UdpRcvbufErrors": 0}
        dropped = links(second, rx_dropped=1_000 * seconds)
        return sample(second, stack("snmp", second, **counters), dropped, softnet(second, {0: 28_000 * seconds}))

    groups = losses(looked(pushed(at(0, 0), at(1, 1), at(2, 2))))
    assert groups["lost"].stages == [("backlog", 1_000.0, "interface")]
    assert groups["refused"].stages == [("UDP no port", 83_000.0, "netns"), ("IP out no route", 5.0, "netns")]
    assert groups["elsewhere"].stages == [("backlog", 27_000.0, "host")]
    assert [groups[group].per_sec for group in GROUPS] == [1_000.0, 83_005.0, 27_000.0]
    assert [groups[group].recent for group in GROUPS] == [2_000, 166_010, 54_000]


def test_drops_for_rare_reasons_are_in_one_group_each() -> None:
    """Filters of tc, a silent neighbour and a wrong VXLAN network: only the kernel's drop reasons have them."""
    reasons = {"TC_INGRESS": 300, "TC_EGRESS": 4, "VXLAN_VNI_NOT_FOUND": 90, "NEIGH_FAILED": 20}

    def at(second: float, seconds: int, **per_sec: int) -> Sample:
        rows = {("eth0", reason): [count * seconds] for reason, count in per_sec.items()}
        return sample(second, reading("drops", rows, second), stack("snmp", second, IpInUnknownProtos=7 * seconds))

    groups = losses(looked(pushed(at(0, 0, **reasons), at(1, 1, **reasons), at(2, 2, **reasons))))
    assert groups["lost"].stages == [("neighbour silent", 20.0, "netns")]
    assert groups["refused"].stages == [
        ("IP protocol unknown", 7.0, "netns"), ("tunnels", 90.0, "netns"), ("tc filters", 304.0, "netns")
    ]  # fmt: skip
    quiet = looked(pushed(at(0, 0), at(1, 1)))
    assert not {"tc_filters", "tunnels", "neighbour_silent"} & {each.stage.id for each in stage_lines(quiet)}


def test_no_part_of_the_backlog_is_more_than_the_backlog() -> None:
    both = (ETH0, Interface("eth1", "eth1", 3))

    def at(second: float, count: int) -> Sample:
        dropped = (links(second, each.label, rx_dropped=10 * count) for each in both)
        return sample(second, *dropped, softnet(second, {0: count}), interfaces=both)

    groups = losses(looked(pushed(at(0, 0), at(1, 7))))
    assert groups["elsewhere"].per_sec == 0.0
    assert line(pushed(at(0, 0), at(1, 7)), "backlog_here", label="eth0").per_sec == 7.0


def test_a_column_of_512_cpus_with_holes() -> None:
    cpus = [cpu for cpu in range(512) if cpu % 7]
    before, after = softnet(0, dict.fromkeys(cpus, 5)), softnet(1, {cpu: 5 + cpu % 2 for cpu in cpus})
    counter = BY_ID["backlog"].counters[0]
    holed = replace(after, missing=frozenset({1}))
    assert counter_gained(counter, "", ReadingPair(before, after)) == sum(cpu % 2 for cpu in cpus)
    assert counter_gained(counter, "", ReadingPair(before, holed)) == sum(cpu % 2 for cpu in cpus[1:])


def headroom(history: History, stage: str) -> float | None:
    return line(history, stage).headroom_s


def test_ring_headroom_is_of_the_busiest_queue() -> None:
    history = History()
    for one, _ in zip(FakeSource(16).samples(), range(12), strict=False):
        history.push(one)
    busiest = max(rate or 0.0 for rate in history.at(-1).total.rx.cpu_rates)
    assert headroom(history, "ring") == pytest.approx(512 / busiest)
    single = DeviceFacts(ring={"rx": 256}, queues=(Queue("rx", 0), Queue("tx", 0)))
    history = History()
    for one, _ in zip(FakeSource(16, (interface("eth0", 2, facts=single),)).samples(), range(12), strict=False):
        history.push(one)
    assert headroom(history, "ring") == pytest.approx(256 / (history.at(-1).total.rx.totals.packets_per_sec or 0))
    assert headroom(pushed(sample(0), sample(1)), "ring") is None
    assert headroom(history, "wire") is None


def test_backlog_headroom_is_of_the_cpu_that_is_full_first() -> None:
    def at(second: float, limit: bool = True) -> Sample:
        packets = {0: 1000 * second, 1: 100 * second, 2: 0}
        rows = {(cpu,): [int(count), 0, 0, 0, 0] for cpu, count in packets.items()}
        waiting = reading("softnet_backlog", {(0,): [0], (1,): [990], (2,): [1000]}, second)
        most = [reading("sysctls", {(BACKLOG_LIMIT,): [1000]}, second)] if limit else []
        return sample(second, reading("softnet", rows, second), waiting, *most)

    assert headroom(pushed(at(0), at(1)), "backlog") == pytest.approx(0.1)  # CPU 1: 10 places at 100 a second
    assert headroom(pushed(at(0, limit=False), at(1, limit=False)), "backlog") is None


def test_conntrack_is_full_in_so_many_seconds() -> None:
    def at(second: float, entries: int) -> Sample:
        return sample(second, reading("conntrack", {(): [entries, 10_000]}, second))

    growing = pushed(*(at(i, 1000 + 50 * i) for i in range(21)))
    assert headroom(growing, "conntrack") == pytest.approx(8000 / 50)
    assert headroom(pushed(at(0, 100), at(1, 90)), "conntrack") is None
    assert headroom(pushed(at(0, 100)), "conntrack") is None


def test_details_are_ordered_by_size_without_zeros() -> None:
    def at(second: int) -> Sample:
        reasons = {
            ("eth0", "NO_SOCKET"): [2 * second],
            ("", "SOCKET_RCVBUFF"): [9 * second],
            ("eth1", "CPU_BACKLOG"): [7],
            ("eth0", "NETFILTER_DROP"): [100],
        }
        udp = {("6", "::1", 53, 11, "named"): [4], ("4", "0.0.0.0", 53, 12, ""): [0]}
        tcp = {("4", "0.0.0.0", 80, 13, "nginx"): [129, 128], ("4", "0.0.0.0", 81, 14, "x"): [0, 128]}
        nic = {("eth0", "rx_missed"): [0], ("eth0", "rx_no_buf"): [3 * second]}
        return sample(
            second, reading("drops", reasons, second), reading("udp_sockets", udp, second),
            reading("listen_sockets", tcp, second), reading("nic", nic, second),
        )  # fmt: skip

    found = {one.title: one.rows for one in sections(looked(pushed(at(1), at(2))))}
    reasons, udp, tcp, nic = found.values()
    assert [(row.name, row.where, row.per_sec, row.total) for row in reasons] == [
        ("SOCKET_RCVBUFF", "no interface", 9.0, "18"), ("NO_SOCKET", "eth0", 2.0, "4"),
        ("NETFILTER_DROP", "eth0", 0.0, "100"),
    ]  # fmt: skip
    assert [row.name for row in udp] == ["[::1]:53 named"]
    assert [(row.name, row.total) for row in tcp] == [("0.0.0.0:80 nginx", "129 of 128")]
    assert [(row.name, row.per_sec) for row in nic] == [("rx_no_buf", 3.0)]


def test_missing_drop_reasons_say_why() -> None:
    history = pushed(sample(0), sample(1, unavailable={"drops": "drop reasons: no BTF"}))
    assert [(one.rows, one.missing) for one in sections(looked(history))] == [((), "no BTF")]


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(None, "-"), (0, "0.0 µs"), (42e-6, "42 µs"), (3.4e-3, "3.4 ms"), (12, "12 s"), (600, "10 min"), (9e4, "25 h"),
     (9e5, "10 d"), (1e12, ">9999 d")],
)  # fmt: skip
def test_durations(seconds: float | None, says: str) -> None:
    assert duration(seconds) == says
