"""Network devices of one namespace, by rtnetlink and ethtool: facts, counters, and XDP programs.

Formats: include/uapi/linux/if_link.h, rtnetlink.h, netdev.h. Reading needs no capability. /sys/class/net is not used,
because it shows the namespace in which /sys was mounted. Messages are parsed without pyroute2, because importing
pyroute2 0.9.7 takes 90 to 100 ms and 20 MiB.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Mapping
from functools import cached_property

from bpftop.errors import BpftopError
from bpftop.fields import field, frozen, frozen_often
from bpftop.kernel.net.ethtool import Driver, Ethtool
from bpftop.kernel.net.names import name_bytes, name_text
from bpftop.kernel.net.netlink import NetlinkSocket, attribute, attributes, u32
from bpftop.kernel.net.routes import default_routes
from bpftop.model.device import XdpMode

RTM_GETLINK = 18
NETLINK_GENERIC = 16
IFF_UP, IFF_RUNNING, IFF_LOWER_UP = 0x1, 0x40, 0x10000
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_STATS64, IFLA_EXT_MASK, IFLA_LINK_NETNSID, IFLA_XDP, IFLA_ALT_IFNAME = 23, 29, 37, 43, 53
IFLA_CARRIER_CHANGES, IFLA_PARENT_DEV_NAME, IFLA_PARENT_DEV_BUS_NAME = 35, 56, 57
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_VXLAN_LINK = 1, 2, 3
IFLA_XDP_ATTACHED, IFLA_XDP_PROG_ID = 2, 4
# Leaves out the per-CPU IPv6 counters, which cost a walk over all CPUs, and from commit 105bae321862 (Linux 7.3) on the
# link's counters too. Lists of VFs are sent only with RTEXT_FILTER_VF.
RTEXT_FILTER_SKIP_STATS = 1 << 3
XDP_ATTACHED: Mapping[int, XdpMode] = {1: "native", 2: "generic", 3: "hardware"}
IFLA_XDP_PROG_IDS: Mapping[int, XdpMode] = {5: "native", 6: "generic", 7: "hardware"}

GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, NETDEV_A_DEV_XDP_FEATURES = 1, 1, 3
NETDEV_XDP_ACT_BASIC = 1

IFNAMSIZ = 16
LOOPBACK_IFINDEX = 1  # include/net/flow.h
NAMES_OFFERED = 8

# struct rtnl_link_stats64; older kernels end earlier (rx_otherhost_dropped: Linux 5.19).
LINK_COUNTERS = (
    "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped",
    "multicast", "collisions", "rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors",
    "rx_fifo_errors", "rx_missed_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors",
    "tx_heartbeat_errors", "tx_window_errors", "rx_compressed", "tx_compressed", "rx_nohandler", "rx_otherhost_dropped",
)  # fmt: skip

IFINFOMSG = struct.Struct("=BBHiII")
_GENLMSG = struct.Struct("=BBH")
_EXT_MASK = attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))


@frozen_often
class Device:
    """One network device at one moment.

    ``lower`` is the ifindex of the device below (vlan, macvlan) or of a veth's peer; with ``lower_elsewhere`` it is in
    another namespace. ``parent`` is the device on the bus ``parent_bus``, such as virtio2 on virtio (both Linux 5.14).
    ``xdp`` maps a mode to the id of its program. The keys of ``counters`` are LINK_COUNTERS.
    """

    ifindex: int
    name: str
    link_type: int  # ARPHRD_*
    flags: int
    mtu: int
    kind: str | None = None
    master: int | None = None
    lower: int | None = None
    lower_elsewhere: bool = False
    address: bytes = b""
    parent_bus: str | None = None
    parent: str | None = None
    xdp: Mapping[XdpMode, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Return True if the device is administratively up and running (lo and tun are always running)."""
        return self.flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING

    @property
    def admin_up(self) -> bool:
        return bool(self.flags & IFF_UP)

    @property
    def carrier(self) -> bool:
        """Return True if the driver reports a carrier; always False while the device is administratively down."""
        return bool(self.flags & IFF_LOWER_UP)

    def foreign_xdp(self, own_prog_id: int | None) -> int | None:
        """Return the id of another owner's XDP program. A program in the hardware cannot be watched."""
        prog_id = self.xdp.get("native", self.xdp.get("generic"))
        return None if prog_id == own_prog_id else prog_id


