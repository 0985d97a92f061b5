"""Timing of the generator, and its callbacks for sockets that are ready."""

import errno
import math
import socket
from collections.abc import Callable
from random import Random
from select import EPOLLIN, epoll
from typing import Protocol

SWELL_PERIOD_S = 75.0
READS_PER_TURN = 64
# Errors after which the generator goes on with the next packet: a full buffer, an ICMP error in reply to an earlier
# packet, a veth pair that is down or gone, IPv6 addresses that went with it.
LOST_ERRNOS = frozenset(
    {
        errno.EAGAIN,
        errno.ENOBUFS,
        errno.ECONNREFUSED,
        errno.ENOPROTOOPT,  # ICMP "protocol unreachable"
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EADDRNOTAVAIL,
        errno.EINVAL,  # bound to an IPv6 address that has gone
        errno.ENXIO,
        errno.ENODEV,
    }
)
_scratch = bytearray(1 << 17)


class Pace:
    """Computes how many packets are due at each tick from a mean rate that slowly rises and falls.

    At the first tick at least one packet is due, so that rare kinds show at once.
    """

    def __init__(self, per_sec: float, rng: Random) -> None:
        self._mean_per_sec = per_sec
        self._phase = rng.uniform(-0.8, 0.8)
        self._rng = rng
        self._per_sec = per_sec
        self._carry = 1.0

    def retune(self, seconds: float) -> None:
        """Set the rate for `seconds` after the start: 0.4 to 1.6 of the mean over a period of 75 s, +-8 % wobble."""
        turn = 2 * math.pi * seconds / SWELL_PERIOD_S + self._phase
        swell = 1 + 0.45 * math.sin(turn) + 0.12 * math.sin(2 * turn + self._phase)
        self._per_sec = self._mean_per_sec * swell * self._rng.uniform(0.92, 1.08)

    def due(self, elapsed_s: float) -> int:
        """Return how many packets are due after another `elapsed_s`; fractions are carried over."""
        self._carry += self._per_sec * elapsed_s
        count = int(self._carry)
        self._carry -= count
        return count


class PacketSource(Protocol):
    """Owns sockets; `emit` sends `count` packets (or opens `count` connections) and never blocks."""

    def emit(self, count: int) -> None: ...

    def close(self) -> None: ...


class Reactor:
    """Callbacks for sockets that are ready.

    Callbacks run at once and not at the next tick: data that waits in a TCP socket holds back its acknowledgement,
    and the peer's tail loss probe (2 x RTT) then shows as a retransmission (0.6 % of segments with ticks of 10 ms).
    """

    def __init__(self) -> None:
        self._epoll = epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}

    def watch(self, sock: socket.socket, callback: Callable[[], object], events: int = EPOLLIN) -> None:
        """Call `callback` at each turn while `sock` is ready; a second call replaces the first."""
        number = sock.fileno()
        if number in self._callbacks:
            self._epoll.modify(number, events)
        else:
            self._epoll.register(number, events)
        self._callbacks[number] = callback

    def drop(self, sock: socket.socket) -> None:
        """Close `sock` (which takes it out of the epoll set) and forget its callback."""
        self._callbacks.pop(sock.fileno(), None)
        sock.close()

    def fileno(self) -> int:
        """The epoll descriptor, readable while a socket is ready."""
        return self._epoll.fileno()

    def turn(self) -> None:
        """Run the callbacks of all sockets that are ready now."""
        for number, _ in self._epoll.poll(0):
            callback = self._callbacks.get(number)  # a callback of this turn may have dropped the socket
            if callback is not None:
                callback()

    def close(self) -> None:
        self._epoll.close()


def send_or_lose(sock: socket.socket, packet: bytes | memoryview, peer: tuple[str, int] | None = None) -> None:
    """Send a datagram or frame, which is lost after any of LOST_ERRNOS. Other errors are raised."""
    try:
        if peer is None:
            sock.send(packet)
        else:
            sock.sendto(packet, peer)
    except OSError as error:
        if error.errno not in LOST_ERRNOS:
            raise


def receive_from(sock: socket.socket) -> tuple[str, int] | None:
    """Read and discard a datagram. Return its sender, or None when none waits."""
    try:
        peer: tuple[str, int] = sock.recvfrom_into(_scratch)[1]
    except OSError as error:
        if error.errno not in LOST_ERRNOS:
            raise
        return None
    return peer


def swallow_stream(sock: socket.socket) -> bool:
    """Read and discard data of a TCP socket. Return False when the peer has finished or the connection broke."""
    for _ in range(READS_PER_TURN):
        try:
            if sock.recv_into(_scratch) == 0:
                return False
        except BlockingIOError:
            return True
        except OSError:  # reset, refused, timed out, unreachable
            return False
    return True
