"""UDP sockets that dropped datagrams, each with the process that holds it.

By sock_diag; by /proc/net/udp and udp6 (net/ipv4/udp.c) where the kernel has no module udp_diag, and in a recorded
tree.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.owners import SocketOwners
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.sock_diag import NoSockDiag, SockDiag, UdpSocket, Version
from bpftop.model.sample import Interface, Key, Reading, reading_key

_WHAT = "drops of UDP sockets"
_FILES: Mapping[str, tuple[Version, socket.AddressFamily]] = {"udp": (4, socket.AF_INET), "udp6": (6, socket.AF_INET6)}
_LOCAL, _INODE, _DROPS = 1, 9, 12  # words of a line


class UdpSockets:
    """Family udp_sockets. Where the process of a row becomes known later, the epoch changes with the key."""

    name = "udp_sockets"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._diag = SockDiag() if tree.root == Path("/") else None
        self._owners = SocketOwners(tree.proc)
        self._rows = ReadingBuilder("udp_sockets")
        self._labels: dict[int, str] = {}
        self._epoch = 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        found = self._found()
        read_ns = time.monotonic_ns()
        labels = self._owners.labels([one.inode for one in found])
        if any(labels.get(inode, label) != label for inode, label in self._labels.items()):
            self._epoch += 1
        self._labels = labels
        rows: dict[Key, list[int | None]] = {
            (one.version, one.address, one.port, one.inode, labels[one.inode]): [one.drops] for one in found
        }
        return {reading_key("udp_sockets"): self._rows.reading(rows, read_ns, read_ns - begin_ns, self._epoch)}

    def close(self) -> None:
        if self._diag is not None:
            self._diag.close()

    def _found(self) -> list[UdpSocket]:
        if self._diag is not None:
            try:
                return self._diag.dropping_udp()
            except NoSockDiag:
                pass
            except KernelError as error:
                raise Unavailable(f"{_WHAT}: {error}") from error
        return self._listed()

    def _listed(self) -> list[UdpSocket]:
        found = _parse(self._tree.text(self._tree.proc_net / "udp", _WHAT), "udp")
        try:
            text = self._tree.text(self._tree.proc_net / "udp6", _WHAT)
        except Unavailable as error:
            if isinstance(error.__cause__, FileNotFoundError):  # a kernel without IPv6
                return found
            raise
        return found + _parse(text, "udp6")


def _parse(text: str, file: str) -> list[UdpSocket]:
    """Sockets with drops. Raises Unavailable."""
    found = []
    version, family = _FILES[file]
    try:
        for line in text.splitlines()[1:]:
            if line.rstrip().endswith(" 0"):  # nearly all of them
                continue
            words = line.split()
            address, _, port = words[_LOCAL].partition(":")
            packed = b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
            drops = int(words[_DROPS]) & 0xFFFFFFFF  # signed on old kernels
            found.append(UdpSocket(version, socket.inet_ntop(family, packed), int(port, 16), int(words[_INODE]), drops))
    except (ValueError, IndexError, struct.error) as error:
        raise Unavailable(f"{_WHAT}: /proc/net/{file} is not understood: {error}") from error
    return found
