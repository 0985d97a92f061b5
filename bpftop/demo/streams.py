"""TCP clients and servers: bulk flows in both directions, short connections, resets."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from select import EPOLLIN, EPOLLOUT

from bpftop.demo.event_loop import Reactor, swallow_stream

MSS_BYTES = {4: 1448, 6: 1428}  # TCP payload of a 1514-byte frame with timestamps, by IP version
ABORT_EVERY = 12  # every 12th short connection ends with a reset by the client
_LINGER_RESET = struct.pack("ii", 1, 0)

Connect = Callable[[], socket.socket]


class TcpSockets:
    """The open sockets of a client or server, which are closed together."""

    def __init__(self, reactor: Reactor, listeners: tuple[socket.socket, ...] = ()) -> None:
        self._reactor = reactor
        self._open: set[socket.socket] = set()
        for listener in listeners:
            self._watch(listener, partial(self._accept, listener))

    def _watch(self, sock: socket.socket, callback: Callable[[], object], events: int = EPOLLIN) -> None:
        self._open.add(sock)
        self._reactor.watch(sock, callback, events)

    def _close(self, sock: socket.socket) -> None:
        self._open.discard(sock)
        self._reactor.drop(sock)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            sock.setblocking(False)
            self._accepted(sock)

    def _accepted(self, sock: socket.socket) -> None:
        self._watch(sock, lambda: self._swallow(sock))

    def _swallow(self, sock: socket.socket) -> None:
        """Read and discard; close the socket when the peer has finished."""
        if not swallow_stream(sock):
            self._close(sock)

    def close(self) -> None:
        for sock in tuple(self._open):
            self._close(sock)


class Upload:
    """A client of bulk flows: sends `count` full segments at a time, and reconnects after `life` segments."""

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
        except OSError:  # the connection broke: reconnect
            self._left = 0
        if self._left <= 0:
            self._sock.close()
            self._sock = self._connect()
            self._left = self._life

    def close(self) -> None:
        self._sock.close()


class DownloadServer(TcpSockets):
    """A server of bulk flows: sends full segments to its connections in turn; each is closed after `life` segments."""

    def __init__(self, reactor: Reactor, listeners: tuple[socket.socket, ...], payload: memoryview, life: int) -> None:
        super().__init__(reactor, listeners)
        self._payload = payload
        self._life = life
        self._left: dict[socket.socket, int] = {}

    def _accepted(self, sock: socket.socket) -> None:
        super()._accepted(sock)
        self._left[sock] = self._life

    def _close(self, sock: socket.socket) -> None:
        self._left.pop(sock, None)
        super()._close(sock)

    def emit(self, count: int) -> None:
        if not count or not self._left:
            return
        sock, left = next(iter(self._left.items()))
        try:
            segment_bytes = MSS_BYTES[6 if sock.family == socket.AF_INET6 else 4]
            sock.send(self._payload[: count * segment_bytes])
        except BlockingIOError:
            count = 0
        except OSError:  # the connection broke: close it
            count = left
        del self._left[sock]  # it is inserted again at the end
        if left > count:
            self._left[sock] = left - count
        else:
            self._close(sock)


class DownloadClients(TcpSockets):
    """The clients of `DownloadServer`: `emit` reopens connections that the server closed."""

    def __init__(self, reactor: Reactor, connects: tuple[Connect, ...]) -> None:
        super().__init__(reactor)
        self._closed = list(connects)

    def emit(self, count: int) -> None:
        connects, self._closed = self._closed, []
        for connect in connects:
            sock = connect()
            self._watch(sock, partial(self._readable, sock, connect))

    def _readable(self, sock: socket.socket, connect: Connect) -> None:
        self._swallow(sock)
        if sock not in self._open:
            self._closed.append(connect)


class WebServer(TcpSockets):
    """A server of short connections: reads a request, sends a page, and closes."""

    def __init__(self, reactor: Reactor, listeners: tuple[socket.socket, ...], pages: Iterator[memoryview]) -> None:
        super().__init__(reactor, listeners)
        self._pages = pages

    def _accepted(self, sock: socket.socket) -> None:
        self._watch(sock, lambda: self._readable(sock))

    def _readable(self, sock: socket.socket) -> None:
        self._swallow(sock)
        if sock in self._open:
            with suppress(OSError):  # the client has gone
                sock.send(next(self._pages))
            self._close(sock)


class WebClient(TcpSockets):
    """A client of short connections: sends a request and reads the page; some connections it resets."""

    def __init__(self, reactor: Reactor, connects: Iterator[Connect], request: bytes) -> None:
        super().__init__(reactor)
        self._connects = connects
        self._request = request
        self._count = 0

    def emit(self, count: int) -> None:
        for _ in range(count):
            sock = next(self._connects)()
            self._watch(sock, partial(self._connected, sock), EPOLLOUT)

    def _connected(self, sock: socket.socket) -> None:
        self._count += 1
        try:
            sock.send(self._request)
        except OSError:  # refused, unreachable, timed out
            self._close(sock)
            return
        if self._count % ABORT_EVERY == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self._close(sock)
        else:
            self._watch(sock, lambda: self._swallow(sock))


class ClosedPortConnects:
    """Connections to a closed port: each is a SYN and the reset that answers it."""

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
