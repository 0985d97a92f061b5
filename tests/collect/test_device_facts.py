"""Device facts on recorded and made-up trees, and of a veth in a namespace."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.bonding import bond
from bpftop.collect.devices.device_facts import device_facts
from bpftop.collect.devices.device_watch import DeviceWatch
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.collect.procfs.namespace_tree import namespace_tree
from bpftop.collect.procfs.tree import Tree
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.kernel.net import sysfs
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.device import Bond, BondLeg, DeviceFacts, Irq, Queue
from bpftop.model.sample import Interface
from tests.bpf.devices import Lab
from tests.collect import large_machines
from tests.collect.moments import ETH0, TREES, copy_of
from tests.waiting import until

# No device of this machine has this name.
NOT_HERE = "bpftop-none"


@pytest.fixture
def netdev() -> Iterator[Netdev]:
    netdev = Netdev()
    yield netdev
    netdev.close()


def facts_of(root: Path, netdev: Netdev, interface: Interface = ETH0) -> DeviceFacts:
    return device_facts(Tree(root), netdev.ethtool, interface)


# Trees


def test_an_old_kernel(netdev: Netdev) -> None:
    facts = facts_of(TREES / "old", netdev)
    assert facts.queues == (
        Queue("rx", 0, (1, 3)),
        Queue("rx", 1, ()),
        Queue("tx", 0, (0,)),
        Queue("tx", 1, (1,)),
    )
    assert facts.irqs == (
        Irq(30, "eth0-TxRx-0", (0, 1, 2, 3), (0,)),
        Irq(31, "eth0-TxRx-1", (0, 1, 2, 3), (1,)),
        Irq(32, "eth0", (0, 1, 3), (3,)),
    )
    assert (facts.numa_node, facts.numa_cpus, facts.bond) == (None, None, None)


def test_a_virtio_device(netdev: Netdev) -> None:
    facts = facts_of(TREES / "new", netdev, Interface("eth0", "eth0", 4))
    assert facts.irqs is not None
    assert [(irq.number, irq.name) for irq in facts.irqs] == [
        (37, "virtio2-config"),
        (38, "virtio2-input.0"),
        (39, "virtio2-output.0"),
    ]
    assert facts.queues == (Queue("rx", 0, ()), Queue("tx", 0, ()))  # XPS has no meaning with one queue
    assert not {"numa_node", "queues", "irqs"} & facts.unreadable.keys()


@pytest.mark.parametrize("possible", [256, 1024])
def test_a_wide_machine(netdev: Netdev, tmp_path: Path, possible: int) -> None:
    large_machines.make(tmp_path, possible, queues=8, others=20)
    facts = facts_of(tmp_path, netdev, large_machines.ETH0)
    assert facts.numa_node == 1
    assert facts.numa_cpus == tuple(range(possible // 2, possible))
    assert facts.queues is not None
    assert facts.queues[7] == Queue("rx", 7, (7,))
    assert facts.queues[8] == Queue("tx", 0, (possible - 1,))
    assert facts.irqs is not None
    assert facts.irqs[7].effective_cpus == (large_machines.half_of(possible)[7],)
    assert facts.irqs[8].name == "mlx5_async@pci:0000:3b:00.0"


def test_a_bond(netdev: Netdev, tmp_path: Path) -> None:
    large_machines.make(tmp_path, 256)
    facts = facts_of(tmp_path, netdev, Interface("bond0", "bond0", 3, kind="bond"))
    legs = (BondLeg("eth0", True), BondLeg("eth1", False))
    assert facts.bond == Bond("fault-tolerance (active-backup)", "eth0", legs)
    assert facts.irqs == ()
    (tmp_path / "proc/net/bonding/bond0").unlink()
    facts = facts_of(tmp_path, netdev, Interface("bond0", "bond0", 3, kind="bond"))
    assert facts.bond is None
    assert "cannot read" in facts.unreadable["bond"]


def test_bonds_in_other_states(tmp_path: Path) -> None:
    path = tmp_path / "proc/net/bonding/b"
    large_machines.write(path, "Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nMII Status: down\n")
    assert bond(Tree(tmp_path), "b") == Bond("IEEE 802.3ad Dynamic link aggregation", None, ())
    leg = "\nSlave Interface: p1\nMII Status: going back\n"
    large_machines.write(
        path, f"Bonding Mode: load balancing (xor)\nCurrently Active Slave: None\nMII Status: up\n{leg}"
    )
    assert bond(Tree(tmp_path), "b") == Bond("load balancing (xor)", None, (BondLeg("p1", False),))
    large_machines.write(path, "nonsense")
    with pytest.raises(Unavailable, match="it names no mode"):
        bond(Tree(tmp_path), "b")


def test_unreadable_facts_have_a_reason(netdev: Netdev, tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    (root / "proc/irq/31/smp_affinity_list").write_text("garbage\n")
    (root / "proc/irq/32/effective_affinity_list").unlink()
    mask = root / "sys/class/net/eth0/queues/rx-1/rps_cpus"
    mask.write_text("zz\n")
    facts = facts_of(root, netdev)
    assert facts.irqs is not None
    assert [irq.affinity_cpus for irq in facts.irqs][1] is None
    assert [irq.effective_cpus for irq in facts.irqs][2] is None
    assert facts.queues is not None
    assert facts.queues[1] == Queue("rx", 1, None)
    assert "smp_affinity_list" in facts.unreadable["irqs"]
    assert "rps_cpus" in facts.unreadable["queues"]


def test_missing_files(netdev: Netdev, tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    (root / "proc/interrupts").unlink()
    assert facts_of(root, netdev).irqs is None
    assert "proc/interrupts: No such file" in facts_of(root, netdev).unreadable["irqs"]
    empty = facts_of(tmp_path / "nothing", netdev)
    assert "eth0 is not this device (No such file or directory)" in empty.unreadable["queues"]
    assert (empty.queues, empty.irqs, empty.numa_node) == (None, None, None)
    assert empty.unreadable["queues"] == empty.unreadable["irqs"]


def test_sysfs_of_another_namespace_is_not_believed(netdev: Netdev) -> None:
    facts = facts_of(TREES / "old", netdev, Interface("eth0", "eth0", 77))
    assert (facts.queues, facts.irqs) == (None, None)
    assert "sysfs shows another network namespace" in facts.unreadable["queues"]


def test_a_device_that_ethtool_does_not_know(netdev: Netdev, tmp_path: Path) -> None:
    facts = device_facts(Tree(tmp_path), netdev.ethtool, Interface(NOT_HERE, NOT_HERE, 99))
    assert facts.ring is None
    assert facts.unreadable["ring"] == "ethtool: No such device"


def test_loopback_here(netdev: Netdev) -> None:
    facts = device_facts(Tree(), netdev.ethtool, Interface("lo", "lo", 1))
    assert facts.features is not None
    assert "loopback" in facts.features
    assert facts.unreadable["ring"] == "the driver does not offer this"


# The thread


class FakeReads:
    """A fake ``device_facts``: the test sets the facts, and may hold a read up."""

    def __init__(self) -> None:
        self.facts = DeviceFacts(firmware="1")
        self.names: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, tree: Tree, ethtool: Ethtool, interface: Interface) -> DeviceFacts:
        self.go_on.wait()
        self.names.append(interface.name)
        return DeviceFacts(firmware=self.facts.firmware)


@pytest.fixture
def reads() -> FakeReads:
    return FakeReads()


@pytest.fixture
def watch(reads: FakeReads, netdev: Netdev) -> Iterator[DeviceWatch]:
    with closing(DeviceWatch(Tree(), netdev.ethtool, reads, every_s=0.01)) as watch:
        yield watch
        reads.go_on.set()


def tick(watch: DeviceWatch, interface: Interface = ETH0) -> DeviceFacts | None:
    facts = watch.with_facts([interface])[0].facts
    watch.remind()
    return facts


def facts_until(watch: DeviceWatch, interface: Interface, wanted: Callable[[DeviceFacts | None], bool]) -> DeviceFacts:
    until(lambda: wanted(tick(watch, interface)), "the facts are there")
    facts = watch.with_facts([interface])[0].facts
    assert facts is not None
    return facts


def test_no_facts_are_read_before_the_first_rates(watch: DeviceWatch, reads: FakeReads) -> None:
    assert watch.with_facts([ETH0])[0].facts is None
    time.sleep(0.05)
    assert reads.names == []


def test_the_same_object_until_something_changes(watch: DeviceWatch, reads: FakeReads) -> None:
    first = facts_until(watch, ETH0, lambda facts: facts is not None)

    def read_twice_more() -> bool:
        tick(watch)
        return len(reads.names) > before + 2

    before = len(reads.names)
    until(read_twice_more, "the facts were read again")
    assert watch.with_facts([ETH0])[0].facts is first
    reads.facts = DeviceFacts(firmware="2")
    assert facts_until(watch, ETH0, lambda facts: facts is not first).firmware == "2"


def test_facts_are_read_rarely(reads: FakeReads, netdev: Netdev) -> None:
    """A new device is read at once."""
    with closing(DeviceWatch(Tree(), netdev.ethtool, reads, every_s=3600)) as watch:
        facts_until(watch, ETH0, lambda facts: facts is not None)
        for _ in range(5):
            tick(watch)
        time.sleep(0.05)
        assert reads.names == ["eth0"]
        facts_until(watch, Interface("v7", "v7", 7), lambda facts: facts is not None)
        assert reads.names == ["eth0", "v7"]


def test_a_tick_waits_for_no_read(watch: DeviceWatch, reads: FakeReads) -> None:
    reads.go_on.clear()
    for _ in range(3):
        assert tick(watch) is None  # the read never ends, and this returns
    assert reads.names == []


def test_wait_for_a_read_that_is_under_way(watch: DeviceWatch, reads: FakeReads) -> None:
    watch.wait(60)  # no read is under way, so this returns
    reads.go_on.clear()
    assert tick(watch) is None
    watch.wait(0.01)  # the read does not end, and this returns all the same
    assert watch.with_facts([ETH0])[0].facts is None
    reads.go_on.set()
    watch.wait(60)
    assert watch.with_facts([ETH0])[0].facts == reads.facts


def test_the_second_sample_of_a_snapshot_has_the_facts() -> None:
    source = LiveSource(["lo"], LiveOptions(AttachRequest("none"), interval_s=0.1, first_gap_s=None, drops=False))
    with closing(source.samples()) as samples:
        first, second = next(samples), next(samples)
    assert first.interfaces[0].facts is None
    assert second.interfaces[0].facts is not None
    assert second.interfaces[0].facts.features
    assert "self_memory" in second.readings
    assert second.kernel == os.uname().release


def test_a_new_device_does_not_get_the_old_ones_facts(watch: DeviceWatch, reads: FakeReads) -> None:
    facts_until(watch, ETH0, lambda facts: facts is not None)
    reads.go_on.clear()
    assert tick(watch, Interface("eth0", "eth0", 9)) is None
    assert watch.with_facts([Interface("eth0", "eth0", 2, state="gone")])[0].label == "eth0"


# Here


@pytest.mark.bpf
def test_a_veth_in_a_namespace(lab: Lab) -> None:
    """The facts of a veth, with an RPS mask that this machine's /sys does not show."""
    lab.ip("link add v0 numrxqueues 2 numtxqueues 2 type veth peer name v1 numrxqueues 2 numtxqueues 2")
    with closing(Netdev()) as netdev, namespace_tree(entered=True) as tree:
        v0 = Interface("v0", "v0", netdev.find("v0").ifindex)
        assert tree.sys is not None
        assert not Path("/sys/class/net/v0").exists()
        facts = device_facts(tree, netdev.ethtool, v0)
        assert facts.channels == {"rx": 2, "rx_max": 2, "tx": 2, "tx_max": 2}
        assert facts.ring is None
        assert facts.unreadable["ring"] == "the driver does not offer this"
        assert facts.features is not None
        assert "tx-tcp-segmentation" in facts.features
        assert facts.irqs == ()
        assert facts.queues == tuple(Queue(direction, i, ()) for direction in ("rx", "tx") for i in (0, 1))
        # A process that enters the namespace with a mount of its own sets the mask; the detached mount shows it.
        script = "mount -t sysfs none /mnt && echo 1 > /mnt/class/net/v0/queues/rx-1/rps_cpus"
        lab.run("unshare", "--mount", "sh", "-c", script)
        again = device_facts(tree, netdev.ethtool, v0)
        assert again.queues is not None
        assert again.queues[1] == Queue("rx", 1, (0,))
        mounted = tree.sys
    assert not (mounted / "class").exists()  # closed with the context


