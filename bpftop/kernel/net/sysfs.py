"""A private, detached sysfs of the calling thread's network namespace.

/sys/class/net shows the network namespace in which /sys was mounted. A mount by fsmount (Linux 5.2) is in no mount
table, is reachable by its file descriptor only, and ends with the file descriptor, also after SIGKILL.
"""

from __future__ import annotations

import errno
import os

from bpftop.errors import BpftopError

# These numbers are equal on all architectures that bpftop is built for (asm-generic/unistd.h, x86-64 table).
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
# include/uapi/linux/mount.h
FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC = 1, 1
FSCONFIG_CMD_CREATE = 6
MOUNT_ATTR_READ_ONLY, MOUNT_ATTR_INERT = 0x1, 0x2 | 0x4 | 0x8  # inert: NOSUID, NODEV, NOEXEC


def is_home() -> bool | None:
    """Return True if the calling thread is in the network namespace of process 1, which /sys shows; None if unknown."""
    try:
        own, first = os.stat("/proc/thread-self/ns/net"), os.stat("/proc/1/ns/net")
    except OSError:
        return None
    return own.st_ino == first.st_ino


def mount_sysfs(*, writable: bool = False) -> int:
    """Mount a detached sysfs of the calling thread's network namespace. Return its directory's fd.

    Raises BpftopError: EPERM without CAP_SYS_ADMIN in the mount namespace and in the network namespace, ENOSYS before
    Linux 5.2.
    """
    attributes = MOUNT_ATTR_INERT if writable else MOUNT_ATTR_INERT | MOUNT_ATTR_READ_ONLY
    import ctypes  # late: 7 to 20 ms, and needed only for other namespaces

    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: int | bytes | None) -> int:
        words = (ctypes.c_long(word) if isinstance(word, int) else ctypes.c_char_p(word) for word in arguments)
        libc.syscall.restype = ctypes.c_long
        result = int(libc.syscall(ctypes.c_long(number), *words))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    try:
        context_fd = call(_FSOPEN, b"sysfs", FSOPEN_CLOEXEC)
        try:
            call(_FSCONFIG, context_fd, FSCONFIG_CMD_CREATE, None, None, 0)
            return call(_FSMOUNT, context_fd, FSMOUNT_CLOEXEC, attributes)
        finally:
            os.close(context_fd)
    except OSError as error:
        remedy = {errno.EPERM: "it takes CAP_SYS_ADMIN", errno.ENOSYS: "it takes Linux 5.2"}.get(error.errno or 0, "")
        sentence = f"cannot mount a sysfs of this network namespace: {error.strerror}{'; ' if remedy else ''}{remedy}"
        raise BpftopError(sentence) from error
