"""Senders and servers without connections: prepared packets and frames, UDP requests and replies."""

import socket
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle

from bpftop.demo.reactor import READS_PER_TURN, Reactor, receive_from, send_or_lose, swallow_datagrams

Turn = tuple[socket.socket, bytes | memoryview]


class PacketSender:
    """Sends prepared packets in turn, each on its own socket, and discards replies on these sockets."""

    def __init__(self, reactor: Reactor, turns: Sequence[Turn]) -> None:
        self._turns = cycle(turns)
        self._sink = Sink(reactor, list(dict.fromkeys(sock for sock, _ in turns)))

    def emit(self, count: int) -> None:
        for _ in range(count):
            send_or_lose(*next(self._turns))

    def close(self) -> None:
        self._sink.close()


class FrameSender:
    """Sends prepared frames in turn on an AF_PACKET socket, which several senders share and close."""

    def __init__(self, wire: socket.socket, frames: Sequence[bytes]) -> None:
        self._wire = wire
        self._frames = cycle(frames)

    def emit(self, count: int) -> None:
        for _ in range(count):
            send_or_lose(self._wire, next(self._frames))

    def close(self) -> None:
        self._wire.close()


class Sink:
    """Sockets whose datagrams are discarded. Without them the kernel would answer "unreachable"."""

    def __init__(self, reactor: Reactor, sockets: Sequence[socket.socket]) -> None:
        self._reactor = reactor
        self._sockets = sockets
        for sock in sockets:
            reactor.watch(sock, partial(swallow_datagrams, sock))

    def close(self) -> None:
        for sock in self._sockets:
            self._reactor.drop(sock)


class UdpServer:
    """A UDP server: it answers a request with `replies` datagrams, whose payloads come from `payloads`."""

    def __init__(
        self,
        reactor: Reactor,
        sockets: Sequence[socket.socket],
        payloads: Iterator[bytes | memoryview],
        replies: int,
    ) -> None:
        self._reactor = reactor
        self._sockets = sockets
        self._payloads = payloads
        self._replies = replies
        for sock in sockets:
            reactor.watch(sock, partial(self._readable, sock))

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(READS_PER_TURN):
            peer = receive_from(sock)
            if peer is None:
                return
            for _ in range(self._replies):
                send_or_lose(sock, next(self._payloads), peer)

    def close(self) -> None:
        for sock in self._sockets:
            self._reactor.drop(sock)