@pytest.mark.bpf
def test_a_session_in_a_namespace_has_facts(lab: Lab) -> None:
    lab.veth()
    source = LiveSource(["v0"], LiveOptions(AttachRequest("none"), interval_s=0.2, drops=False))
    with closing(source.samples()) as samples:
        facts = [next(samples).interfaces[0].facts for _ in range(2)]
        assert facts == [None, None]  # not before the first rates are out
        until(lambda: next(samples).interfaces[0].facts is not None, "the facts were read")
        third, fourth = (next(samples).interfaces[0].facts for _ in range(2))
        assert third is fourth
        assert third is not None
        assert third.queues is not None
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "bpftop-devices"]


@pytest.mark.bpf
def test_no_mount_is_left_or_visible(lab: Lab) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with namespace_tree(entered=True) as tree:
        assert tree.sys is not None
        assert Path("/proc/self/mountinfo").read_text() == before


@pytest.mark.bpf
def test_where_no_sysfs_may_be_mounted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child of this process that gives up CAP_SYS_ADMIN, as a person without root has entered a namespace."""
    lab.veth()
    monkeypatch.setattr(sysfs, "_FSOPEN", 100_000)  # no such system call, as before Linux 5.2
    with closing(Netdev()) as netdev, namespace_tree(entered=True) as tree:
        assert tree.no_sysfs is not None
        assert tree.no_sysfs.endswith("Function not implemented; it takes Linux 5.2")
        facts = device_facts(tree, netdev.ethtool, Interface("v0", "v0", netdev.find("v0").ifindex))
        assert (facts.queues, facts.irqs) == (None, None)
        assert "it takes Linux 5.2" in facts.unreadable["queues"]
        assert facts.features
