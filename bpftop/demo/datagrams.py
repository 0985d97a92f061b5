"""Senders and servers without connections: prepared packets and frames, UDP requests and replies."""

import socket
from collections.abc import Sequence
from functools import partial
from itertools import cycle, islice

from bpftop.demo.event_loop import READS_PER_TURN, Reactor, receive_from, send_or_lose


class DatagramServer:
    """Sockets on which each datagram is answered by `replies` datagrams with these payloads in turn.

    By default datagrams are only discarded: without a socket the kernel would answer "unreachable".
    """

    def __init__(
        self, reactor: Reactor, sockets: Sequence[socket.socket], payloads: Sequence[memoryview] = (), replies: int = 0
    ) -> None:
        self._reactor = reactor
        self._sockets = sockets
        self._payloads = cycle(payloads)
        self._replies = replies
        for sock in sockets:
            reactor.watch(sock, partial(self._readable, sock))

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(READS_PER_TURN):
            peer = receive_from(sock)
            if peer is None:
                return
            for payload in islice(self._payloads, self._replies):
                send_or_lose(sock, payload, peer)

    def close(self) -> None:
        for sock in self._sockets:
            self._reactor.drop(sock)


class PacketSender(DatagramServer):
    """Sends prepared packets or frames in turn, each on its own socket, and discards replies on these sockets."""

    def __init__(self, reactor: Reactor, turns: Sequence[tuple[socket.socket, bytes | memoryview]]) -> None:
        super().__init__(reactor, list(dict.fromkeys(sock for sock, _ in turns)))
        self._turns = cycle(turns)

    def emit(self, count: int) -> None:
        for _ in range(count):
            send_or_lose(*next(self._turns))
