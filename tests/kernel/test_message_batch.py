"""Several messages by one call, with what each message is."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from bpftop.kernel.net.message_batch import MSG_WAITFORONE, MessageBatch


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        yield one, other


def test_each_message_has_its_own_length(ends: tuple[socket.socket, socket.socket]) -> None:
    batch = MessageBatch(3, 8)
    for message in (b"one", b"", b"longer than its room", b"four"):
        ends[0].send(message)
    fd = ends[1].fileno()
    assert [message for message, _ in batch.receive(fd, MSG_WAITFORONE)] == [b"one", b"", b"longer t"]
    assert [message for message, _ in batch.receive(fd, MSG_WAITFORONE)] == [b"four"]
    assert list(batch.receive(fd, socket.MSG_DONTWAIT)) == []


def test_each_message_has_its_sender() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        batch = MessageBatch(4, 16, 8)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        ):
            for sender in (one, other):
                sender.sendto(b"", receiver.getsockname())
            received = list(batch.receive(receiver.fileno(), socket.MSG_DONTWAIT))
            ports = [int.from_bytes(address[2:4], "big") for _, address in received]
            assert ports == [one.getsockname()[1], other.getsockname()[1]]


def test_a_failed_call_says_why(ends: tuple[socket.socket, socket.socket]) -> None:
    fd = ends[1].fileno()
    for end in ends:
        end.close()
    with pytest.raises(OSError, match=rf"\[Errno {errno.EBADF}\]"):
        list(MessageBatch(1, 8).receive(fd, socket.MSG_DONTWAIT))