@frozen
class DeviceReading:
    """A device with its counters, read at ``read_ns`` (CLOCK_MONOTONIC)."""

    device: Device
    read_ns: int


class Netdev:
    """The devices of the network namespace that the calling thread is in at construction.

    One thread at a time may use it and its ``route``, the socket for rtnetlink; any thread may use ``ethtool``.
    """

    def __init__(self) -> None:
        self.route = NetlinkSocket(socket.NETLINK_ROUTE)
        try:
            self._generic = NetlinkSocket(NETLINK_GENERIC)
        except OSError:
            self.route.close()
            raise
        self.route.strict()
        self._netdev_family: int | None = None
        self._answers: dict[int, tuple[int, Device]] = {}  # ifindex -> hash of the answer, and the parsed answer
        self.ethtool = Ethtool(self.route.fileno())

    def close(self) -> None:
        self.route.close()
        self._generic.close()

    def device(self, which: int | str) -> Device | None:
        """Return a device by index, name or alternative name; None if there is none (any more)."""
        if isinstance(which, int):
            return self._device(which, b"")
        name = name_bytes(which)
        if not name or b"\0" in name or b"/" in name:
            return None
        if len(name) < IFNAMSIZ:
            device = self._device(0, attribute(IFLA_IFNAME, name + b"\0"))
            if device is not None:
                return device
        return self._device(0, attribute(IFLA_ALT_IFNAME, name + b"\0"))

    @cached_property
    def _ext_mask(self) -> bytes:
        """Return RTEXT_FILTER_SKIP_STATS as an attribute; empty if this kernel then leaves out the link's counters.

        Tried on lo, which is in every namespace.
        """
        answer = self.route.request(RTM_GETLINK, IFINFOMSG.pack(0, 0, 0, LOOPBACK_IFINDEX, 0, 0) + _EXT_MASK)
        return _EXT_MASK if IFLA_STATS64 in attributes(answer, IFINFOMSG.size) else b""

    def _device(self, ifindex: int, name: bytes) -> Device | None:
        question = IFINFOMSG.pack(0, 0, 0, ifindex, 0, 0) + name + self._ext_mask
        try:
            answer = self.route.request(RTM_GETLINK, question)
        except OSError as error:
            # EINVAL and ERANGE: an alternative name before Linux 5.5, or a name that is too long.
            if error.errno in (errno.ENODEV, errno.EINVAL, errno.ERANGE):
                return None
            raise
        known = self._answers.get(ifindex)
        digest = hash(answer)  # of 300 devices, most are idle: the same bytes at every tick, 1.1 kB each
        if known is None or known[0] != digest:
            known = digest, parse_device(answer)
            if ifindex:
                self._answers[ifindex] = known
        return known[1]

    def devices(self) -> list[Device]:
        """List all devices, sorted by ifindex."""
        answers = self.route.dump(RTM_GETLINK, IFINFOMSG.pack(0, 0, 0, 0, 0, 0) + self._ext_mask)
        return sorted(map(parse_device, answers), key=lambda device: device.ifindex)

    def find(self, name: str, netns: str | None = None) -> Device:
        """Return a device that must exist. ``netns`` is the name of the socket's namespace, for the error.

        Raises BpftopError, which names the namespace and lists its devices, similar names first.
        """
        device = self.device(name)
        if device is not None:
            return device
        raise BpftopError(no_such_interface(name, [other.name for other in self.devices()], netns))

    def default_route(self) -> int | None:
        """Return the ifindex of the default route with the lowest metric in the main table: IPv4, else IPv6."""
        for family in (socket.AF_INET, socket.AF_INET6):
            routes = default_routes(self.route, family)
            if routes:
                return min((route.metric, route.ifindex) for route in routes)[1]
        return None

    def speed_bits_per_sec(self, device: Device, driver: Driver | None) -> int | None:
        """Return the speed of hardware on a bus; None for veth, tap and virtio, whose reported speed means nothing."""
        bus = device.parent_bus
        if bus is None and driver is not None and driver.bus.count(":") == 2 and driver.name != "virtio_net":
            bus = "pci"  # before Linux 5.14 without IFLA_PARENT_DEV_BUS_NAME: the driver has a PCI address
        if bus is None or bus == "virtio":
            return None
        return self.ethtool.speed_bits_per_sec(device.name)

    def native_xdp(self, ifindex: int) -> bool | None:
        """Return True if the driver reports native XDP (Linux 6.3); None if unknown.

        Attaching may still fail with EOPNOTSUPP: virtio_net reports native XDP even if the host fixes its offloads,
        which ``virtio.host_fixes_offloads`` tells.
        """
        try:
            if self._netdev_family is None:
                name = attribute(CTRL_ATTR_FAMILY_NAME, b"netdev\0")
                answer = self._generic.request(GENL_ID_CTRL, _GENLMSG.pack(CTRL_CMD_GETFAMILY, 1, 0) + name)
                (self._netdev_family,) = struct.unpack("=H", attributes(answer, _GENLMSG.size)[CTRL_ATTR_FAMILY_ID])
            which = attribute(NETDEV_A_DEV_IFINDEX, struct.pack("=I", ifindex))
            answer = self._generic.request(self._netdev_family, _GENLMSG.pack(NETDEV_CMD_DEV_GET, 1, 0) + which)
        except OSError:
            return None
        features = attributes(answer, _GENLMSG.size).get(NETDEV_A_DEV_XDP_FEATURES)
        return None if features is None else bool(struct.unpack("=Q", features)[0] & NETDEV_XDP_ACT_BASIC)


