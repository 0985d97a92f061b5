"""Questions that the kernel answers by doing: a map, and a place of its own to attach programs in."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.link import Link
from bpftop.kernel.check import KernelError, check, errno_words
from bpftop.kernel.net.netdev import IFF_UP, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO
from bpftop.kernel.net.netlink import NLM_F_ACK, NetlinkSocket, attribute
from bpftop.kernel.netns import enter, unshare_network

BPF_MAP_TYPE_ARRAY = 2
RTM_NEWLINK, NLM_F_EXCL, NLM_F_CREATE = 16, 0x200, 0x400
IFLA_INFO_DATA, VETH_INFO_PEER = 2, 1
SENDER, RECEIVER = "sender", "receiver"
NO_DEVICE = 0x7FFFFFFF  # an ifindex that nothing has: the kernel gives them away from 1 up

ETHERTYPE = 0x88B5  # IEEE 802: for local experiments, so no stack answers it
FRAME = bytes.fromhex("020000000002020000000001") + ETHERTYPE.to_bytes(2, "big") + bytes(46)

_IFINFOMSG = struct.Struct("=BBHiII")


class NoPlace(KernelError):
    """The private place could not be made, so what was to be tried there is not answered."""


def libbpf_version() -> str:
    """``1.1`` of the libbpf that is loaded."""
    return str(ffi.string(lib.libbpf_version_string()).decode()).removeprefix("v")


def make_map() -> None:
    """Make an array of one element and let it go. Raises KernelError: EPERM, or ENOSYS without bpf(2)."""
    os.close(check(lib.bpf_map_create(BPF_MAP_TYPE_ARRAY, b"bpftop_probe", 4, 8, 1, ffi.NULL), "make a BPF map"))


def check_tcx(prog_fd: int) -> None:
    """Ask for TCX without a device: a kernel that knows it says ENODEV. Raises KernelError: EINVAL before Linux 6.6."""
    try:
        Link.tcx(prog_fd, NO_DEVICE, "rx").close()
    except KernelError as error:
        if error.errno != errno.ENODEV:
            raise


@dataclass(frozen=True)
class PrivatePair:
    """A veth pair, both ends up, in the namespace that the calling thread is in. The ends go by ifindex."""

    sender: int
    receiver: int
    _socket: socket.socket

    def send(self) -> None:
        """Send FRAME from one end to the other. OSError where the kernel refuses."""
        self._socket.send(FRAME)


@contextmanager
def private_pair() -> Iterator[PrivatePair]:
    """The calling thread is meanwhile in a new network namespace that has no name and holds a veth pair.

    Nothing of the host is touched (but that its kernel may load the module veth), and all of it goes with the block, or
    with the process. Raises NoPlace: EPERM without CAP_SYS_ADMIN, EOPNOTSUPP where there is no veth.
    """
    with ExitStack() as stack:
        try:
            home_fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, home_fd)
            unshare_network()
            stack.callback(enter, home_fd)
            _make_veth()
            sending = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            stack.callback(sending.close)
            sending.bind((SENDER, 0))
            pair = PrivatePair(socket.if_nametoindex(SENDER), socket.if_nametoindex(RECEIVER), sending)
        except OSError as error:
            number = error.errno or errno.EIO
            raise NoPlace(f"no private veth pair: {errno_words(number)}", number) from error
        yield pair


def _make_veth() -> None:
    """The sender comes up last, with its carrier there: so it can send at once, without waiting for the link watch."""
    anything = _IFINFOMSG.pack(0, 0, 0, 0, 0, 0)
    up = _IFINFOMSG.pack(0, 0, 0, 0, IFF_UP, IFF_UP)
    peer = attribute(VETH_INFO_PEER, anything + _name(RECEIVER))
    kind = attribute(IFLA_INFO_KIND, b"veth\0") + attribute(IFLA_INFO_DATA, peer)
    route = NetlinkSocket(socket.NETLINK_ROUTE)
    try:
        body = anything + _name(SENDER) + attribute(IFLA_LINKINFO, kind)
        route.request(RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK)
        for name in (RECEIVER, SENDER):
            route.request(RTM_NEWLINK, up + _name(name), NLM_F_ACK)
    finally:
        route.close()


def _name(name: str) -> bytes:
    return attribute(IFLA_IFNAME, name.encode() + b"\0")
