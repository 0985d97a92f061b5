"""Probes of the kernel: create a map, attach programs to a private veth pair."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from bpftop.fields import frozen
from bpftop.kernel._libbpf import lib
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.cdata import text
from bpftop.kernel.net.netdev import IFF_UP, IFINFOMSG, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO
from bpftop.kernel.net.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NetlinkSocket, attribute
from bpftop.kernel.netns import moved, unshare_network
from bpftop.kernel.return_code import KernelError, check, errno_words

RTM_NEWLINK, VETH_INFO_PEER = 16, 1
SENDER, RECEIVER = "sender", "receiver"
NO_DEVICE = 0x7FFFFFFF  # no device has this ifindex: the kernel assigns them from 1 up

ETHERTYPE = 0x88B5  # IEEE 802: for local experiments, so no stack answers
FRAME = bytes.fromhex("020000000002020000000001") + ETHERTYPE.to_bytes(2, "big") + bytes(46)


class NoPlace(KernelError):
    """The private veth pair could not be created, so the probes that use the pair have no answer."""


def libbpf_version() -> str:
    """Return the version of the loaded libbpf: ``1.1``."""
    return text(lib.libbpf_version_string()).removeprefix("v")


def make_map() -> None:
    """Create an array of one element and close it. Raises KernelError: EPERM, or ENOSYS without bpf(2)."""
    os.close(check(lib.bpftop_create_map(lib.BPF_MAP_TYPE_ARRAY, b"bpftop_probe", 4, 8, 1, 0), "make a BPF map"))


def check_tcx(prog_fd: int) -> None:
    """Attach by TCX to a missing device: ENODEV if the kernel has TCX. Raises KernelError: EINVAL before Linux 6.6."""
    try:
        Link.tcx(prog_fd, NO_DEVICE, "rx").close()
    except KernelError as error:
        if error.errno != errno.ENODEV:
            raise


@frozen
class PrivatePair:
    """A veth pair, both ends up, in the calling thread's namespace. ``sender`` and ``receiver`` are ifindexes."""

    sender: int
    receiver: int
    _socket: socket.socket

    def send(self) -> None:
        """Send FRAME from the sender to the receiver. Raises OSError."""
        self._socket.send(FRAME)


@contextmanager
def private_pair() -> Iterator[PrivatePair]:
    """Move the calling thread into a new, unnamed network namespace with a veth pair, for the ``with`` block.

    The host stays as it is, but its kernel may load the module veth. The namespace ends with the block or with the
    process. Raises NoPlace: EPERM without CAP_SYS_ADMIN, EOPNOTSUPP without veth.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(moved(unshare_network))
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
    """Create the veth pair. The sender comes up last, with its carrier on, so that it can send at once."""
    no_device = IFINFOMSG.pack(0, 0, 0, 0, 0, 0)
    up = IFINFOMSG.pack(0, 0, 0, 0, IFF_UP, IFF_UP)
    peer = attribute(VETH_INFO_PEER, no_device + _name(RECEIVER))
    kind = attribute(IFLA_INFO_KIND, b"veth\0") + attribute(IFLA_INFO_DATA, peer)
    with closing(NetlinkSocket(socket.NETLINK_ROUTE)) as route:
        body = no_device + _name(SENDER) + attribute(IFLA_LINKINFO, kind)
        route.request(RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK)
        for name in (RECEIVER, SENDER):
            route.request(RTM_NEWLINK, up + _name(name), NLM_F_ACK)


def _name(name: str) -> bytes:
    return attribute(IFLA_IFNAME, name.encode() + b"\0")
