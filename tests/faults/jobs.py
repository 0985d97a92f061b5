"""More jobs for workers: servers, clients and bad habits. Each returns what it did and its own CPU time."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import subprocess
import time

from bpftop.demo.faults.jobs import READ_BYTES, TICK_S, drain, family_of_address, tcp_listener, udp_socket
from bpftop.demo.faults.worker import JobResult, Orders

IP_BIND_ADDRESS_NO_PORT = 24  # include/uapi/linux/in.h: the port is chosen when connecting, four times as many fit
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger


def answer_udp(orders: Orders, _: bytes, *, address: str, port: int, size_bytes: int, answers: int = 1) -> JobResult:
    """Answers every datagram that comes to a port with one of this size: an authoritative DNS server.

    It takes the CPU from all ordinary processes. A server that waits for other tests overflows its socket, and is right
    to be named.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    buffer, answer = bytearray(2048), bytes(size_bytes)
    answered = 0

    def take(sock: socket.socket) -> None:
        nonlocal answered
        peer = sock.recvfrom_into(buffer)[1]
        for _turn in range(answers):
            sock.sendto(answer, peer)
        answered += 1

    drain(orders, [udp_socket(address, port)], take)
    return {"answered": answered, "cpu_s": time.process_time()}


def resolve(orders: Orders, _: bytes, *, address: str, upstream: str, size_bytes: int) -> JobResult:
    """Asks upstream what it was asked, and hands the answers back in the order of the questions: a resolver."""
    buffer, question, answer = bytearray(2048), bytes(50), bytes(size_bytes)
    service, outward = udp_socket(address, 53), udp_socket(address, 0)
    asked: list[tuple[str, int]] = []
    done = 0

    def take(sock: socket.socket) -> None:
        nonlocal done
        peer = sock.recvfrom_into(buffer)[1]
        if sock is service:
            asked.append(peer)
            outward.sendto(question, (upstream, 53))
        elif done < len(asked):
            service.sendto(answer, asked[done])
            done += 1

    drain(orders, [service, outward], take)
    return {"asked": len(asked), "answered": done, "cpu_s": time.process_time()}


def serve_short(
    orders: Orders, _: bytes, *, address: str, port: int, size_bytes: int, backlog: int = 4096
) -> JobResult:
    """Accepts, reads a request, answers and closes; what the client resets is closed too."""
    listener = tcp_listener(address, port, backlog)
    answer = bytes(size_bytes)
    waiting: list[socket.socket] = []
    served = reset = 0
    orders.wait()
    while not orders.over(TICK_S / 2):
        try:
            while True:
                stream, _peer = listener.accept()
                stream.setblocking(False)
                waiting.append(stream)
        except BlockingIOError:
            pass
        still = []
        for stream in waiting:
            try:
                if stream.recv(2048):
                    stream.send(answer)
                    served += 1
                stream.close()
            except BlockingIOError:
                still.append(stream)
            except ConnectionError:
                stream.close()
                reset += 1
        waiting = still
    return {"served": served, "reset": reset, "cpu_s": time.process_time()}


def visit(
    orders: Orders, _: bytes, *, sources: list[str], address: str, port: int, per_sec: float, reset: bool
) -> JobResult:
    """Open connections at a rate, send a request on each, and close it after the answer.

    ``reset``: send no request and close by a reset at once. A tick takes all connections one step further.
    """
    opened = answered = failed = 0
    connecting: list[socket.socket] = []
    asking: list[socket.socket] = []
    orders.wait()
    began_s = time.monotonic()
    while not orders.over(TICK_S):
        still = []
        for stream in asking:
            try:
                answered += bool(stream.recv(READ_BYTES))
                stream.close()
            except BlockingIOError:
                still.append(stream)
            except ConnectionError:
                stream.close()
                failed += 1
        asking = still
        for stream in connecting:
            try:
                if reset:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                    stream.close()
                else:
                    stream.send(b"GET / HTTP/1.0\r\n\r\n")
                    asking.append(stream)
            except (BlockingIOError, ConnectionError):
                stream.close()
                failed += 1
        connecting = []
        for _turn in range(min(int((time.monotonic() - began_s) * per_sec) - opened, 200)):
            connecting.append(_connecting(sources[opened % len(sources)], address, port))
            opened += 1
    return {"opened": opened, "answered": answered, "failed": failed, "cpu_s": time.process_time()}


def _connecting(source: str, address: str, port: int) -> socket.socket:
    stream = socket.socket(family_of_address(address), socket.SOCK_STREAM)
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    stream.bind((source, 0))
    stream.connect_ex((address, port))
    return stream


def send_anyway(orders: Orders, _: bytes, *, address: str, port: int, per_sec: float) -> JobResult:
    """Send datagrams at a rate; the kernel may refuse all of them."""
    sock = socket.socket(family_of_address(address), socket.SOCK_DGRAM)
    sent = refused = 0
    orders.wait()
    while not orders.over(1 / per_sec):
        try:
            sock.sendto(bytes(64), (address, port))
            sent += 1
        except OSError:
            refused += 1
    return {"sent": sent, "refused": refused, "cpu_s": time.process_time()}


