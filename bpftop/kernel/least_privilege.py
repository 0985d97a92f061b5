"""Giving up capabilities and system calls: a thread, and every thread that it starts, keeps what it needs."""

from __future__ import annotations

import ctypes
import errno
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


LIBRARY = "libseccomp.so.2"
REFUSED = (
    # running or reading other programs
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
    # becoming somebody else
    "setuid", "setreuid", "setresuid", "setgid", "setregid", "setresgid", "setgroups", "setfsuid", "setfsgid",
    # changing the machine
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "acct", "quotactl",
    "chroot", "pivot_root", "syslog", "iopl", "ioperm", "open_by_handle_at",
    # large parts of the kernel that bpftop does not use
    "add_key", "request_key", "keyctl", "userfaultfd", "io_uring_setup", "vmsplice", "personality", "modify_ldt",
)  # fmt: skip
"""System calls that end in EPERM. ``mount`` and ``unshare`` are needed to show sysfs of another namespace."""

_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | errno.EPERM  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO (seccomp.h)
_UNKNOWN = -1  # __NR_SCMP_ERROR


def refuse_system_calls() -> bool:
    """Let the REFUSED system calls of the calling thread, and of every thread that it starts, end in EPERM for good.

    Return False without libseccomp, or where the kernel takes no filter (CONFIG_SECCOMP_FILTER).
    """
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    library.seccomp_init.restype = ctypes.c_void_p
    context = library.seccomp_init(ctypes.c_uint32(_ALLOW))
    if not context:
        return False
    handle = ctypes.c_void_p(context)
    try:
        for name in REFUSED:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number != _UNKNOWN:  # newer than the library
                library.seccomp_rule_add_array(handle, ctypes.c_uint32(_EPERM), number, 0, None)
        return bool(library.seccomp_load(handle) == 0)
    finally:
        library.seccomp_release(handle)
