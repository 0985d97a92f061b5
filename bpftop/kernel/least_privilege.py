"""Giving up capabilities, thread by thread: a thread, and every thread that it starts, keeps what it needs."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Collection

from bpftop.kernel.privileges import CAPABILITY_BITS, COUNTING

# include/uapi/linux/capability.h, include/uapi/linux/prctl.h
_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4

FILES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
"""Capabilities for a recording in a folder of somebody else."""

SAMPLING = (*COUNTING, "CAP_NET_RAW", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE")
"""Capabilities for attaching again, in another namespace too, for naming processes and foreign programs, for ARP."""


def keep_only(names: Collection[str]) -> None:
    """Give up every capability of the calling thread but these, for good: no program that it runs gets any back."""
    bits = [CAPABILITY_BITS[name] for name in names]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for bit in range(_LAST_CAPABILITY + 1):
        if bit not in bits:
            libc.prctl(_PR_CAPBSET_DROP, bit, 0, 0, 0)  # EPERM without CAP_SETPCAP: no_new_privs has the same effect
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0))
    data = ctypes.create_string_buffer(24)
    if libc.capget(header, data) != 0:
        return
    _, permitted_low, _, _, permitted_high, _ = struct.unpack("=6I", data.raw[:24])
    mask = sum(1 << bit for bit in bits) & (permitted_low | permitted_high << 32)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    libc.capset(header, struct.pack("=6I", low, low, 0, high, high, 0))
