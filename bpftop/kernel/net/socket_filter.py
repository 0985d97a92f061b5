"""Classic BPF filters of sockets. Format: include/uapi/linux/filter.h."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterable

SO_ATTACH_FILTER = 26
LOAD_BYTE, LOAD_HALF, LOAD_WORD, JUMP_EQUAL, RETURN = 0x30, 0x28, 0x20, 0x15, 0x06
_INSTRUCTION = struct.Struct("=HBBI")


def program(instructions: Iterable[tuple[int, int, int, int]]) -> bytes:
    """Return a program of instructions: code, jump if true, jump if false, constant."""
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)


def attach_filter(to: socket.socket, code: bytes) -> None:
    """Let a socket receive only what a program takes. Raises OSError."""
    memory = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(code) // _INSTRUCTION.size, ctypes.addressof(memory))  # struct sock_fprog
    to.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
