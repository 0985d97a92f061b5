"""Attach an XDP program as another tool would: a few instructions that treat every frame alike.

Prints the program's id once it is attached, and waits for the end of standard input. It talks to bpf(2) and rtnetlink
by itself, because bpftop is tested against programs that it did not load.

    python -m tests.bpf.foreign INTERFACE native|generic link|netlink pass|abort|illegal|redirect
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from typing import NoReturn

from tests.conftest import BPF_SYSCALL

NAME = b"someone_else"
BPF_PROG_LOAD, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE = 5, 15, 28
BPF_PROG_TYPE_XDP, BPF_XDP = 6, 37
XDP_FLAGS = {"generic": 1 << 1, "native": 1 << 2}
RTM_SETLINK, NLM_F_REQUEST, NLM_F_ACK, IFLA_XDP, IFLA_XDP_FD, IFLA_XDP_FLAGS = 19, 1, 4, 43, 1, 3
BPF_FUNC_REDIRECT, NO_DEVICE = 23, 0x7FFFFFFE


def _instruction(code: int, register: int = 0, immediate: int = 0) -> bytes:
    """Return a struct bpf_insn without source register and offset."""
    return struct.pack("=BBhi", code, register, 0, immediate)


_EXIT = _instruction(0x95)
PROGRAMS = {
    "pass": _instruction(0xB7, 0, 2) + _EXIT,
    "abort": _instruction(0xB7, 0, 0) + _EXIT,
    "illegal": _instruction(0xB7, 0, 77) + _EXIT,
    "redirect": _instruction(0xB7, 1, NO_DEVICE)
    + _instruction(0xB7, 2, 0)
    + _instruction(0x85, 0, BPF_FUNC_REDIRECT)
    + _EXIT,
}
"""Verdict -> program. "redirect" goes to a device that does not exist, and fails."""


def bpf(command: int, attributes: bytes) -> int:
    """Make the system call bpf. Raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(BPF_SYSCALL[os.uname().machine], command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}: {os.strerror(ctypes.get_errno())}")
    return result


def load(program: str) -> tuple[int, int]:
    """Load the program. Return its file descriptor and id."""
    code, licence = ctypes.create_string_buffer(PROGRAMS[program]), ctypes.create_string_buffer(b"GPL")
    where = BPF_PROG_TYPE_XDP, len(PROGRAMS[program]) // 8, ctypes.addressof(code), ctypes.addressof(licence)
    prog_fd = bpf(BPF_PROG_LOAD, struct.pack("=IIQQIIQII", *where, 0, 0, 0, 0, 0) + NAME.ljust(16, b"\0"))
    answer = ctypes.create_string_buffer(8)  # struct bpf_prog_info begins with type and id
    bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", prog_fd, 8, ctypes.addressof(answer)))
    return prog_fd, struct.unpack("=II", answer.raw)[1]


def attach_by_netlink(prog_fd: int, ifindex: int, flags: int) -> None:
    """Attach as ``ip link set dev X xdp`` does: the program stays after the process."""
    nested = struct.pack("=HHi", 8, IFLA_XDP_FD, prog_fd) + struct.pack("=HHI", 8, IFLA_XDP_FLAGS, flags)
    body = struct.pack("=BBHiII", 0, 0, 0, ifindex, 0, 0) + struct.pack("=HH", 4 + len(nested), IFLA_XDP) + nested
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as route:
        route.send(struct.pack("=IHHII", 16 + len(body), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        (code,) = struct.unpack_from("=i", route.recv(4096), 16)
    if code:
        raise OSError(-code, os.strerror(-code))


def main(interface: str, mode: str, by: str, program: str) -> NoReturn:
    prog_fd, prog_id = load(program)
    ifindex = socket.if_nametoindex(interface)
    if by == "netlink":
        attach_by_netlink(prog_fd, ifindex, XDP_FLAGS[mode])
        os.close(prog_fd)
    else:
        bpf(BPF_LINK_CREATE, struct.pack("=IIII", prog_fd, ifindex, BPF_XDP, XDP_FLAGS[mode]))
    print(prog_id, flush=True)
    sys.stdin.read()
    sys.exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