def parse_device(message: bytes) -> Device:
    """Parse the body of an RTM_NEWLINK message."""
    _, _, link_type, ifindex, flags, _ = IFINFOMSG.unpack_from(message)
    link = attributes(message, IFINFOMSG.size)
    info = attributes(link.get(IFLA_LINKINFO, b""))
    kind = _text(info.get(IFLA_INFO_KIND, b"")) or None
    lower = link.get(IFLA_LINK)
    if kind == "vxlan":  # it has no ndo_get_iflink, so that IFLA_LINK is missing
        lower = attributes(info.get(IFLA_INFO_DATA, b"")).get(IFLA_VXLAN_LINK)
    return Device(
        ifindex=ifindex,
        name=_text(link.get(IFLA_IFNAME, b"")),
        link_type=link_type,
        flags=flags,
        mtu=u32(link.get(IFLA_MTU)) or 0,
        kind=kind,
        master=u32(link.get(IFLA_MASTER)),
        lower=u32(lower),
        lower_elsewhere=IFLA_LINK_NETNSID in link,
        address=link.get(IFLA_ADDRESS, b""),
        parent_bus=_text(link.get(IFLA_PARENT_DEV_BUS_NAME, b"")) or None,
        parent=_text(link.get(IFLA_PARENT_DEV_NAME, b"")) or None,
        xdp=_xdp(link.get(IFLA_XDP, b"")),
        counters=_counters(link.get(IFLA_STATS64, b""), u32(link.get(IFLA_CARRIER_CHANGES))),
    )


def _xdp(nested: bytes) -> dict[XdpMode, int]:
    attached = attributes(nested)
    programs = {
        mode: struct.unpack("=I", attached[kind])[0] for kind, mode in IFLA_XDP_PROG_IDS.items() if kind in attached
    }
    mode = XDP_ATTACHED.get(attached.get(IFLA_XDP_ATTACHED, b"\0")[0])
    if not programs and mode is not None:  # before Linux 4.18 there is one program and no id per mode
        programs[mode] = u32(attached.get(IFLA_XDP_PROG_ID)) or 0
    return programs


def _counters(payload: bytes, carrier_changes: int | None) -> dict[str, int]:
    counters = dict(zip(LINK_COUNTERS, struct.unpack_from(f"={len(payload) // 8}Q", payload), strict=False))
    return counters if carrier_changes is None else {**counters, "carrier_changes": carrier_changes}


def no_such_interface(name: str, existing: list[str], netns: str | None = None) -> str:
    """Return the error for an unknown name. It lists at most NAMES_OFFERED existing names, similar names first."""
    import difflib  # late: needed only for this error

    similar = difflib.get_close_matches(name, existing, n=NAMES_OFFERED, cutoff=0.5)
    ordered = similar + sorted(other for other in existing if other not in similar)
    rest = len(ordered) - NAMES_OFFERED
    listed = ", ".join(ordered[:NAMES_OFFERED]) + (f" and {rest} more" if rest > 0 else "")
    searched = "this network namespace" if netns is None else f"the network namespace {netns}"
    return f'No interface named "{name}" in {searched}; there are: {listed}.'


def _text(payload: bytes) -> str:
    return name_text(payload.split(b"\0", 1)[0])
