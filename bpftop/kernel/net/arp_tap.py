"""ARP packets that claim an address, by a packet socket: replies, and packets with an address of this host.

A classic BPF filter leaves out all others in the kernel, and a socket for ARP alone costs other packets nothing.
Format: RFC 826. Needs CAP_NET_RAW.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection, Iterator
from typing import NamedTuple

from bpftop.kernel.net.message_batch import MessageBatch
from bpftop.kernel.net.socket_filter import JUMP_EQUAL, LOAD_HALF, LOAD_WORD, RETURN, attach_filter, program

ETH_P_ARP = 0x0806
OP_REPLY = 2
MOST_ADDRESSES = 200  # a jump of the filter reaches 255 instructions
_QUEUE_BYTES = 64 * 1024

_OPERATION_AT, _SENDER_AT, _PACKET_BYTES = 6, 14, 28
_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_BATCH = 32
_ADDRESS = struct.Struct("=4xi12x")  # struct sockaddr_ll: ifindex


class Claim(NamedTuple):
    """A sender of ARP with its addresses. ``is_answer``: it answers a host that asked, and does not announce itself."""

    ifindex: int
    address: str
    link_address: str
    is_answer: bool


class ArpTap:
    """The ARP packets of all interfaces of the namespace of the thread that constructs this. Raises OSError."""

    def __init__(self) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_PACKET, kind, socket.htons(ETH_P_ARP))
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
            self._own: frozenset[str] = frozenset()
            self._messages = MessageBatch(_BATCH, _PACKET_BYTES, _ADDRESS.size)
            self._filter()
        except OSError:
            self._socket.close()
            raise

    def watch(self, addresses: Collection[str]) -> None:
        """Take requests too whose sender has one of these IPv4 addresses, which are this host's. Raises OSError."""
        if self._own != frozenset(addresses):
            self._own = frozenset(addresses)
            self._filter()

    def claims(self) -> Iterator[Claim]:
        """Yield the claims that have come since the last call. Raises OSError."""
        while True:
            received = list(self._messages.receive(self._socket.fileno(), socket.MSG_DONTWAIT))
            for packet, address in received:
                claim = _claim(packet, *_ADDRESS.unpack(address))
                if claim is not None:
                    yield claim
            if len(received) < _BATCH:
                return

    def close(self) -> None:
        self._socket.close()

    def _filter(self) -> None:
        numbers = [struct.unpack("!I", socket.inet_aton(address))[0] for address in sorted(self._own)]
        attach_filter(self._socket, arp_filter(numbers[:MOST_ADDRESSES]))


def arp_filter(addresses: list[int]) -> bytes:
    """Return a classic BPF program that takes replies, and packets whose sender has one of the addresses."""
    take = len(addresses) + 4  # index of the instruction that takes the packet; a jump counts from the next instruction
    code = [(LOAD_HALF, 0, 0, _OPERATION_AT), (JUMP_EQUAL, take - 2, 0, OP_REPLY), (LOAD_WORD, 0, 0, _SENDER_AT)]
    code += [(JUMP_EQUAL, take - at - 1, 0, address) for at, address in enumerate(addresses, 3)]
    code += [(RETURN, 0, 0, 0), (RETURN, 0, 0, _PACKET_BYTES)]
    return program(code)


def _claim(packet: bytes, ifindex: int) -> Claim | None:
    """Parse ARP of IPv4 over Ethernet; None for any other ARP, and for a probe, whose sender has no address yet."""
    if len(packet) < _PACKET.size:
        return None
    hardware, protocol, length, width, operation, link_address, address, _, target = _PACKET.unpack_from(packet)
    if (protocol, length, width) != (0x0800, 6, 4) or not any(address) or hardware not in (1, 6):
        return None
    is_answer = operation == OP_REPLY and target != address
    return Claim(ifindex, socket.inet_ntoa(address), link_address.hex(":"), is_answer)
