"""The analyzer: one pipeline for the live screen and for everybody without a history."""

from __future__ import annotations

from dataclasses import replace

from bpftop.history.analyzer import Analyzer
from bpftop.history.history import History
from bpftop.history.stage_totals import FORGET_TICKS
from bpftop.rules.table import RULES
from tests.samples import links, sample, softnet
from tests.tui.fake_source import FakeSource


def test_a_history_shows_the_snapshots_of_the_analyzer() -> None:
    analyzer, history = Analyzer(RULES), History(RULES)
    for each in FakeSource(cpus=4, count=20).samples():
        expected = analyzer.push(replace(each, readings=dict(each.readings)))
        assert history.push(each) == expected == analyzer.snapshot
    assert list(history.episodes) == list(analyzer.episodes)
    assert history.at(-1) == analyzer.snapshot


def test_a_snapshot_has_the_totals_of_its_stages() -> None:
    analyzer = Analyzer()
    first = analyzer.push(sample(10, softnet(10, {0: 5}), links(10)))
    last = analyzer.push(sample(13, softnet(13, {0: 9}), links(13, rx_crc_errors=2)))
    assert first.stage_totals == {}
    assert (last.stage_totals["", "backlog"], last.stage_totals["eth0", "wire"]) == (4, 2)
    assert (analyzer.began_ns, analyzer.watched_s) == (10 * 10**9, 3.0)


def test_without_a_history_only_few_ticks_are_kept() -> None:
    analyzer = Analyzer()
    for second in range(4 * FORGET_TICKS):
        analyzer.push(sample(second, softnet(second, {0: second})))
    assert len(analyzer.stages.times_ns) <= FORGET_TICKS
    assert analyzer.snapshot is not None
    assert analyzer.snapshot.stage_totals["", "backlog"] == 4 * FORGET_TICKS - 1
