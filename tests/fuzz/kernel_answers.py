"""Answers of the kernel that a fuzz input gives: netlink blocks as received, and what drivers tell ethtool."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress

from bpftop.kernel.net.ethtool import Ethtool
from bpftop.kernel.net.netlink import NetlinkSocket
from bpftop.kernel.net.sock_diag import NETLINK_SOCK_DIAG, TCP_ESTABLISHED, SockDiag

_LENGTH = struct.Struct("=H")
_REAL_LIMIT_BYTES = 0xFFFF

DIAGNOSES: dict[str, Callable[[SockDiag], object]] = {
    "udp": SockDiag.dropping_udp,
    "listeners": SockDiag.waiting_listeners,
    "tcp": lambda diag: diag.tcp_sockets(TCP_ESTABLISHED),
    "ports": lambda diag: diag.ports_in_use(range(1, 65536)),
}
DRIVER_QUESTIONS: tuple[Callable[[Ethtool], object], ...] = (
    lambda ethtool: ethtool.driver("eth0"),
    lambda ethtool: ethtool.speed_bits_per_sec("eth0"),
    lambda ethtool: ethtool.requested_offloads("eth0", ("rx-lro", "rx-gro-hw")),
    lambda ethtool: ethtool.request_offloads("eth0", ("rx-lro",)),
    lambda ethtool: ethtool.active_features("eth0"),
    lambda ethtool: ethtool.rings("eth0"),
    lambda ethtool: ethtool.channels("eth0"),
    lambda ethtool: ethtool.coalescing("eth0"),
    lambda ethtool: ethtool.indirection("eth0"),
    lambda ethtool: ethtool.counter_names("eth0"),
    lambda ethtool: ethtool.counter_values("eth0", 4),
)


def join(answers: Sequence[bytes]) -> bytes:
    """Return the answers as one input, each behind its length."""
    return b"".join(_LENGTH.pack(len(answer)) + answer for answer in answers)


def split(content: bytes) -> Iterator[bytes]:
    """Yield the answers of an input."""
    while len(content) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(content)[0]
        yield content[_LENGTH.size : end]
        content = content[end:]


class _Pair(socket.socket):
    """One end of a pair of sockets: it receives the blocks of an input, and then EAGAIN."""

    def __init__(self, content: bytes) -> None:
        ours, self._kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(fileno=ours.detach())
        self.setblocking(False)
        self._kernel.setblocking(False)
        with suppress(BlockingIOError):
            for block in split(content):
                self._kernel.send(block)

    def close(self) -> None:
        self._kernel.close()
        super().close()


class _Recorder(socket.socket):
    """A netlink socket that keeps what it receives in ``blocks``."""

    def __init__(self, protocol: int) -> None:
        super().__init__(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.blocks: list[bytes] = []

    def recv(self, size: int, flags: int = 0) -> bytes:
        block = super().recv(size, flags)
        self.blocks.append(block)
        return block


def _netlink(wire: socket.socket) -> NetlinkSocket:
    netlink = NetlinkSocket(socket.NETLINK_ROUTE)
    netlink.close()
    netlink._socket = wire
    return netlink


def dump_from(content: bytes, kind: int) -> list[bytes]:
    """Return the answers to a dump whose blocks are in the input."""
    with closing(_netlink(_Pair(content))) as netlink:
        return netlink.dump(kind, b"")


def recorded_dump(kind: int, body: bytes) -> bytes:
    """Return the blocks of a real dump of rtnetlink as an input."""
    with _Recorder(socket.NETLINK_ROUTE) as wire:
        _netlink(wire).dump(kind, body)
        return join(wire.blocks)


def diagnosis_from(content: bytes, name: str) -> None:
    """List sockets by sock_diag from the blocks in the input."""
    diag = SockDiag()
    with closing(_netlink(_Pair(content))) as diag._netlink:
        DIAGNOSES[name](diag)


def recorded_diagnosis(name: str) -> bytes:
    """Return the blocks of a real list of sockets as an input; every list has sockets of this function."""
    with ExitStack() as stack:
        _occupy(stack)
        wire = stack.enter_context(_Recorder(NETLINK_SOCK_DIAG))
        diag = SockDiag()
        diag._netlink = _netlink(wire)
        DIAGNOSES[name](diag)
        return join([block for block in wire.blocks if len(block) <= _REAL_LIMIT_BYTES])


def _occupy(stack: ExitStack) -> None:
    """Open a UDP socket that drops, a listener with a waiting connection, and that connection."""
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    udp.bind(("127.0.0.1", 0))
    for _ in range(20):
        udp.sendto(bytes(1000), udp.getsockname())
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.create_connection(listener.getsockname()))


class _MadeUpDriver(Ethtool):
    """A driver whose answers are in an input, padded with zeros to the length of the question."""

    def __init__(self, content: bytes) -> None:
        super().__init__(-1)
        self._answers = split(content)

    def _call(self, name: str, question: bytes) -> bytes:
        answer = question[:4] + next(self._answers, b"")
        return answer[: len(question)].ljust(len(question), b"\0")


def ask_driver(content: bytes) -> None:
    """Put every question to a driver whose answers are in the input; an OSError refuses one question."""
    driver = _MadeUpDriver(content)
    for ask in DRIVER_QUESTIONS:
        with suppress(OSError):
            ask(driver)


class RecordedDriver(Ethtool):
    """A real driver; ``answers`` has its answers without the command and without the zeros at the end."""

    def __init__(self, fileno: int, device: str) -> None:
        super().__init__(fileno)
        self._device = device
        self.answers: list[bytes] = []

    def _call(self, name: str, question: bytes) -> bytes:
        answer = super()._call(self._device, question)
        self.answers.append(answer[4:].rstrip(b"\0"))
        return answer
