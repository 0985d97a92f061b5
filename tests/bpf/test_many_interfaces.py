"""Many interfaces: a screen has all rows at once, while their programs are attached one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest

from bpftop.collect.attach.attachments import WAITS
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Sample, reading_key
from tests.bpf.devices import Lab

pytestmark = pytest.mark.bpf

PAIRS = 6
NAMES = [f"m{number}" for number in range(2 * PAIRS)]
ON_SCREEN = AttachRequest(terminal=True)


@pytest.fixture
def many(lab: Lab) -> Lab:
    for number in range(0, 2 * PAIRS, 2):
        lab.ip(f"link add m{number} type veth peer name m{number + 1}")
        lab.ip(f"link set m{number + 1} up")
        lab.up(f"m{number}")
    return lab


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first sample wait for the first interface alone, however fast this machine attaches."""
    monkeypatch.setattr("bpftop.collect.live.PATIENCE_NS", 0)


def counted(sample: Sample) -> list[str]:
    return [each.label for each in sample.interfaces if each.hooks["rx"].hook != "none"]


def until_all_are_counted(samples: Iterator[Sample]) -> list[Sample]:
    taken = []
    for sample in samples:
        taken.append(sample)
        assert sample.seq < 10 * len(NAMES), counted(sample)
        if counted(sample) == NAMES:
            return taken
    raise AssertionError("the source ended")


@pytest.mark.usefixtures("many", "no_patience")
def test_screen_has_every_row_before_the_last_attachment() -> None:
    told: list[tuple[int, int]] = []
    source = LiveSource(
        NAMES, LiveOptions(ON_SCREEN, interval_s=0.1, drops=False), progress=lambda *counts: told.append(counts)
    )
    with closing(source.samples()) as samples:
        first, second, *others = until_all_are_counted(samples)
    assert len(counted(first)) == 1
    assert [each.label for each in first.interfaces] == NAMES  # in the order of the command line
    rates = derive_snapshot(first, second)
    assert len(counted(second)) < len(NAMES)
    waiting = [each for each in rates.interfaces if each.label not in counted(second)]
    assert all(each.rx.totals.packets_per_sec is not None for each in waiting)  # rtnetlink's rates
    assert all(each.interface.notices == (WAITS,) for each in waiting)
    assert told == [(count, len(NAMES)) for count in range(1, len(NAMES) + 1)]
    numbers = [len(counted(sample)) for sample in (first, second, *others)]
    assert all(before < after for before, after in pairwise(numbers))  # at least one per tick
    assert not any(WAITS in each.notices for each in others[-1].interfaces)


def test_interface_that_carried_most_is_attached_first(many: Lab, no_patience: None) -> None:
    many.send("m7", 100, 1500)
    source = LiveSource(NAMES, LiveOptions(ON_SCREEN, interval_s=0.1, drops=False))
    with closing(source.samples()) as samples:
        assert counted(next(samples)) in (["m6"], ["m7"])


@pytest.mark.usefixtures("many", "no_patience")
def test_documents_wait_for_all_programs() -> None:
    source = LiveSource(NAMES, LiveOptions(interval_s=0.1, drops=False))
    with closing(source.samples()) as samples:
        assert counted(next(samples)) == NAMES


@pytest.mark.usefixtures("many", "no_patience")
def test_flows_are_counted_on_interfaces_attached_later() -> None:
    source = LiveSource(NAMES, LiveOptions(ON_SCREEN, interval_s=0.1, drops=False))
    with closing(source.samples()) as samples:
        next(samples)
        source.watch_flows(True)
        *_, last = until_all_are_counted(samples)
        keys = [reading_key("flows", name, "rx") for name in NAMES]
        while not all(key in last.readings for key in keys):
            last = next(samples)
            assert last.seq < 20 * len(NAMES), sorted(last.readings)


@pytest.mark.usefixtures("many")
def test_flows_are_counted_on_the_busiest_interfaces(many: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpftop.collect.attach.attachments.FLOW_INTERFACES", 2)
    many.send("m7", 100, 1500)
    source = LiveSource(NAMES, LiveOptions(interval_s=0.1, drops=False))
    with closing(source.samples()) as samples:
        next(samples)
        source.watch_flows(True)
        reason = "flows are counted on 2 interfaces at most, the busiest; watch fewer interfaces"
        others = [name for name in NAMES if name not in ("m6", "m7")]
        for sample in samples:
            assert sample.seq < 100, sorted(sample.readings)
            flows = {name for name in NAMES if reading_key("flows", name, "rx") in sample.readings}
            if flows == {"m6", "m7"}:
                break
        assert [sample.unavailable.get(f"flows/{name}/rx") for name in others] == [reason] * len(others)
        source.watch_flows(False)
        for sample in samples:
            assert sample.seq < 200, sorted(sample.readings)
            if not any(part.startswith("flows/") for part in (*sample.unavailable, *sample.readings)):
                break


def test_a_waiting_device_that_returns_is_attached(many: Lab, no_patience: None) -> None:
    source = LiveSource(NAMES, LiveOptions(ON_SCREEN, interval_s=0.1, drops=False))
    with closing(source.samples()) as samples:
        next(samples)
        many.ip("link del m10")  # and its peer, m11
        last = next(samples)
        while len(counted(last)) < len(NAMES) - 2:
            last = next(samples)
            assert last.seq < 10 * len(NAMES), counted(last)
        assert {each.label: each.state for each in last.interfaces}["m10"] == "gone"
        many.ip("link add m10 type veth peer name m11")
        until_all_are_counted(samples)
