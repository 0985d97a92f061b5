"""Send prepared frames at a steady rate through AF_PACKET: sendmmsg(2) in ticks, spread over the CPUs.

veth hands a frame over on the CPU that sends it, so the sender moves from CPU to CPU as a NIC's queues would spread the
traffic; ``cpus`` of one CPU keeps it there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import time
from array import array
from collections.abc import Sequence

from bpftop.demo.faults.worker import Inside, Orders, Worker

TICK_S = 0.004
LONGEST_TICK_S = 0.25  # after a stall the missed frames are not made up for
URGENT = -10  # a busy machine must not thin out the traffic; the senders need little
BATCH = 64  # frames per system call: less than the 256 entries of veth's ring
SO_SNDBUFFORCE = 32  # include/uapi/asm-generic/socket.h; beyond net.core.wmem_max
IN_FLIGHT_BYTES = 16 << 20
_WORDS = 8  # struct mmsghdr on 64 bits: msghdr of 7 words, then msg_len


def blast(
    inside: Inside,
    interface: str,
    frames: Sequence[bytes],
    per_sec: float,
    *,
    tick_s: float = TICK_S,
    most: int | None = None,
    cpus: Sequence[int] | None = None,
    in_flight_bytes: int = IN_FLIGHT_BYTES,
    realtime: bool = False,
) -> Worker:
    """Return a worker that sends ``frames`` in turn, ``most`` of them at most. ``go`` starts it.

    ``in_flight_bytes``: how much may wait at the receiver before the sender waits; a small frame takes about 800.
    ``realtime``: take the CPU from all ordinary processes (SCHED_FIFO), 5 % of it apart (sched_rt_runtime_us).
    """
    lengths = array("I", map(len, frames)).tobytes()
    blob = struct.pack("=I", len(frames)) + lengths + b"".join(frames)
    return Worker(
        inside,
        send,
        blob,
        interface=interface,
        per_sec=per_sec,
        tick_s=tick_s,
        most=most,
        cpus=cpus,
        in_flight_bytes=in_flight_bytes,
        realtime=realtime,
    )


class _Messages:
    """An array of struct mmsghdr for the frames; one system call sends any stretch of the array."""

    def __init__(self, blob: bytes) -> None:
        (count,) = struct.unpack_from("=I", blob)
        lengths = array("I", blob[4 : 4 + 4 * count])
        self.count = count
        self._frames = ctypes.create_string_buffer(blob[4 + 4 * count :], len(blob))
        self._vectors, self._headers = array("Q"), array("Q")
        address = ctypes.addressof(self._frames)
        for length in lengths:
            self._vectors.extend((address, length))
            address += length
        vector = self._vectors.buffer_info()[0]
        for number in range(count):
            self._headers.extend((0, 0, vector + 16 * number, 1, 0, 0, 0, 0))
        self._start = self._headers.buffer_info()[0]
        self._sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

    def send(self, wire_fd: int, position: int, count: int) -> int:
        """Send at most ``count`` frames, and return the number sent: 0 if the queue is full. Raises OSError."""
        count = min(count, self.count - position, BATCH)
        taken: int = self._sendmmsg(wire_fd, self._start + 8 * _WORDS * position, count, 0)
        if taken < 0:
            number = ctypes.get_errno()
            if number not in (errno.ENOBUFS, errno.EAGAIN, errno.EINTR):
                raise OSError(number, f"sendmmsg: {os.strerror(number)}")
            return 0
        return taken


def send(
    orders: Orders,
    blob: bytes,
    *,
    interface: str,
    per_sec: float,
    tick_s: float,
    most: int | None,
    cpus: Sequence[int] | None,
    in_flight_bytes: int,
    realtime: bool,
) -> dict[str, float]:
    """Send the frames until the order to end. Returns the numbers of frames sent and refused, and the time taken."""
    messages = _Messages(blob)
    lanes = sorted(os.sched_getaffinity(0)) if cpus is None else list(cpus)
    os.nice(URGENT)
    if realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    sent = refused = turn = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:  # protocol 0: receives nothing
        # Frames that wait in the receiver's backlog are still the sender's: 277 of them fill the default buffer, and
        # the sender would wait for the receiver instead of overflowing it.
        wire.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, in_flight_bytes)
        wire.bind((interface, 0))
        orders.wait()
        began_s = last_s = time.monotonic()
        next_s, carry = began_s + tick_s, 0.0
        left = float("inf") if most is None else most
        while not orders.over(next_s - time.monotonic()):
            now_s = time.monotonic()
            carry += per_sec * min(now_s - last_s, max(LONGEST_TICK_S, 2 * tick_s))
            last_s, next_s = now_s, max(next_s + tick_s, now_s)
            due = int(min(carry, left))
            carry -= int(carry)
            left -= due
            os.sched_setaffinity(0, {lanes[turn % len(lanes)]})
            turn += 1
            while due > 0:
                taken = messages.send(wire.fileno(), (sent + refused) % messages.count, due)
                sent += taken
                refused += taken == 0
                due -= max(taken, 1)
    elapsed_s = time.monotonic() - began_s
    return {"sent": sent, "refused": refused, "elapsed_s": elapsed_s, "cpu_s": time.process_time()}
