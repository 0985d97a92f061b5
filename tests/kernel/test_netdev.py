"""Facts from rtnetlink and ethtool, of real devices in private namespaces."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.kernel.net.ethtool import Driver, Ethtool
from bpftop.kernel.net.netdev import LINK_COUNTERS, Device, Netdev, no_such_interface, parse_device
from bpftop.kernel.net.netlink import attribute
from tests.bpf.devices import IFF_TAP, IFF_TUN, Lab

pytestmark = pytest.mark.bpf


def test_veth_in_two_namespaces(lab: Lab, netdev: Netdev) -> None:
    lab.veth("v0", "v1", mtu=2000)
    device = netdev.find("v0")
    assert (device.name, device.kind, device.link_type, device.mtu) == ("v0", "veth", 1, 2000)
    assert device.up
    assert device.lower_elsewhere
    assert device.lower is not None
    assert len(device.address) == 6
    assert device.parent_bus is None
    assert netdev.find("v0").ifindex == device.ifindex
    by_index = netdev.device(device.ifindex)
    assert by_index is not None
    assert by_index.name == "v0"
    assert netdev.ethtool.driver(device.name) == Driver("veth", "")
    assert netdev.native_xdp(device.ifindex) is True


def test_speed_needs_a_bus(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    device = netdev.find("v0")
    ethtool = Ethtool(netdev.route.fileno())
    assert ethtool.speed_bits_per_sec("v0") == 10_000_000_000  # what veth claims
    assert netdev.speed_bits_per_sec(device, netdev.ethtool.driver(device.name)) is None
    on_pci = Device(**{**vars(device), "parent_bus": "pci"})
    assert netdev.speed_bits_per_sec(on_pci, Driver("ice", "0000:17:00.0")) == 10_000_000_000
    assert netdev.speed_bits_per_sec(device, Driver("ice", "0000:17:00.0")) == 10_000_000_000  # Linux before 5.14
    assert netdev.speed_bits_per_sec(device, Driver("virtio_net", "0000:00:03.0")) is None
    assert netdev.speed_bits_per_sec(Device(**{**vars(device), "parent_bus": "virtio"}), None) is None


def test_kinds_and_native_xdp(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.tunnel_device("tap0", IFF_TAP)
    lab.tunnel_device("tun0", IFF_TUN)
    for arguments in ("b0 type bridge", "i0 type ifb", "m0 link v0 type macvlan", "x0 type vxlan id 7 dstport 4789"):
        lab.ip(f"link add {arguments}")
    lab.ip("link set tap0 master b0")
    seen = {d.name: (d.kind, d.link_type, netdev.native_xdp(d.ifindex)) for d in netdev.devices()}
    assert seen == {
        "lo": (None, 772, False),
        "v0": ("veth", 1, True),
        "tap0": ("tun", 1, True),
        "tun0": ("tun", 65534, False),
        "b0": ("bridge", 1, False),
        "i0": ("ifb", 1, False),
        "m0": ("macvlan", 1, False),
        "x0": ("vxlan", 1, False),
    }
    assert netdev.find("tap0").master == netdev.find("b0").ifindex
    assert netdev.find("m0").lower == netdev.find("v0").ifindex
    assert netdev.ethtool.driver("lo") is None
    assert netdev.native_xdp(9999) is None


def test_counters_move(lab: Lab, netdev: Netdev) -> None:
    fd = lab.tunnel_device("tap0", IFF_TAP)
    before = netdev.find("tap0").counters
    os.write(fd, b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(86))
    after = netdev.find("tap0").counters
    names = tuple(name for name in after if name != "carrier_changes")
    assert names == LINK_COUNTERS[: len(names)]
    assert len(names) >= 24
    assert after["rx_packets"] - before["rx_packets"] == 1
    assert after["rx_bytes"] - before["rx_bytes"] == 100


def test_up_needs_switch_and_carrier(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    assert netdev.find("v0").up
    assert netdev.find("lo").up
    with lab.inside(lab.far):
        lab.ip("link set v1 down")
    assert not netdev.find("v0").up
    lab.ip("link set lo down")
    assert not netdev.find("lo").up


def test_names(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    long_name = "a-name-longer-than-fifteen"
    lab.ip(f"link property add dev v0 altname {long_name}")
    lab.ip("link property add dev v0 altname short")
    device = netdev.find("v0")
    assert netdev.find(long_name).ifindex == netdev.find("short").ifindex == device.ifindex
    for absent in ("", "v", "v0/", "v\0", "x" * 15, "x" * 16, "x" * 200, "v00000000000000000000", 99, "-1"):
        assert netdev.device(absent) is None
    with pytest.raises(BpftopError, match=r'^No interface named "v00" in this network namespace; there are: v0, lo\.$'):
        netdev.find("v00")


def test_sentence_for_a_wrong_name() -> None:
    assert (
        no_such_interface("eht0", ["lo", "eth0"])
        == 'No interface named "eht0" in this network namespace; there are: eth0, lo.'
    )
    many = ["lo", *(f"veth{n:05}" for n in range(100)), "eth0"]
    sentence = no_such_interface("eth", many)
    assert sentence.startswith('No interface named "eth" in this network namespace; there are: eth0, ')
    assert sentence.endswith(" and 94 more.")


def test_stays_with_its_namespace(lab: Lab) -> None:
    lab.veth()
    with lab.inside(lab.far):
        far = Netdev()
    assert far.device("v0") is None
    assert far.find("v1").kind == "veth"
    assert far.ethtool.driver("v1") == Driver("veth", "")
    assert far.native_xdp(far.find("v1").ifindex) is True
    far.close()


def test_default_route(lab: Lab, netdev: Netdev) -> None:
    assert netdev.default_route() is None
    for name in ("p0", "q0", "r0"):
        lab.ip(f"link add {name} type veth peer name {name}p")
        lab.ip(f"link set {name}p up")
        lab.ip(f"link set {name} up")
    lab.ip("address add fd62::1/64 dev r0 nodad")
    lab.ip("-6 route add default via fd62::2 dev r0")
    assert netdev.default_route() == netdev.find("r0").ifindex
    lab.ip("address add 198.18.5.1/24 dev p0")
    lab.ip("address add 198.18.6.1/24 dev q0")
    lab.ip("route add 198.18.7.0/24 via 198.18.5.2")
    lab.ip("route add default via 198.18.5.9 metric 5 table 77")
    lab.ip("route add unreachable default metric 1")
    assert netdev.default_route() == netdev.find("r0").ifindex
    lab.ip("route add default via 198.18.5.2 metric 200")
    lab.ip("route add default via 198.18.6.2 metric 100")
    assert netdev.default_route() == netdev.find("q0").ifindex
    lab.ip("route del default via 198.18.6.2 metric 100")
    lab.ip("route add default metric 50 nexthop via 198.18.6.2 nexthop via 198.18.5.2")
    assert netdev.default_route() == netdev.find("q0").ifindex


@pytest.mark.parametrize("by", ["link", "netlink"])
@pytest.mark.parametrize(("name", "mode"), [("v0", "native"), ("v0", "generic"), ("lo", "generic")])
def test_xdp_program_of_another_tool(lab: Lab, netdev: Netdev, name: str, mode: str, by: str) -> None:
    lab.veth()
    assert netdev.find(name).xdp == {}
    process, prog_id = lab.foreign_xdp(name, mode, by)
    assert netdev.find(name).xdp == {mode: prog_id}
    process.communicate()
    assert netdev.find(name).xdp == ({mode: prog_id} if by == "netlink" else {})


def test_many_devices_in_one_dump(lab: Lab, netdev: Netdev) -> None:
    batch = "".join(f"link add i{n} type ifb numtxqueues 1 numrxqueues 1\n" for n in range(120))
    path = Path(f"/proc/self/fd/{os.memfd_create('batch')}")
    path.write_text(batch)
    lab.run("ip", "-batch", f"/proc/{os.getpid()}/fd/{path.name}")
    os.close(int(path.name))
    devices = netdev.devices()
    assert len(devices) == 121
    assert [d.ifindex for d in devices] == sorted(d.ifindex for d in devices)
    assert all(len(d.counters) >= 24 for d in devices)


def test_requested_offloads(lab: Lab, netdev: Netdev) -> None:
    lab.veth()
    lab.ip("link add m0 link v0 type macvlan")
    device = netdev.find("m0")
    lro = ("rx-lro", "rx-gro-hw", "no-such-offload")
    assert netdev.ethtool.requested_offloads(device.name, lro) == frozenset()
    netdev.ethtool.request_offloads(device.name, frozenset({"rx-lro"}))
    assert netdev.ethtool.requested_offloads(device.name, lro) == {"rx-lro"}
    assert netdev.ethtool.requested_offloads("v0", ("tx-tcp-segmentation", *lro)) == {"tx-tcp-segmentation"}
    gone = Device(**{**vars(device), "name": "gone0"})
    assert netdev.ethtool.requested_offloads(gone.name, lro) == frozenset()
    with pytest.raises(OSError, match="No such device"):
        netdev.ethtool.request_offloads(gone.name, frozenset({"rx-lro"}))


def test_xdp_program_id_of_older_kernels() -> None:
    xdp = attribute(2, b"\x01") + attribute(4, struct.pack("=I", 42))
    message = struct.pack("=BBHiII", 0, 0, 1, 7, 0x41, 0) + attribute(3, b"eth0\0") + attribute(43, xdp)
    device = parse_device(message)
    assert (device.ifindex, device.name, device.xdp, device.counters) == (7, "eth0", {"native": 42}, {})
