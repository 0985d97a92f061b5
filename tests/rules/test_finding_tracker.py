"""Numbers of a finding: now and peak over single intervals, total, and words that never stand below their limit."""

from __future__ import annotations

import pytest

from bpftop.history.analyzer import Analyzer
from bpftop.model.findings import Finding
from bpftop.model.snapshot import Snapshot
from bpftop.rules.finding_tracker import FindingTracker
from bpftop.rules.rule import Headline, Raised
from bpftop.rules.table import BY_ID, chosen
from tests.rules.world import World

BURST = 45_000
UDP, ARP = 17, 256


def overflow(snapshot: Snapshot) -> Finding | None:
    return next((f for f in snapshot.diagnosis.findings if f.id == "udp-socket-overflow"), None)


def require_overflow(snapshot: Snapshot) -> Finding:
    finding = overflow(snapshot)
    assert finding is not None
    return finding


def after_burst(interval_s: float = 1.0) -> tuple[World, Analyzer, list[Snapshot]]:
    """Watch 10 quiet seconds, one tick with 45 k datagrams into a full socket, and 8 quiet seconds."""
    world = World()
    analyzer = Analyzer(chosen())
    analyzer.push(world.sample())
    for _ in range(round(10 / interval_s)):
        analyzer.push(world.advance(interval_s))
    world.frames("protocols", UDP, pps=BURST / interval_s).stack(UdpRcvbufErrors=BURST / interval_s)
    snapshots = [analyzer.push(world.advance(interval_s))]
    world.quiet()
    snapshots += [analyzer.push(world.advance(interval_s)) for _ in range(round(8 / interval_s))]
    return world, analyzer, snapshots


@pytest.mark.parametrize("interval_s", [0.1, 0.5, 1.0, 5.0])
def test_burst_has_one_rate_everywhere_at_once(interval_s: float) -> None:
    _, _, snapshots = after_burst(interval_s)
    first, rate = snapshots[0], BURST / interval_s
    value = require_overflow(first).value
    assert value is not None
    assert first.total.rx.totals.packets_per_sec == pytest.approx(rate, rel=1e-3)
    assert value.now == pytest.approx(rate, rel=1e-3)
    assert value.peak == value.now
    assert value.total == pytest.approx(BURST, rel=1e-3)
    assert value.peak_ns == first.mono_ns


def test_finding_after_the_burst_shows_now_beside_the_peak() -> None:
    _, _, snapshots = after_burst()
    later = require_overflow(snapshots[1])
    assert later.title == "UDP socket overflows: 45.0 k/s datagrams dropped (peak; now 0/s)"
    assert later.value is not None
    assert (later.value.now, later.value.peak, later.value.total) == (0.0, BURST, BURST)
    assert later.value.peak_ns == snapshots[0].mono_ns
    assert (later.value.raise_at, later.value.clear_at) == (10, 7)
    assert later.value.below_since_ns == snapshots[1].mono_ns


def test_finding_that_is_over_keeps_its_peak() -> None:
    _, analyzer, snapshots = after_burst()
    assert overflow(snapshots[-1]) is None
    (episode,) = (e for e in analyzer.episodes if e.finding.id == "udp-socket-overflow")
    assert episode.ended_ns is not None
    assert episode.finding.title == "UDP socket overflows: 45.0 k/s datagrams dropped"
    assert episode.finding.value is not None
    assert episode.finding.value.peak == BURST


def test_onset_seen_late_still_has_the_peak_before() -> None:
    world = World()
    analyzer = Analyzer(chosen())
    analyzer.push(world.sample())
    world.stack(UdpRcvbufErrors=BURST)
    analyzer.push(world.advance())  # a rate over 3 s is not known before two more ticks
    world.quiet()
    analyzer.push(world.advance())
    finding = require_overflow(analyzer.push(world.advance()))
    assert finding.title == "UDP socket overflows: 45.0 k/s datagrams dropped (peak; now 0/s)"
    assert finding.value is not None
    assert finding.value.peak_ns == world.mono_ns - 2 * 10**9


def test_arp_below_its_limit_is_shown_as_such() -> None:
    world = World().frames("protocols", ARP, pps=620)
    analyzer = Analyzer(chosen())
    analyzer.push(world.sample())
    for _ in range(5):
        analyzer.push(world.advance())
    world.frames("protocols", ARP, pps=435)
    snapshots = [analyzer.push(world.advance()) for _ in range(5)]
    titles = {f.id: f.title for f in snapshots[-1].diagnosis.findings}
    assert titles["broadcast-storm"] == "ARP storm: 620/s (peak; now 435/s)"


def test_finding_ends_when_another_device_takes_the_name() -> None:
    world = World().frames("protocols", ARP, pps=620)
    analyzer = Analyzer(chosen())
    analyzer.push(world.sample())
    for _ in range(5):
        snapshot = analyzer.push(world.advance())
    assert [f.id for f in snapshot.diagnosis.findings] == ["broadcast-storm"]
    world.facts(ifindex=99)
    assert analyzer.push(world.quiet().advance()).diagnosis.findings == ()
    assert [e.active for e in analyzer.episodes] == [False]


def test_no_number_now_stands_beside_a_lower_peak() -> None:
    """A check that looks at three seconds says nothing about one second in which the share is the highest."""
    headline = Headline("RetransSegs / TCPOrigDataSent", "warning", lambda _: 0.14)
    raised = Raised("warning", "TCP sends 13 % of its segments again", (), "", headline)
    tracker = FindingTracker(BY_ID["tcp-retransmits"], raised, now=0.14, at_peak=raised, _words_value=0.13)
    assert tracker.title() == "TCP sends 13 % of its segments again (now 14 %)"
    tracker.now = 0.01
    assert tracker.title() == "TCP sends 13 % of its segments again (peak; now 1.0 %)"
