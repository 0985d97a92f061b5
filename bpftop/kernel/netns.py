"""Network namespace of the calling thread: create a namespace, enter a namespace, or visit a namespace."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bpftop.errors import BpftopError

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_moves = threading.local()


def unshare_network() -> None:
    """Move the calling thread into a new network namespace of its own.

    Raises OSError: EPERM without CAP_SYS_ADMIN, ENOSPC at user.max_net_namespaces, EINVAL without CONFIG_NET_NS.
    """
    _call("unshare", CLONE_NEWNET)
    _count_move()


def enter(netns_fd: int) -> None:
    """Move the calling thread only into the network namespace behind `netns_fd`.

    Raises OSError: EPERM without CAP_SYS_ADMIN.
    """
    _call("setns", netns_fd, CLONE_NEWNET)
    _count_move()


def namespace_visit() -> tuple[int, int]:
    """Return an identity of the calling thread's stay in its network namespace, without a system call.

    Two equal visits mean the same thread, which has not changed its namespace in between.
    """
    return threading.get_ident(), getattr(_moves, "count", 0)


def _count_move() -> None:
    _moves.count = getattr(_moves, "count", 0) + 1


def namespace_inode() -> int:
    """Return the inode number of the calling thread's network namespace. Raises OSError without /proc."""
    return os.stat("/proc/thread-self/ns/net").st_ino


@contextmanager
def moved(move: Callable[[], None]) -> Iterator[None]:
    """Call ``move``, which takes the calling thread to another namespace; return there after the ``with`` block.

    Raises OSError, as ``move`` does.
    """
    home_fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        move()
        try:
            yield
        finally:
            enter(home_fd)
    finally:
        os.close(home_fd)


def enter_path(path: str) -> None:
    """Move the calling thread only into the namespace at ``path`` (/proc/PID/ns/net). Raises OSError."""
    netns_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(netns_fd)
    finally:
        os.close(netns_fd)


@contextmanager
def inside(path: str | None) -> Iterator[None]:
    """Run the ``with`` block in the namespace at ``path`` (/proc/PID/ns/net), on the calling thread; None: where it is.

    Raises BpftopError if the thread cannot enter the namespace.
    """
    if path is None:
        yield
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(moved(partial(enter_path, path)))
        except OSError as error:
            raise _cannot_enter(path, error) from error
        yield


def _cannot_enter(path: str, error: OSError) -> BpftopError:
    remedy = {
        errno.EPERM: "it takes root (CAP_SYS_ADMIN)",
        errno.EACCES: "it takes root (CAP_SYS_ADMIN)",
        errno.EINVAL: "this is no network namespace (any more); remove the file with `ip netns delete`",
    }.get(error.errno or 0, "bpftop enters by /proc, which must be mounted")
    return BpftopError(f"cannot enter the network namespace {path}: {os.strerror(error.errno or 0)}; {remedy}")


def _call(name: str, *arguments: int) -> None:
    """Call os.setns or os.unshare; before Python 3.12, which added both, call the C library."""
    native = getattr(os, name, None)
    if native is not None:
        native(*arguments)
        return
    import ctypes  # late: 7 to 20 ms, and not needed from Python 3.12 on

    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(ctypes.c_int(argument) for argument in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
