"""Devices below watched interfaces, of real devices in a namespace: nothing is counted twice in the total."""

from __future__ import annotations

import pytest

from bpftop.collect.devices.device_stack import DeviceStack
from bpftop.collect.devices.rtnetlink_counters import lower_here
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.model.derive import counted_twice
from bpftop.model.sample import Interface
from tests.bpf.devices import Lab

pytestmark = pytest.mark.bpf


def left_out(netdev: Netdev, *names: str) -> dict[str, str]:
    """Return the interfaces that are left out of the total if these are watched."""
    interfaces = []
    for name in names:
        device = netdev.find(name)
        interfaces.append(
            Interface(name, name, device.ifindex, kind=device.kind, master=device.master, lower=lower_here(device))
        )
    return counted_twice(DeviceStack(netdev.devices).with_below(interfaces))


def ip(lab: Lab, *commands: str) -> None:
    for command in commands:
        lab.run("ip", "link", *command.split())


def test_macvlan_on_a_bridge_gives_way_to_the_port(lab: Lab, netdev: Netdev) -> None:
    ip(lab, "add p0 type veth peer name far0", "add br0 type bridge", "set p0 master br0",
       "add mv0 link br0 type macvlan mode bridge")  # fmt: skip
    assert left_out(netdev, "p0", "mv0") == {"mv0": "carried by p0"}
    assert left_out(netdev, "br0", "mv0") == {"mv0": "carried by br0"}
    assert left_out(netdev, "p0", "br0") == {"br0": "its ports are counted: p0"}
    assert left_out(netdev, "mv0", "far0") == {}


def test_vxlan_gives_way_to_the_device_below(lab: Lab, netdev: Netdev) -> None:
    ip(lab, "add p0 type veth peer name far0", "add v7 link p0 type macvlan",
       "add vx0 type vxlan id 1 dstport 4789 dev v7 remote 192.0.2.1",
       "add vx1 type vxlan id 2 dstport 4790 remote 192.0.2.1")  # fmt: skip
    assert left_out(netdev, "p0", "vx0") == {"vx0": "carried by p0"}
    assert left_out(netdev, "far0", "vx0") == {}
    assert left_out(netdev, "p0", "vx1") == {"vx1": "a tunnel: its packets travel inside those of p0"}
    assert left_out(netdev, "vx0", "vx1") == {}


def test_bridge_of_macvlans_gives_way_to_the_first_device(lab: Lab, netdev: Netdev) -> None:
    ip(lab, "add p0 type veth peer name far0", "add v7 link p0 type macvlan", "add br0 type bridge",
       "set v7 master br0", "add v9 link br0 type macvlan")  # fmt: skip
    assert left_out(netdev, "p0", "v9") == {"v9": "carried by p0"}
    assert left_out(netdev, "p0", "v7", "v9") == {"v7": "carried by p0", "v9": "carried by v7, p0"}


def test_one_interface_reads_no_devices() -> None:
    def refuse() -> list[Device]:
        raise AssertionError("listed")

    interface = Interface("eth0", "eth0", 2)
    assert DeviceStack(refuse).with_below([interface]) == (interface,)
