"""Packing and unpacking samples changes nothing."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from bpftop.history.packing import SamplePacker, unpack
from bpftop.model.sample import Sample
from tests.samples import packed
from tests.tui.fake_source import FakeSource

LARGEST = (1 << 64) - 1


@pytest.mark.parametrize("cpus", [1, 2, 512])
def test_samples_are_unpacked_unchanged(cpus: int) -> None:
    samples = list(FakeSource(cpus, count=120 if cpus < 512 else 4).samples())
    packer = SamplePacker()
    packed = [packer.pack(sample) for sample in samples]
    assert [unpack(each) for each in packed] == samples
    assert len({id(each.dictionary) for each in packed}) < len(samples)


def test_every_kind_of_reading_is_unpacked_unchanged() -> None:
    [sample] = FakeSource(2, count=1).samples()
    cells = array("Q", [0, LARGEST, 1, 1 << 32, 258, LARGEST - 1])
    before = packed("softirqs", ((0,), (2,), (5,)), cells, read_ns=1, cost_ns=2, epoch=3)
    unusual = {
        "softirqs": replace(before, read_ns=9, missing=frozenset((1, 4)), previous=before),
        "protocols/eth0/rx": replace(before, family="protocols", cells=replace(before, previous=before)),
        "drops": packed("drops", (), (), read_ns=1, cost_ns=2, epoch=3),
    }
    sample = replace(sample, readings={**sample.readings, **unusual})
    unpacked = unpack(SamplePacker().pack(sample))
    assert unpacked == sample
    assert {type(reading.values) for reading in unpacked.readings.values()} == {array}
    assert {reading.values.typecode for reading in unpacked.readings.values()} == {"Q"}


def test_a_sample_may_outgrow_the_window() -> None:
    small, large = (next(iter(FakeSource(cpus, count=1).samples())) for cpus in (2, 256))
    packer = SamplePacker()
    packed: list[Sample] = [unpack(packer.pack(sample)) for sample in (small, large, small, large)]
    assert packed == [small, large, small, large]


def test_of_known_rows_only_times_and_new_values_are_packed() -> None:
    [sample] = FakeSource(2, count=1).samples()
    readings = {name: replace(each, read_ns=each.read_ns + 5, cost_ns=7) for name, each in sample.readings.items()}
    moved = readings["snmp"]
    readings["snmp"] = replace(moved, values=array("Q", [value + 1 for value in moved.values]))
    later = replace(sample, readings=readings)
    packer = SamplePacker()
    packer.pack(sample)
    assert unpack(packer.pack(later)) == later
    values = {name: each[2] for name, each in packer.reduced(later, sample).readings.items() if isinstance(each, tuple)}
    assert values == dict.fromkeys(readings, None) | {"snmp": readings["snmp"].values}


def test_the_first_sample_with_all_readings_is_the_dictionary() -> None:
    """The first samples of a session have the traffic alone."""
    [sample] = FakeSource(2, count=1).samples()
    traffic = replace(sample, readings={"protocols/eth0/rx": sample.readings["protocols/eth0/rx"]})
    packer = SamplePacker()
    first, *others = [packer.pack(each) for each in (traffic, sample, sample, traffic)]
    assert len({id(each.dictionary) for each in others}) == 1
    assert first.dictionary != others[0].dictionary
    assert [unpack(each) for each in (first, *others)] == [traffic, sample, sample, traffic]


def test_readings_that_come_and_go_share_dictionaries() -> None:
    """Each dictionary is as large as twenty packed samples."""
    [sample] = FakeSource(2, count=1).samples()
    traffic = {"protocols/eth0/rx": sample.readings["protocols/eth0/rx"]}
    samples = [
        replace(sample, readings={**traffic, f"qdiscs/eth{number % 2}": sample.readings["snmp"]})
        for number in range(60)
    ]
    packer = SamplePacker()
    packed = [packer.pack(each) for each in samples]
    assert [unpack(each) for each in packed] == samples
    assert len({id(each.dictionary) for each in packed}) <= 1 + 60 / 10
