"""Somebody's TCX program in six instructions: it drops some percent of all packets at random."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable

from tests.bpf.foreign import BPF_LINK_CREATE, BPF_PROG_LOAD, bpf

BPF_PROG_TYPE_SCHED_CLS = 3
BPF_TCX_INGRESS, BPF_TCX_EGRESS = 46, 47
TCX_NEXT, TCX_DROP = -1, 2
GET_PRANDOM_U32 = 7
CALL, MODULO, JUMP_BELOW, SET, EXIT = 0x85, 0x94, 0xA5, 0xB7, 0x95


def _code(percent: int) -> bytes:
    instructions = (
        (CALL, 0, GET_PRANDOM_U32),
        (MODULO, 0, 100),
        (JUMP_BELOW, 2, percent),
        (SET, 0, TCX_NEXT),
        (EXIT, 0, 0),
        (SET, 0, TCX_DROP),
        (EXIT, 0, 0),
    )
    return b"".join(struct.pack("=BBhi", code, 0, offset, value) for code, offset, value in instructions)


def attach(interface: str, attach_type: int, percent: int) -> Callable[[], None]:
    """Load and attach the program to an interface of the calling thread's namespace; return what detaches it.

    Raises OSError.
    """
    code = ctypes.create_string_buffer(_code(percent))
    licence = ctypes.create_string_buffer(b"GPL")
    places = ctypes.addressof(code), ctypes.addressof(licence)
    head = struct.pack("=IIQQIIQII", BPF_PROG_TYPE_SCHED_CLS, (len(code) - 1) // 8, *places, 0, 0, 0, 0, 0)
    prog_fd = bpf(BPF_PROG_LOAD, head + b"drops_some".ljust(16, b"\0"))
    try:
        target = struct.pack("=IIII", prog_fd, socket.if_nametoindex(interface), attach_type, 0)
        link_fd = bpf(BPF_LINK_CREATE, target)
    finally:
        os.close(prog_fd)
    return lambda: os.close(link_fd)
