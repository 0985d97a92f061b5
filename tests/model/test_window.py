"""Windows of the checks: equal to snapshots in every part, and derived part by part."""

from __future__ import annotations

import pytest

from bpftop.fields import field_names
from bpftop.model import window
from bpftop.model.derive import derive_interface, derive_snapshot
from bpftop.model.sample import Interface, Sample
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from tests import samples
from tests.rules.world import World


@pytest.fixture
def world() -> World:
    names = ("eth0", "eth1", "eth2")
    interfaces = [samples.interface(name, at, hooks=samples.HOOKS) for at, name in enumerate(names, 2)]
    world = World(*interfaces).frames("protocols", 6, pps=900, cpu=0).frames("joint", "ipv4", "unicast", "<=64", pps=7)
    return world.rate("softnet", (1,), "dropped", 5)


def test_a_window_equals_the_snapshot_in_every_part(world: World) -> None:
    before, after = world.advance(), world.advance()
    derived, parts = derive_snapshot(before, after), window.Window(before, after)
    for name in field_names(Snapshot):
        assert getattr(parts, name) == getattr(derived, name), name
    assert parts.interface("eth1") == derived.interface("eth1")
    assert parts.interface("none of these") == derived.total
    assert parts.reading("softnet") == derived.reading("softnet") is not None
    assert parts.reading("protocols", "eth0", "rx") is derived.reading("protocols", "eth0", "rx") is None
    assert parts.counter_rates == derived.counter_rates
    assert len(parts.readings) == len(derived.readings)


def test_a_window_derives_no_interface_that_nobody_asks_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def derive(before: Sample | None, after: Sample, interface: Interface) -> InterfaceSnapshot:
        asked.append(interface.label)
        return derive_interface(before, after, interface)

    monkeypatch.setattr(window, "derive_interface", derive)
    parts = window.Window(world.advance(), world.advance())
    assert parts.interface("eth1") is parts.interface("eth1")
    assert parts.reading("softnet") is not None
    assert asked == ["eth1"]
    assert [each.label for each in parts.interfaces] == ["eth0", "eth1", "eth2"]
    assert asked == ["eth1", "eth0", "eth2"]
