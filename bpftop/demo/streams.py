"""TCP: bulk flows in both directions, short connections, resets."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from select import EPOLLIN, EPOLLOUT

from bpftop.demo.reactor import Reactor, swallow_stream

MSS_BYTES = {4: 1448, 6: 1428}  # TCP payload of a 1514-byte frame with timestamps, by IP version
ABORT_EVERY = 12  # one visit in so many ends with a reset by the client
_LINGER_RESET = struct.pack("ii", 1, 0)

Connect = Callable[[], socket.socket]


class Streams:
    """Keeps the open sockets of one kind of conversation, so that all of them can be closed."""

    def __init__(self, reactor: Reactor, listeners: tuple[socket.socket, ...] = ()) -> None:
        self._reactor = reactor
        self._open: set[socket.socket] = set()
        for listener in listeners:
            self._hold(listener, partial(self._accept, listener))

    def _hold(self, sock: socket.socket, callback: Callable[[], object], events: int = EPOLLIN) -> None:
        self._open.add(sock)
        self._reactor.watch(sock, callback, events)

    def _part(self, sock: socket.socket) -> None:
        self._open.discard(sock)
        self._reactor.drop(sock)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            sock.setblocking(False)
            self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        self._hold(sock, lambda: self._swallow(sock))

    def _swallow(self, sock: socket.socket) -> None:
        """Read; when the peer has finished, close as well."""
        if not swallow_stream(sock):
            self._part(sock)

    def close(self) -> None:
        for sock in tuple(self._open):
            self._part(sock)


class Upload:
    """One bulk flow from the client: `count` full segments at a time; after `life` of them a new connection."""

    def __init__(self, connect: Connect, payload: memoryview, segment_bytes: int, life: int) -> None:
        self._connect = connect
        self._payload = payload
        self._segment_bytes = segment_bytes
        self._life = self._left = life
        self._sock = connect()

    def emit(self, count: int) -> None:
        if not count:
            return
        try:
            self._sock.send(self._payload[: count * self._segment_bytes])
            self._left -= count
        except BlockingIOError:  # still connecting, or the window is full
            return
        except OSError:  # the connection broke: on to the next one
            self._left = 0
        if self._left <= 0:
            self._sock.close()
            self._sock = self._connect()
            self._left = self._life

    def close(self) -> None:
        self._sock.close()


class Downloads(Streams):
    """The server of bulk flows: `count` full segments to the open connections in turn, each closed after `life`."""

    def __init__(self, reactor: Reactor, listeners: tuple[socket.socket, ...], payload: memoryview, life: int) -> None:
        super().__init__(reactor, listeners)
        self._payload = payload
        self._life = life
        self._left: dict[socket.socket, int] = {}

    def _welcome(self, sock: socket.socket) -> None:
        super()._welcome(sock)
        self._left[sock] = self._life

    def _part(self, sock: socket.socket) -> None:
        self._left.pop(sock, None)
        super()._part(sock)

    def emit(self, count: int) -> None:
        if not count or not self._left:
            return
        sock, left = next(iter(self._left.items()))
        try:
            segment_bytes = MSS_BYTES[6 if sock.family == socket.AF_INET6 else 4]
            sock.send(self._payload[: count * segment_bytes])
        except BlockingIOError:
            count = 0
        except OSError:  # the connection broke: part
            count = left
        del self._left[sock]  # to the end of the line
        if left > count:
            self._left[sock] = left - count
        else:
            self._part(sock)


class Fetches(Streams):
    """The clients of `Downloads`: `emit` opens again what the server has closed since."""

    def __init__(self, reactor: Reactor, connects: tuple[Connect, ...]) -> None:
        super().__init__(reactor)
        self._closed = list(connects)

    def emit(self, count: int) -> None:
        connects, self._closed = self._closed, []
        for connect in connects:
            sock = connect()
            self._hold(sock, partial(self._readable, sock, connect))

    def _readable(self, sock: socket.socket, connect: Connect) -> None:
        self._swallow(sock)
        if sock not in self._open:
            self._closed.append(connect)


class Pages(Streams):
    """A server of short connections: reads a request, answers with a page, closes first."""

    def __init__(self, reactor: Reactor, listeners: tuple[socket.socket, ...], pages: Iterator[memoryview]) -> None:
        super().__init__(reactor, listeners)
        self._pages = pages

    def _welcome(self, sock: socket.socket) -> None:
        self._hold(sock, lambda: self._readable(sock))

    def _readable(self, sock: socket.socket) -> None:
        self._swallow(sock)
        if sock in self._open:
            with suppress(OSError):  # the visitor has gone: part as well
                sock.send(next(self._pages))
            self._part(sock)


class Visits(Streams):
    """Short connections: connect, send a request, read the page to its end; now and then hang up with a reset."""

    def __init__(self, reactor: Reactor, connects: Iterator[Connect], request: bytes) -> None:
        super().__init__(reactor)
        self._connects = connects
        self._request = request
        self._count = 0

    def emit(self, count: int) -> None:
        for _ in range(count):
            sock = next(self._connects)()
            self._hold(sock, partial(self._connected, sock), EPOLLOUT)

    def _connected(self, sock: socket.socket) -> None:
        self._count += 1
        try:
            sock.send(self._request)
        except OSError:  # refused, unreachable, timed out
            self._part(sock)
            return
        if self._count % ABORT_EVERY == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self._part(sock)
        else:
            self._hold(sock, lambda: self._swallow(sock))


class Knocks:
    """Connections to a closed port: a SYN, and the reset that answers it."""

    def __init__(self, connects: Iterator[Connect]) -> None:
        self._connects = connects
        self._waiting: list[socket.socket] = []

    def emit(self, count: int) -> None:
        if count:
            self.close()
            self._waiting = [next(self._connects)() for _ in range(count)]

    def close(self) -> None:
        for sock in self._waiting:
            sock.close()