def flap_link(orders: Orders, _: bytes, *, interface: str, period_s: float) -> JobResult:
    """Switch an interface off and on again, once a period; it is on at the end."""
    flaps = 0
    orders.wait()
    try:
        while not orders.over(period_s / 2):
            subprocess.run(["ip", "link", "set", interface, "up" if flaps % 2 else "down"], check=True)
            flaps += 1
    finally:
        subprocess.run(["ip", "link", "set", interface, "up"], check=True)
    return {"flaps": flaps, "cpu_s": time.process_time()}


def connect_in_vain(orders: Orders, _: bytes, *, address: str, port: int, per_sec: float) -> JobResult:
    """Open connections at a rate and keep the sockets, answered or not, 200 at most."""
    streams: list[socket.socket] = []
    opened = 0
    orders.wait()
    while not orders.over(1 / per_sec):
        streams.append(_connecting("0.0.0.0", address, port))
        opened += 1
        if len(streams) > 200:
            streams.pop(0).close()
    return {"opened": opened, "cpu_s": time.process_time()}


def ask_udp(orders: Orders, _: bytes, *, address: str, port: int, per_sec: float) -> JobResult:
    """Ask at a rate, and read whatever is answered."""
    sock = udp_socket("0.0.0.0", 0)
    buffer = bytearray(2048)
    asked = answered = 0
    orders.wait()
    began_s = time.monotonic()
    while not orders.over(TICK_S):
        for _turn in range(int((time.monotonic() - began_s) * per_sec) - asked):
            sock.sendto(bytes(30), (address, port))
            asked += 1
        try:
            while True:
                sock.recv_into(buffer)
                answered += 1
        except BlockingIOError:
            pass
    return {"asked": asked, "answered": answered, "cpu_s": time.process_time()}


def mount(orders: Orders, _: bytes, *, address: str, port: int, clients: int, per_sec: float) -> JobResult:
    """Open many connections in one moment, keep them, and open some more at a rate."""
    orders.wait()
    streams = [_connecting("0.0.0.0", address, port) for _client in range(clients)]
    opened = clients
    while not orders.over(1 / per_sec):
        _connecting("0.0.0.0", address, port).close()
        opened += 1
    return {"opened": opened, "kept": len(streams), "cpu_s": time.process_time()}


def use_up_ports(orders: Orders, _: bytes, *, address: str, port: int, connections: int) -> JobResult:
    """Open connections one after the other and close each at once, then wait."""
    orders.wait()
    opened = 0
    while opened < connections and not orders.over():
        socket.create_connection((address, port), timeout=5).close()
        opened += 1
    while not orders.over(0.1):
        pass
    return {"opened": opened, "cpu_s": time.process_time()}


def keep_connections(orders: Orders, _: bytes, *, address: str, port: int, connections: int) -> JobResult:
    """Open connections one after the other, and close none before the end."""
    orders.wait()
    streams: list[socket.socket] = []
    while not orders.over(0.002):
        if len(streams) < connections:
            streams.append(socket.create_connection((address, port), timeout=5))
    for stream in streams:
        stream.close()
    return {"opened": len(streams), "cpu_s": time.process_time()}


def upload_slowly(orders: Orders, _: bytes, *, address: str, port: int, per_sec: float, size_bytes: int) -> JobResult:
    """Open a connection at a rate, send a few bytes and then many, and keep the connections, 100 at most."""
    streams: list[socket.socket] = []
    opened = sent = 0
    orders.wait()
    while not orders.over(1 / per_sec):
        stream = socket.socket(family_of_address(address), socket.SOCK_STREAM)
        stream.settimeout(1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.connect((address, port))
        stream.send(bytes(100))
        stream.setblocking(False)
        sent += stream.send(bytes(size_bytes))
        streams.append(stream)
        opened += 1
        if len(streams) > 100:
            streams.pop(0).close()
    for stream in streams:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        stream.close()
    return {"opened": opened, "bytes": sent, "cpu_s": time.process_time()}


def answer_with_restarts(
    orders: Orders, _: bytes, *, address: str, port: int, every_s: float, pause_s: float
) -> JobResult:
    """Answer datagrams, and close the socket for a moment now and then."""
    answered = restarts = 0
    orders.wait()
    while not orders.over():
        sock, end_s = udp_socket(address, port), time.monotonic() + every_s
        while time.monotonic() < end_s and not orders.over():
            for ready in select.select([sock], [], [], 0.05)[0]:
                sock.sendto(bytes(80), ready.recvfrom(2048)[1])
                answered += 1
        sock.close()
        restarts += 1
        orders.over(pause_s)
    return {"answered": answered, "restarts": restarts, "cpu_s": time.process_time()}


def pour_udp(orders: Orders, _: bytes, *, address: str, port: int, size_bytes: int, per_sec: float) -> JobResult:
    """Send datagrams at a rate. A datagram that a full queue refuses is lost."""
    sock = socket.socket(family_of_address(address), socket.SOCK_DGRAM)
    sock.connect((address, port))
    payload = bytes(size_bytes)
    sent = refused = 0
    orders.wait()
    began_s = time.monotonic()
    while not orders.over(TICK_S):
        for _turn in range(int((time.monotonic() - began_s) * per_sec) - sent - refused):
            try:
                sock.send(payload)
                sent += 1
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                refused += 1
    return {"sent": sent, "refused": refused, "cpu_s": time.process_time()}
