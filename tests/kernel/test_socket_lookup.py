"""Answers of sock_diag to look-ups, also cut short and with garbage in them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from bpftop.kernel.net.netlink import attribute
from bpftop.kernel.net.sock_diag import INET_DIAG_INFO
from bpftop.kernel.net.socket_lookup import (
    INET_DIAG_CGROUP_ID,
    TCP_TIME_WAIT,
    FoundSocket,
    TcpFacts,
    found_socket,
)

TCP, UDP = 6, 17


def answer(state: int, remote_port: int, *attributes: bytes) -> bytes:
    """Return a struct inet_diag_msg of user 33 and inode 4711, and attributes."""
    head = bytes([2, state, 0, 0]) + (443).to_bytes(2, "big") + remote_port.to_bytes(2, "big")
    return head + bytes(16 + 16 + 4 + 8 + 12) + struct.pack("=II", 33, 4711) + b"".join(attributes)


def test_a_connection_with_its_facts() -> None:
    info = bytearray(232)
    info[7] = 1
    for at, value in ((32, 2), (68, 1500), (80, 10), (100, 7), (148, 900)):
        struct.pack_into("=I", info, at, value)
    for at, value in ((160, 125_000), (168, 100), (176, 60), (184, 5)):
        struct.pack_into("=Q", info, at, value)
    parts = attribute(INET_DIAG_INFO, bytes(info)), attribute(INET_DIAG_CGROUP_ID, struct.pack("=Q", 99))
    facts = TcpFacts(1500, 900, 7, 2, 10, 125_000, True, 100, 60, 5)
    assert found_socket(TCP, answer(1, 50_000, *parts)) == FoundSocket(4711, 33, 99, False, facts)


def test_sockets_without_facts() -> None:
    assert found_socket(TCP, answer(10, 0)) == FoundSocket(4711, 33, 0, True, None)
    assert found_socket(UDP, answer(7, 0)) == FoundSocket(4711, 33, 0, True, None)
    assert found_socket(UDP, answer(1, 53)) == FoundSocket(4711, 33, 0, False, None)
    assert found_socket(TCP, answer(TCP_TIME_WAIT, 5)) is None
    short = attribute(INET_DIAG_INFO, bytes(100))  # of a kernel before Linux 4.9
    assert found_socket(TCP, answer(1, 5, short)) == FoundSocket(4711, 33, 0, False, None)


@given(st.binary(max_size=400), st.sampled_from([TCP, UDP]))
def test_any_answer_is_a_socket_or_none(garbage: bytes, protocol: int) -> None:
    found = found_socket(protocol, garbage)
    assert found is None or found.inode >= 0
