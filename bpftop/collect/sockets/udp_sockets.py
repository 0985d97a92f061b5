"""UDP sockets that dropped datagrams.

By sock_diag; by /proc/net/udp and udp6 (net/ipv4/udp.c) where the kernel has no module udp_diag, and in a recorded
tree.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from socket import AF_INET, AF_INET6, inet_ntop

from bpftop.collect.procfs.counter_files import CounterFile
from bpftop.collect.procfs.tree import FileMissing, Tree
from bpftop.collect.sockets.resting_sockets import RestingSockets
from bpftop.kernel.net.sock_diag import NoSockDiag, UdpSocket, Version

_LOCAL, _INODE, _DROPS = 1, 9, 12  # words of a line


class UdpSockets(RestingSockets[UdpSocket]):
    """A collector of udp_sockets. The epoch changes when the process of a row becomes known, because the key does."""

    name = "udp_sockets"
    subject = "drops of UDP sockets"
    counters = ("UdpInErrors", "Udp6InErrors")  # a datagram that a socket drops is always one of these
    signs = ("UdpNoPorts", "Udp6NoPorts")

    def __init__(self, tree: Tree, *files: CounterFile) -> None:
        super().__init__(tree, *files)
        self._udp, self._udp6 = self.file("net/udp"), self.file("net/udp6")
        self._labels: Mapping[int, str] = {}

    def list_again(self) -> list[UdpSocket]:
        if not self.tree.is_recorded:
            with suppress(NoSockDiag):
                return self.diag.dropping_udp()
        return self._read_files()

    @property
    def ports(self) -> set[int]:
        """Return the ports to which sockets were bound at the last reading; none where files are read."""
        return self._diag.ports

    def cells(self, socket: UdpSocket) -> list[int | None]:
        return [socket.drops]

    def labels(self, inodes: Collection[int]) -> Mapping[int, str]:
        labels = super().labels(inodes)
        self.epoch += any(labels.get(inode, label) != label for inode, label in self._labels.items())
        self._labels = labels
        return labels

    def _read_files(self) -> list[UdpSocket]:
        sockets = self._udp.read(partial(_parse, 4))
        try:
            return sockets + self._udp6.read(partial(_parse, 6))
        except FileMissing:  # a kernel without IPv6
            return sockets


def _parse(version: Version, text: str) -> list[UdpSocket]:
    """Return the sockets with drops. Raises ValueError or IndexError."""
    sockets = []
    family = AF_INET if version == 4 else AF_INET6
    for line in text.splitlines()[1:]:
        if line.rstrip().endswith(" 0"):  # nearly all sockets
            continue
        words = line.split()
        address, _, port = words[_LOCAL].partition(":")
        packed = b"".join(_native_u32(address[at : at + 8]) for at in range(0, len(address), 8))
        drops = int(words[_DROPS]) & 0xFFFFFFFF  # signed on old kernels
        sockets.append(UdpSocket(version, inet_ntop(family, packed), int(port, 16), int(words[_INODE]), drops))
    return sockets


def _native_u32(digits: str) -> bytes:
    try:
        return struct.pack("=I", int(digits, 16))
    except struct.error as error:
        raise ValueError(error) from error
