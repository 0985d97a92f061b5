"""Order of the list of interfaces."""

from __future__ import annotations

from bpftop.model.sample import Sample
from bpftop.model.snapshot import TOTAL, Snapshot
from bpftop.tui.moment import listed, next_label
from tests import samples
from tests.model.signals import pushed


def snapshot(count: int, busy: int) -> Snapshot:
    """Return the snapshot of ``count`` interfaces, of which e<busy> has all the traffic."""
    interfaces = [samples.interface(f"e{number}", number) for number in range(1, count + 1)]

    def at(second: float) -> Sample:
        readings = (
            samples.links(second, i.label, rx_packets=int(5000 * second) if i.ifindex == busy else 0)
            for i in interfaces
        )
        return samples.sample(second, *readings, interfaces=interfaces)

    return pushed(at(0), at(1)).at(-1)


def test_many_interfaces_are_listed_busiest_first() -> None:
    labels = [interface.label for interface in listed(snapshot(60, 47).interfaces)]
    assert labels[:3] == ["e47", "e1", "e2"]
    assert next_label(snapshot(60, 47), TOTAL, 1) == "e47"


def test_few_interfaces_keep_the_order_of_the_command_line() -> None:
    assert [interface.label for interface in listed(snapshot(6, 5).interfaces)] == [f"e{n}" for n in range(1, 7)]
