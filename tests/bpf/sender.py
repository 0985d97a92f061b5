"""Send an exact number of raw frames, as fast as one CPU can, and account for each frame.

The frames leave through AF_PACKET with sendmmsg(2): 2 million per second over a veth pair with native XDP behind it.
A frame that veth cannot queue (its ring has 256 entries) or that a qdisc refuses is reported as ENOBUFS for just that
message, which is then sent again; kernels that drop it without telling the socket (5.10) still count it in tx_dropped.
So `Sent.lost` is 0, or says how many.
"""

import ctypes
import errno
import math
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BATCH = 256  # messages per system call


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class _Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Mmsghdr(ctypes.Structure):
    _fields_ = [("header", _Msghdr), ("sent_bytes", ctypes.c_uint)]


@dataclass(frozen=True)
class Sent:
    """Result of sending. `accepted` is always the requested number; `refused` frames were sent again."""

    accepted: int
    accepted_bytes: int
    refused: int
    dropped: int
    elapsed_ns: int

    @property
    def lost(self) -> int:
        """Frames that the interface dropped after accepting."""
        return max(0, self.dropped - self.refused)

    @property
    def packets_per_sec(self) -> float:
        return self.accepted * 1e9 / self.elapsed_ns


def times_sent(total: int, kinds: int) -> list[int]:
    """Return how often each of `kinds` frames is sent when `total` are sent in turn."""
    return [total // kinds + (kind < total % kinds) for kind in range(kinds)]


def tx_dropped(interface: str) -> int:
    """Return the transmit drop counter of `interface` in the calling thread's network namespace."""
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        name, _, columns = line.partition(":")
        if name.strip() == interface:
            return int(columns.split()[11])
    raise LookupError(f"no interface {interface} in this network namespace")


def send_exactly(interface: str, frames: Sequence[bytes], total: int, *, cpu: int | None = None) -> Sent:
    """Send `total` frames, by taking `frames` in turn, from the calling thread's network namespace; blocks until done.

    The thread is pinned to one CPU meanwhile (`cpu`, or the first that it may use): veth's receiver then runs on the
    same CPU between two frames, and its ring does not overflow. Each frame has at least 14 bytes.

    Raises OSError for anything but ENOBUFS.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed) if cpu is None else cpu})
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:  # protocol 0: receives nothing
            wire.bind((interface, 0))
            dropped_before = tx_dropped(interface)
            started_ns = time.monotonic_ns()
            refused = _send_all(wire.fileno(), frames, total)
            elapsed_ns = time.monotonic_ns() - started_ns
            dropped = tx_dropped(interface) - dropped_before
    finally:
        os.sched_setaffinity(0, allowed)
    sizes = zip(times_sent(total, len(frames)), frames, strict=True)
    return Sent(total, sum(times * len(frame) for times, frame in sizes), refused, dropped, elapsed_ns)


def _send_all(wire_fd: int, frames: Sequence[bytes], total: int) -> int:
    """Return how often the interface refused a frame."""
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    vectors = [_Iovec(frame, len(frame)) for frame in frames]
    length = len(frames) * math.ceil(BATCH / len(frames))  # whole rounds, so that the turn survives the wrap-around
    messages = (_Mmsghdr * length)()
    for number, message in enumerate(messages):
        message.header.iov = ctypes.pointer(vectors[number % len(frames)])
        message.header.iov_length = 1
    size = ctypes.sizeof(_Mmsghdr)
    start = ctypes.addressof(messages)
    accepted = refused = 0
    while accepted < total:
        position = accepted % length
        count = min(length - position, total - accepted)
        done = sendmmsg(wire_fd, start + position * size, count, 0)
        if done > 0:
            accepted += done
            refused += done < count  # sendmmsg does not report the error of the message after the last good one
        elif ctypes.get_errno() == errno.ENOBUFS:
            refused += 1
        elif ctypes.get_errno() != errno.EINTR:
            number = ctypes.get_errno()
            raise OSError(number, f"sendmmsg: {os.strerror(number)}")
    return refused
