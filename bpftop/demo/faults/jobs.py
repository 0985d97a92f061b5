"""Jobs for workers: readers and senders of UDP and TCP. Each returns what it did and its own CPU time."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from bpftop.demo.faults.worker import JobResult, Orders

TICK_S = 0.004
READ_BYTES = 1 << 18
SO_RCVBUFFORCE = 33  # include/uapi/asm-generic/socket.h; beyond net.core.rmem_max


def family_of_address(address: str) -> socket.AddressFamily:
    """Return AF_INET6 for an address with colons, else AF_INET."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def udp_socket(address: str, port: int) -> socket.socket:
    """Open a bound UDP socket that does not block and has room for a burst."""
    sock = socket.socket(family_of_address(address), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sock.bind((address, port))
    sock.setblocking(False)
    return sock


def drain(orders: Orders, socks: list[socket.socket], take: Callable[[socket.socket], object]) -> None:
    """Call ``take`` for each datagram of all sockets until the order to end."""
    orders.wait()
    while not orders.over():
        for sock in select.select(socks, [], [], 0.05)[0]:
            try:
                for _turn in range(256):
                    take(sock)
            except BlockingIOError:
                continue
        time.sleep(TICK_S / 2)  # let some come together: one wake-up for many


def swallow_udp(orders: Orders, _: bytes, *, address: str, port: int) -> JobResult:
    """Read every datagram that comes to a port."""
    buffer = bytearray(1 << 16)
    received = 0

    def take(sock: socket.socket) -> None:
        nonlocal received
        sock.recv_into(buffer)
        received += 1

    drain(orders, [udp_socket(address, port)], take)
    return {"received": received, "cpu_s": time.process_time()}


def tcp_listener(address: str, port: int, backlog: int = 4096) -> socket.socket:
    """Open a listening TCP socket that does not block."""
    listener = socket.create_server((address, port), family=family_of_address(address), backlog=backlog)
    listener.setblocking(False)
    return listener


def swallow_tcp(orders: Orders, _: bytes, *, address: str, port: int) -> JobResult:
    """Accept connections, and read every byte."""
    poll = select.epoll()
    listener = tcp_listener(address, port)
    poll.register(listener, select.EPOLLIN)
    streams: dict[int, socket.socket] = {}
    buffer = bytearray(READ_BYTES)
    received = 0
    orders.wait()
    while not orders.over():
        for number, _events in poll.poll(0.05):
            if number == listener.fileno():
                stream, _peer = listener.accept()
                streams[stream.fileno()] = stream
                poll.register(stream, select.EPOLLIN)
                continue
            try:
                size = streams[number].recv_into(buffer)
            except ConnectionError:
                size = 0
            received += size
            if not size:
                streams.pop(number).close()  # which takes it out of the epoll set
    return {"bytes": received, "cpu_s": time.process_time()}


def pour_tcp(
    orders: Orders, _: bytes, *, address: str, port: int, flows: int, bytes_per_sec: float | None = None
) -> JobResult:
    """Write to ``flows`` connections, as much as they take or at a rate. They are open before the start."""
    streams = [socket.create_connection((address, port), timeout=5) for _flow in range(flows)]
    for stream in streams:
        stream.setblocking(False)
    block = memoryview(bytes(READ_BYTES))
    sent = 0
    orders.wait()
    began_s = time.monotonic()
    while not orders.over():
        due = READ_BYTES
        if bytes_per_sec is not None:
            due = int(bytes_per_sec * (time.monotonic() - began_s)) - sent
            if due < flows * 1448:
                orders.over(TICK_S)
                continue
        for stream in select.select([], streams, [], 0.05)[1]:
            try:
                sent += stream.send(block[: max(1448, due // flows)])
            except BlockingIOError:
                continue
            except ConnectionError:  # the other side has reset the connection
                streams.remove(stream)
    return {"bytes": sent, "elapsed_s": time.monotonic() - began_s, "cpu_s": time.process_time()}
