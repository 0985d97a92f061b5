"""Trends of the interrupts of a CPU, from the samples that a history keeps."""

from __future__ import annotations

import pytest

from bpftop.history.history import History
from bpftop.history.interrupt_trends import CELLS, NET_RX, InterruptRow, InterruptTrends
from bpftop.model.sample import Sample
from tests import samples

SECOND = 10**9
NEAR_WRAP = 2**32 - 3_000
"""The counters of /proc/interrupts have 32 bits; this one wraps after 30 s at 100 a second."""


def sample(second: int) -> Sample:
    """IRQ 40 counts on CPU 1 alone, IRQ 41 on CPU 0 alone; softirqs on both."""
    rows = {("eth0", 40): [0, (NEAR_WRAP + 100 * second) % 2**32], ("eth0", 41): [7 * second, 0]}
    softirqs = {(0,): [5 * second, 0], (1,): [50 * second, 0]}
    readings = [samples.reading("irqs", rows, second), samples.reading("softirqs", softirqs, second)]
    return samples.sample(second, seq=second, cpus=2, readings=samples.named(readings))


def watched(seconds: int) -> History:
    history = History()
    for second in range(seconds):
        history.push(sample(second))
    return history


def test_each_row_has_the_rates_of_the_last_cells() -> None:
    rows = InterruptTrends(["eth0"], 1).rows(watched(200), 199 * SECOND)
    assert rows == {
        NET_RX: [50.0] * CELLS,
        InterruptRow("eth0", 40): [100.0] * CELLS,
        InterruptRow("eth0", 41): [0.0] * CELLS,
    }


def test_cells_before_the_start_are_unknown() -> None:
    rows = InterruptTrends(["eth0"], 0).rows(watched(13), 12 * SECOND)
    assert rows[NET_RX] == [None] * (CELLS - 2) + [5.0, 5.0]
    assert InterruptTrends(["eth0"], 0).rows(watched(4), 3 * SECOND) == {}


def test_a_new_cell_takes_one_sample_more(monkeypatch: pytest.MonkeyPatch) -> None:
    history, trends = watched(200), InterruptTrends(["eth0"], 1)
    trends.rows(history, 199 * SECOND)
    taken: list[int] = []
    take = History.sample

    def sample_taken(self: History, index: int) -> Sample:
        taken.append(index)
        return take(self, index)

    monkeypatch.setattr(History, "sample", sample_taken)
    trends.rows(history, 199 * SECOND)
    assert taken == []
    for second in range(200, 206):
        history.push(sample(second))
        trends.rows(history, second * SECOND)
    assert len(taken) == 2  # the cells that ended at 200 and 205 s
