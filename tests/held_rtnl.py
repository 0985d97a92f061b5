"""The kernel's RTNL lock, held for as long as a block takes: nothing on the machine attaches or detaches meanwhile."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl

_USERFAULTFD = 323  # x86-64; the number of the system call
_UFFDIO_API, _UFFDIO_REGISTER, _UFFDIO_ZEROPAGE = 0xC018AA3F, 0xC020AA00, 0xC020AA04
_SIOCETHTOOL, _ETHTOOL_GSTRINGS = 0x8946, 0x1B
_PAGE = mmap.PAGESIZE


@contextmanager
def held_rtnl() -> Iterator[None]:
    """Hold RTNL inside the block.

    The kernel reads the number of an ethtool command, takes RTNL, and reads the rest of the command. The rest lies in
    a page that userfaultfd gives to the kernel only at the end of the block.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.syscall(_USERFAULTFD, os.O_CLOEXEC)
    assert faults >= 0, os.strerror(ctypes.get_errno())
    ioctl(faults, _UFFDIO_API, struct.pack("QQQ", 0xAA, 0, 0))
    pages = mmap.mmap(-1, 2 * _PAGE, mmap.MAP_PRIVATE)
    late_page = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + _PAGE
    pages[_PAGE - 4 : _PAGE] = struct.pack("I", _ETHTOOL_GSTRINGS)
    ioctl(faults, _UFFDIO_REGISTER, struct.pack("QQQQ", late_page, _PAGE, 1, 0))
    request = ctypes.create_string_buffer(struct.pack("16sQ16x", b"lo", late_page - 4))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        holder = threading.Thread(target=libc.ioctl, args=(any_socket.fileno(), _SIOCETHTOOL, request))
        holder.start()
        os.read(faults, 32)  # the kernel waits for the page
        try:
            yield
        finally:
            ioctl(faults, _UFFDIO_ZEROPAGE, struct.pack("QQQq", late_page, _PAGE, 0, 0))
            holder.join()
            os.close(faults)
