"""A filter of system calls for verbs that run for days, through libseccomp where the machine has it.

The system manager of Debian, Ubuntu, Fedora and most others needs libseccomp, so it is there without a dependency of
bpftop. PyPI's pyseccomp, a wrapper, needs the same library; bpftop calls five of its functions.
"""

from __future__ import annotations

import ctypes
import errno

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
