"""Several messages of a socket by one call of recvmmsg(2). The socket module takes a call and more for each message."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
from collections.abc import Iterator

MSG_WAITFORONE = 0x10000

_VECTOR = struct.Struct("@PN")  # struct iovec
_HEADER = struct.Struct(
    "@PI4xPN24xI4x"
)  # struct mmsghdr on 64 bits: address, its length, vectors, their number, length


class MessageBatch:
    """Room for ``count`` messages of at most ``message_bytes`` each, and for their senders' addresses.

    Pages of the room take memory only once a message has been written there.
    """

    def __init__(self, count: int, message_bytes: int, address_bytes: int = 0) -> None:
        self.count = count
        self._message_bytes, self._address_bytes = message_bytes, address_bytes
        self._room = mmap.mmap(-1, count * message_bytes)
        self._addresses = ctypes.create_string_buffer(count * address_bytes or 1)
        messages = ctypes.addressof(ctypes.c_char.from_buffer(self._room))
        addresses = ctypes.addressof(self._addresses)
        vectors = (_VECTOR.pack(messages + at * message_bytes, message_bytes) for at in range(count))
        self._vectors = ctypes.create_string_buffer(b"".join(vectors))
        first = ctypes.addressof(self._vectors)
        self._headers = b"".join(
            _HEADER.pack(
                addresses + at * address_bytes if address_bytes else 0, address_bytes, first + at * _VECTOR.size, 1, 0
            )
            for at in range(count)
        )
        self._call = ctypes.create_string_buffer(len(self._headers))
        self._recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg

    def receive(self, fd: int, flags: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield each message with the address of its sender; none if MSG_DONTWAIT finds none. Raises OSError.

        With MSG_WAITFORONE it waits for the first message alone.
        """
        while True:
            ctypes.memmove(self._call, self._headers, len(self._headers))  # the kernel writes the lengths
            count = self._recvmmsg(fd, self._call, self.count, flags, None)
            number = ctypes.get_errno()
            if count >= 0:
                break
            if number == errno.EAGAIN and flags & socket.MSG_DONTWAIT:
                return
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))
        for at in range(count):
            length: int = _HEADER.unpack_from(self._call, at * _HEADER.size)[4]
            begin, address = at * self._message_bytes, at * self._address_bytes
            yield self._room[begin : begin + length], self._addresses.raw[address : address + self._address_bytes]
