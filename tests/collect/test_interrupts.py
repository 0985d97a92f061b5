"""Interrupts of an interface: their numbers, and their counts per possible CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.device_irqs import irq_names
from bpftop.collect.devices.interrupts import Interrupts
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface, Reading
from tests.collect import large_machines
from tests.collect.moments import ETH0, TREES, copy_of, reading_of, signal

LO = Interface("lo", "lo", 1)
VIRTIO = Interface("eth0", "eth0", 4)


def per_cpu(reading: Reading) -> dict[int, list[int | None]]:
    """Return IRQ -> count of every possible CPU; None for a missing cell."""
    cells = [None if i in reading.missing else value for i, value in enumerate(reading.values)]
    width = reading.stride
    return {int(key[1]): cells[row * width : (row + 1) * width] for row, key in enumerate(reading.keys)}


def test_msi_vectors_of_an_old_kernel() -> None:
    reading = reading_of(Interrupts(Tree(TREES / "old"), 4), "irqs", ETH0)
    assert reading.keys == (("eth0", 30), ("eth0", 31), ("eth0", 32))
    assert per_cpu(reading) == {
        30: [5_000_001, 0, None, 0],
        31: [0, 700_002, None, 0],
        32: [0, 0, None, 3],
    }


def test_virtio_vectors_have_the_name_of_their_device() -> None:
    reading = reading_of(Interrupts(Tree(TREES / "new"), 2), "irqs", VIRTIO)
    assert [key[1] for key in reading.keys] == [37, 38, 39]
    assert reading.missing == frozenset()
    assert irq_names((TREES / "new/proc/interrupts").read_text())[38] == "virtio2-input.0"


def test_names_of_handlers() -> None:
    names = irq_names((TREES / "old/proc/interrupts").read_text())
    assert names == {
        0: "timer",
        1: "i8042",
        8: "rtc0",
        16: "ehci_hcd:usb1, i801_smbus",
        30: "eth0-TxRx-0",
        31: "eth0-TxRx-1",
        32: "eth0",
        33: "ahci[0000:00:1f.2]",
    }


def test_a_device_made_by_software_has_none(tmp_path: Path) -> None:
    """The name of an interrupt proves nothing: the eth0 of a container is a veth. The file is not read."""
    root = copy_of("old", tmp_path)
    (root / "sys/class/net/eth0/device").unlink()
    (root / "proc/interrupts").unlink()
    assert Interrupts(Tree(root), 4).read([ETH0]) == {}
    assert Interrupts(Tree(root), 4).read([]) == {}


def test_a_device_on_no_pci_bus_goes_by_its_name(tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    function = (root / "sys/class/net/eth0/device").resolve()
    for vector in (function / "msi_irqs").iterdir():
        vector.unlink()
    (function / "msi_irqs").rmdir()
    (function / "irq").write_text("0\n")
    assert [key[1] for key in reading_of(Interrupts(Tree(root), 4), "irqs", ETH0).keys] == [30, 31, 32]
    (function / "irq").write_text("16\n")  # without MSI, shared with others
    assert [key[1] for key in reading_of(Interrupts(Tree(root), 4), "irqs", ETH0).keys] == [16]


def test_another_device_of_the_name() -> None:
    """A device in sysfs with another ifindex than the watched reading_of is not used."""
    collector = Interrupts(Tree(TREES / "old"), 4)
    with pytest.raises(Unavailable, match="sysfs shows another network namespace"):
        collector.read([Interface("eth0", "eth0", 77)])
    both = collector.read([Interface("v0", "eth0", 77), ETH0])
    assert set(both) == {"irqs/eth0"}


def test_no_sysfs_is_a_sentence() -> None:
    tree = Tree(TREES / "old", no_sysfs="cannot mount a sysfs of this network namespace")
    with pytest.raises(Unavailable, match=r"^interrupts: cannot mount a sysfs"):
        Interrupts(tree, 4).read([ETH0])


def test_counts_gain_and_wrap(tmp_path: Path) -> None:
    """All CPUs are online, so that the sum of a row is known."""
    large_machines.write(tmp_path / "proc/interrupts", large_machines.interrupts((0, 1), 3, 2, 0xFFFFFFFF))
    device = tmp_path / "sys/class/net/eth0"
    large_machines.write(device / "ifindex", "2\n")
    large_machines.write(tmp_path / "sys/devices/function/msi_irqs/103", "msix\n")
    (device / "device").symlink_to("../../../devices/function")
    collector = Interrupts(Tree(tmp_path), 2)
    before = collector.read([ETH0])
    large_machines.write(tmp_path / "proc/interrupts", large_machines.interrupts((0, 1), 3, 2, 4))
    after = collector.read([ETH0])
    assert after["irqs/eth0"].keys is before["irqs/eth0"].keys
    assert signal(before, after, "irqs", "eth0").gained(("eth0", 103), "count") == 5


def test_a_cpu_that_goes_and_comes_back(tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    collector = Interrupts(Tree(root), 4)
    before = collector.read([ETH0])
    path = root / "proc/interrupts"
    whole = path.read_text()
    lines = whole.splitlines()
    path.write_text("\n".join([lines[0][:34], *(line[:27] + line[38:] for line in lines[1:])]) + "\n")
    without = collector.read([ETH0])
    assert per_cpu(without["irqs/eth0"])[31] == [0, 700_002, None, None]
    assert signal(before, without, "irqs", "eth0").pair is None
    path.write_text(whole)
    back = collector.read([ETH0])
    assert signal(without, back, "irqs", "eth0").pair is None  # all its counts would be a gain
    assert signal(back, collector.read([ETH0]), "irqs", "eth0").pair is not None


def test_another_device_takes_the_place_of_the_first(tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    collector = Interrupts(Tree(root), 4)
    before = collector.read([ETH0])
    (root / "sys/class/net/eth0/ifindex").write_text("9\n")
    after = collector.read([Interface("eth0", "eth0", 9)])
    assert signal(before, after, "irqs", "eth0").gained(("eth0", 30), "count") is None  # no rate across two devices


@pytest.mark.parametrize("possible", [256, 1024])
def test_a_wide_machine_with_holes(tmp_path: Path, possible: int) -> None:
    tree = large_machines.make(tmp_path, possible, queues=8, others=20)
    reading = reading_of(Interrupts(tree, possible), "irqs", large_machines.ETH0)
    online = large_machines.half_of(possible)
    rows = per_cpu(reading)
    assert list(rows) == [large_machines.FIRST_IRQ + 20 + queue for queue in range(9)]
    for queue, row in enumerate(rows.values()):
        assert [cpu for cpu, count in enumerate(row) if count is not None] == list(online)
        assert [cpu for cpu, count in enumerate(row) if count] == ([online[queue]] if queue < 8 else [])


def test_a_cpu_number_above_the_number_of_cpus() -> None:
    """Possible CPU numbers may have holes; libbpf returns how many there are."""
    reading = reading_of(Interrupts(Tree(TREES / "old"), 2), "irqs", ETH0)
    assert per_cpu(reading)[32] == [0, 0, None, 3]
