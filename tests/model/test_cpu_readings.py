"""Readings of each CPU as columns: offline CPUs, wrapped counters, unreadable cells and interrupts."""

from __future__ import annotations

from dataclasses import replace

from bpftop.model.cpu_readings import CpuReadings, cpu_values, softirq_share
from bpftop.model.sample import Interface, Reading, Sample
from tests.model.signals import looked, pushed
from tests.samples import SECOND_NS as S
from tests.samples import reading, sample

ONLINE = (0, 1, 4, 5, 300)


def tick(second: float, *more: Reading) -> Sample:
    """Return a sample with CPUs 0, 1, 4, 5 and 300 of 512 online; CPU 4 has a counter that wraps."""
    softnet = {(cpu,): [0, int(second) * cpu, 0, 0, 0] for cpu in ONLINE}
    softnet[(4,)] = [0, (2**32 - 3 + 10 * int(second)) % 2**32, 0, 0, 0]
    times = {(cpu,): [0, 0, 0, 0, 0, 0, int(second * S * (0.25 if cpu else 3)), 0] for cpu in ONLINE}
    softirqs = {(cpu,): [int(second) * 7, 1] for cpu in ONLINE}
    return sample(
        second, reading("softnet", softnet, second), reading("cpu_times", times, second),
        reading("softirqs", softirqs, second), *more, cpus=512,
    )  # fmt: skip


def cpu_readings(*samples: Sample) -> CpuReadings:
    selection = looked(pushed(*samples))
    return CpuReadings(selection.snapshot, selection.labels)


def irqs(second: float, counts: dict[int, dict[int, int]], label: str = "eth0") -> Reading:
    """IRQ -> CPU -> interrupts, of 512 CPUs."""
    rows = {(label, number): [cpus.get(cpu, 0) for cpu in range(512)] for number, cpus in counts.items()}
    return reading("irqs", rows, second)


def test_columns_go_by_the_number_of_the_cpu() -> None:
    readings = cpu_readings(tick(0), tick(2))
    assert len(readings.backlog_drops) == 512
    drops = [readings.backlog_drops[cpu] for cpu in (0, 1, 2, 4, 5, 300, 511)]
    assert drops == [0.0, 1.0, None, 10.0, 5.0, 300.0, None]
    assert [readings.softirq[cpu] for cpu in (0, 1, 2)] == [1.0, 0.25, None]  # never more than all of its time
    assert (readings.net_rx[300], readings.net_rx[301]) == (7.0, None)
    assert [cpu for cpu, value in enumerate(readings.squeezes) if value is not None] == list(ONLINE)


def test_the_first_sample_has_no_rates() -> None:
    readings = cpu_readings(tick(1))
    assert set(readings.backlog_drops) == set(readings.softirq) == set(readings.irqs) == {None}


def test_softirq_share_of_one_cpu() -> None:
    snapshot = looked(pushed(tick(0), tick(1))).snapshot
    assert (softirq_share(snapshot, 1), softirq_share(snapshot, 2)) == (0.25, None)


def test_unreadable_cells_and_new_cpus() -> None:
    first = sample(0, reading("softnet", {(0,): [0, None, 0, 0, 0], (1,): [0, 5, 0, 0, 0]}, 0))
    second = sample(1, reading("softnet", {(c,): [0, 9, 0, 0, 0] for c in range(3)}, 1))
    assert list(cpu_readings(first, second).backlog_drops) == [None, 4.0, None, None]
    assert cpu_values(None, "dropped", 2) == [None, None]


def test_interrupts_of_all_queues_on_each_cpu() -> None:
    before = irqs(0, {24: {3: 10}, 25: {3: 2**32 - 1, 300: 5}, 26: {}})
    after = irqs(2, {24: {3: 50, 4: 2}, 25: {3: 5, 300: 5}, 26: {511: 8}})
    readings = cpu_readings(tick(0, before), tick(2, after))
    assert {cpu: rate for cpu, rate in enumerate(readings.irqs) if rate} == {3: 23.0, 4: 1.0, 511: 4.0}


def test_interrupts_of_several_interfaces_and_of_a_recording() -> None:
    two = tuple(Interface(name, name, number) for number, name in enumerate(("eth0", "eth1"), 2))
    first, second = (
        replace(tick(i, irqs(i, {24: {0: 5 * i}}), irqs(i, {30: {0: i, 2: i}}, "eth1")), interfaces=two) for i in (0, 1)
    )
    assert {cpu: rate for cpu, rate in enumerate(cpu_readings(first, second).irqs) if rate} == {0: 6.0, 2: 1.0}

    def folded(second: float, cells: Reading) -> Reading:
        return reading("irqs", {("eth0", 24): [int(second)]}, second, cells=cells)

    begun = irqs(-9, {24: {7: 0}})
    begun = replace(begun, read_ns=0)
    cells = replace(irqs(10, {24: {7: 40}}), previous=begun)
    readings = cpu_readings(tick(10, folded(10, cells)), tick(11, folded(11, cells)))
    assert {cpu: rate for cpu, rate in enumerate(readings.irqs) if rate} == {7: 4.0}
