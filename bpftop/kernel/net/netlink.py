"""A netlink socket: requests, dumps and attributes. Formats: include/uapi/linux/netlink.h."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpftop.kernel.net.message_batch import MessageBatch

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_DUMP_INTR = 0x10
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLA_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_GET_STRICT_CHK = 1, 12

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
# The kernel fills at most 32 KiB per dump message (netlink_dump); one link without its VFs takes 1.1 kB.
_RECEIVE_BYTES = 64 * 1024
# The kernel makes the next message of a dump while the one before is received, so several come by one call.
_RECEIVED_AT_ONCE = 4
_INTERRUPTED_TRIES = 5


class NetlinkSocket:
    """A socket of one netlink family, in the network namespace that the calling thread is in now.

    One thread at a time may use the socket. Errors of the kernel are OSError with the kernel's errno.
    """

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        self._batch: MessageBatch | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def strict(self) -> None:
        """Let the kernel filter dumps by the request's header. Kernels before Linux 4.20 do not filter."""
        with contextlib.suppress(OSError):  # ENOPROTOOPT before Linux 4.20; callers check each answer anyway
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)

    def request(self, kind: int, body: bytes, flags: int = 0) -> bytes:
        """Return the body of the answer to a request; empty if NLM_F_ACK asks for an acknowledgement only."""
        return next(self._exchange(kind, NLM_F_REQUEST | flags, body), b"")

    def dump(
        self, kind: int, body: bytes, is_dull: Callable[[bytes], bool] | None = None, *, is_short: bool = False
    ) -> list[bytes]:
        """Return the bodies of all answers. A dump that a change interrupted is repeated.

        Args:
            kind: type of the request.
            body: body of the request.
            is_dull: gets a whole block of answers, as received with their headers; True discards the block.
            is_short: the answers fit into a block or two, which are received without importing ctypes.
        """
        for _ in range(_INTERRUPTED_TRIES):
            try:
                return list(self._exchange(kind, NLM_F_REQUEST | NLM_F_DUMP, body, is_dull, in_batches=not is_short))
            except InterruptedError:
                continue
        raise OSError(errno.EAGAIN, "the table kept changing while it was read")

    def subscribe(self, groups: Iterable[int], queue_bytes: int, accept: bytes = b"") -> None:
        """Receive the kernel's notifications of groups; what does not fit into ``queue_bytes`` is lost.

        ``accept`` is a classic BPF program that the messages pass, with their headers. Raises OSError.
        """
        if accept:
            from bpftop.kernel.net.socket_filter import attach_filter  # late: as message_batch below

            attach_filter(self._socket, accept)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, queue_bytes)
        self._socket.bind((0, 0))  # the kernel sends as port 0, and a socket without a port passes for the sender
        for group in groups:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def notifications(self) -> Iterator[tuple[int, bytes]]:
        """Yield type and body of every notification that has come, without waiting. Raises OSError."""
        while True:
            try:
                received = self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # the queue was full: some are lost, the rest can be read
                    raise
                continue
            yield from ((kind, body) for kind, _, _, body in messages(received))

    def _exchange(
        self,
        kind: int,
        flags: int,
        body: bytes,
        is_dull: Callable[[bytes], bool] | None = None,
        *,
        in_batches: bool = False,
    ) -> Iterator[bytes]:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        interrupted = False
        for received in self._received(in_batches=in_batches):
            if is_dull is not None and is_dull(received):
                continue
            for answer, answer_flags, sequence, message in messages(received):
                if sequence != self._sequence:
                    continue  # the rest of an exchange that was abandoned
                interrupted = interrupted or bool(answer_flags & NLM_F_DUMP_INTR)
                if answer in (NLMSG_ERROR, NLMSG_DONE):
                    _check(message)
                    if interrupted:
                        raise InterruptedError
                    return
                yield message
                if not flags & NLM_F_DUMP:
                    return

    def _received(self, *, in_batches: bool) -> Iterator[bytes]:
        """Yield blocks of messages without end, as they come."""
        while not in_batches:
            yield self._socket.recv(_RECEIVE_BYTES)
        from bpftop.kernel.net.message_batch import MSG_WAITFORONE, MessageBatch  # late: ctypes takes 5 ms to import

        self._batch = self._batch or MessageBatch(_RECEIVED_AT_ONCE, _RECEIVE_BYTES)
        while True:
            yield from (block for block, _ in self._batch.receive(self._socket.fileno(), MSG_WAITFORONE))


def messages(received: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield type, flags, sequence number and body of every message of a block."""
    offset = 0
    while offset + _HEADER.size <= len(received):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(received, offset)
        yield kind, flags, sequence, received[offset + _HEADER.size : offset + length]
        offset += max(_HEADER.size, (length + 3) & ~3)


def _check(message: bytes) -> None:
    """Raise OSError if the message begins with a negative errno, as errors and the end of a dump may."""
    if len(message) < 4:
        return
    (code,) = struct.unpack_from("=i", message)
    if code < 0:
        raise OSError(-code, os.strerror(-code))


def attributes(message: bytes, offset: int = 0) -> dict[int, bytes]:
    """Return the payloads of the attributes from ``offset`` on, by type. The last attribute of a repeated type wins."""
    return dict(each_attribute(message, offset))


def each_attribute(message: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield type and payload of every attribute, in order."""
    while offset + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind & NLA_TYPE_MASK, message[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute, padded to 4 bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def u32(payload: bytes | None) -> int | None:
    """Return the number in an attribute's payload; None without the attribute, or in another size."""
    return struct.unpack("=I", payload)[0] if payload is not None and len(payload) == 4 else None
