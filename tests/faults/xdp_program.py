"""Somebody's XDP program in eleven instructions: UDP to one port gets an action of choice, all else passes."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable

from tests.bpf.foreign import BPF_LINK_CREATE, BPF_PROG_LOAD, BPF_PROG_TYPE_XDP, BPF_XDP, XDP_FLAGS, bpf

NAME = b"drops_a_port"
XDP_PASS = 2
PORT_AT = 14 + 20 + 2  # the destination port behind Ethernet and IPv4 without options
LOAD_WORD, LOAD_HALF, MOVE, ADD, JUMP_ABOVE, JUMP_EQUAL, SET, EXIT = 0x61, 0x69, 0xBF, 0x07, 0x2D, 0x15, 0xB7, 0x95


def _instruction(code: int, to: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", code, source << 4 | to, offset, value)


def _code(port: int, action: int) -> bytes:
    return b"".join(
        (
            _instruction(LOAD_WORD, 2, 1, 0),  # data
            _instruction(LOAD_WORD, 3, 1, 4),  # data_end
            _instruction(MOVE, 4, 2),
            _instruction(ADD, 4, value=PORT_AT + 2),
            _instruction(JUMP_ABOVE, 4, 3, offset=2),
            _instruction(LOAD_HALF, 4, 2, PORT_AT),
            _instruction(JUMP_EQUAL, 4, offset=2, value=socket.htons(port)),
            _instruction(SET, 0, value=XDP_PASS),
            _instruction(EXIT),
            _instruction(SET, 0, value=action),
            _instruction(EXIT),
        )
    )


def attach(interface: str, port: int, action: int) -> Callable[[], None]:
    """Load and attach it natively to an interface of the calling thread's namespace. Returns what takes it off.

    Raises OSError.
    """
    code = ctypes.create_string_buffer(_code(port, action))
    licence = ctypes.create_string_buffer(b"GPL")
    instructions = (len(code) - 1) // 8
    places = ctypes.addressof(code), ctypes.addressof(licence)
    head = struct.pack("=IIQQIIQII", BPF_PROG_TYPE_XDP, instructions, *places, 0, 0, 0, 0, 0)
    prog_fd = bpf(BPF_PROG_LOAD, head + NAME.ljust(16, b"\0"))
    try:
        ifindex = socket.if_nametoindex(interface)
        link_fd = bpf(BPF_LINK_CREATE, struct.pack("=IIII", prog_fd, ifindex, BPF_XDP, XDP_FLAGS["native"]))
    finally:
        os.close(prog_fd)
    return lambda: os.close(link_fd)
