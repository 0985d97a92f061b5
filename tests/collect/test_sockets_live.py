"""Sockets with drops or waiting connections in a private namespace, with the processes that hold them."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from unittest.mock import patch

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Netstat, Snmp, Snmp6
from bpftop.collect.procfs.sysctls import Sysctls
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.listen_sockets import ListenSockets
from bpftop.collect.sockets.udp_sockets import UdpSockets
from bpftop.kernel.net import sock_diag
from bpftop.kernel.netns import inside, unshare_network
from bpftop.model.readings import Reading
from bpftop.model.sample import Key
from tests.bpf.devices import Lab
from tests.waiting import LIMIT_S, until

from .recorded import moment, read, unprivileged

pytestmark = pytest.mark.bpf

HOLDER = """
import socket, sys
family, kind, address, queue = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
held = socket.socket(family, kind)
held.bind((address, 0))
if kind == socket.SOCK_STREAM:
    held.listen(queue)
else:
    held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, queue)
print(held.getsockname()[1], flush=True)
if not sys.stdin.readline():
    sys.exit()
if kind == socket.SOCK_STREAM:
    held.accept()
else:
    held.setblocking(False)
    received = 0
    try:
        while held.recv(4096):
            received += 1
    except BlockingIOError:
        print(received, flush=True)
sys.stdin.read()
"""
Rows = dict[Key, tuple[int | None, ...]]
VERSIONS = [(4, socket.AF_INET, "127.0.0.1"), (6, socket.AF_INET6, "::1")]


@pytest.fixture
def namespace() -> Iterator[str]:
    """Yield the path of a new namespace, with lo up."""
    made: list[int] = []

    def make() -> None:
        unshare_network()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    (fd,) = made
    yield f"/proc/self/fd/{fd}"
    os.close(fd)


class Holder:
    """Another process with one socket in the namespace of the calling thread."""

    def __init__(self, family: int, kind: int, address: str, queue: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(family), str(int(kind)), address, str(queue)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self.number()
        comm = Path(f"/proc/{self._process.pid}/comm").read_text().strip()
        self.label = f"{comm}[{self._process.pid}]"

    def number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.communicate()


def flood(family: int, address: str, port: int, count: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(bytes(500), (address, port))


@pytest.mark.parametrize(("version", "family", "address"), VERSIONS)
def test_datagrams_dropped_at_a_socket(namespace: str, version: int, family: int, address: str) -> None:
    with inside(namespace), ExitStack() as stack:
        full = stack.enter_context(closing(Holder(family, socket.SOCK_DGRAM, address, 4096)))
        calm = stack.enter_context(closing(Holder(family, socket.SOCK_DGRAM, address, 65536)))
        collector = stack.enter_context(closing(UdpSockets(Tree())))
        before = read(collector)
        flood(family, address, full.port, 60)
        flood(family, address, calm.port, 1)
        after = read(collector)
        full.go()
        dropped = 60 - full.number()
    assert before["udp_sockets"].keys == ()
    assert dropped > 0
    signal = moment(before, after).reading("udp_sockets")
    assert signal is not None
    assert [(key[:3], key[4]) for key in signal.keys] == [((version, address, full.port), full.label)]
    assert signal.gained(signal.keys[0], "drops") == dropped


def test_two_dropping_sockets_among_many(namespace: str) -> None:
    """More answers than one block: only blocks without drops are skipped."""
    with inside(namespace), ExitStack() as stack:
        sockets = []
        for number in range(500):
            receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            receiver.bind(("127.0.0.1", 0))
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048 if number in (3, 250) else 65536)
            sockets.append(receiver)
        for receiver in (sockets[3], sockets[250], sockets[499]):
            flood(socket.AF_INET, "127.0.0.1", receiver.getsockname()[1], 20)
        collector = stack.enter_context(closing(UdpSockets(Tree())))
        reading = read(collector)["udp_sockets"]
        inodes = {os.fstat(sockets[at].fileno()).st_ino for at in (3, 250)}
        calls = count_bodies(collector)
    assert {key[3] for key in reading.keys} == inodes
    assert {str(key[4]).endswith(f"[{os.getpid()}]") for key in reading.keys} == {True}
    assert calls < 500


def count_bodies(collector: UdpSockets) -> int:
    """Return how many answers are parsed singly."""
    return len(list(collector.diag._dump(socket.IPPROTO_UDP, 0xFFFFFFFF, sock_diag._no_drops)))


def test_the_files_have_the_same_rows_as_sock_diag(namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with inside(namespace), ExitStack() as stack:
        for _, family, address in VERSIONS:
            holder = stack.enter_context(closing(Holder(family, socket.SOCK_DGRAM, address, 2048)))
            flood(family, address, holder.port, 30)
        by_netlink = stack.enter_context(closing(UdpSockets(Tree())))
        rows = read(by_netlink)["udp_sockets"].totals
        monkeypatch.setattr(sock_diag, "NETLINK_SOCK_DIAG", 31)  # no such family: EPROTONOSUPPORT
        by_file = stack.enter_context(closing(UdpSockets(Tree())))
        assert read(by_file)["udp_sockets"].totals == rows
        listeners = stack.enter_context(closing(ListenSockets(Tree())))
        with pytest.raises(Unavailable, match="accept queues: cannot list sockets by sock_diag: EPROTONOSUPPORT"):
            read(listeners)
    assert len(rows) == 2


@pytest.mark.parametrize(("version", "family", "address"), VERSIONS)
def test_connections_that_wait(namespace: str, version: int, family: int, address: str) -> None:
    with inside(namespace), ExitStack() as stack:
        listener = stack.enter_context(closing(Holder(family, socket.SOCK_STREAM, address, 5)))
        stack.enter_context(closing(Holder(family, socket.SOCK_STREAM, address, 7)))  # nobody comes
        collector = stack.enter_context(closing(ListenSockets(Tree())))
        nobody = read(collector)["listen_sockets"]
        clients = [
            stack.enter_context(socket.create_connection((address, listener.port), timeout=LIMIT_S)) for _ in range(3)
        ]
        waiting = read(collector)["listen_sockets"]
        listener.go()
        accepted = until(lambda: holding(read(collector)["listen_sockets"].totals, (2, 5)), "two connections wait")
    assert len(clients) == 3
    assert nobody.keys == ()
    assert [(key[:3], key[4]) for key in waiting.keys] == [((version, address, listener.port), listener.label)]
    assert list(waiting.totals.values()) == [(3, 5)]
    assert list(accepted) == list(waiting.totals)


def test_without_privilege_processes_are_hidden(namespace: str) -> None:
    with inside(namespace), ExitStack() as stack:
        dropping = stack.enter_context(closing(Holder(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", 2048)))
        listener = stack.enter_context(closing(Holder(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 5)))
        flood(socket.AF_INET, "127.0.0.1", dropping.port, 30)
        stack.enter_context(socket.create_connection(("127.0.0.1", listener.port), timeout=LIMIT_S))
        collectors = [stack.enter_context(closing(kind(Tree()))) for kind in (UdpSockets, ListenSockets)]
        with unprivileged():
            keys = [key for collector in collectors for reading in read(collector).values() for key in reading.keys]
    assert [(key[2], key[4]) for key in keys] == [(dropping.port, ""), (listener.port, "")]


def test_a_thread_reads_the_namespace_that_it_entered(namespace: str) -> None:
    """/proc/net belongs to the process's first thread, which stays in its namespace."""
    entered: dict[str, int | None] = {}

    def read_inside() -> None:
        with inside(namespace):
            Path("/proc/sys/net/core/somaxconn").write_text("77\n")
            flood(socket.AF_INET, "127.0.0.1", 9, 3)  # nobody listens
            entered.update(values())

    def values() -> dict[str, int | None]:
        readings = {**read(Snmp(Tree())), **read(Sysctls(Tree()))}
        return {str(key[0]): row[0] for reading in readings.values() for key, row in reading.totals.items()}

    thread = threading.Thread(target=read_inside)
    thread.start()
    thread.join()
    outside = values()
    assert (entered["UdpOutDatagrams"], entered["UdpNoPorts"], entered["net.core.somaxconn"]) == (3, 3, 77)
    assert outside["net.core.somaxconn"] != 77
    assert "net.core.netdev_max_backlog" in outside


def holding(rows: Rows, row: tuple[int, ...]) -> Rows | None:
    """Return the rows if ``row`` is among their values."""
    return rows if row in rows.values() else None


def test_connections_whose_segments_are_not_acknowledged(lab: Lab) -> None:
    lab.veth()
    diag = sock_diag.SockDiag()
    with closing(diag), ExitStack() as stack:
        with lab.inside(lab.far):
            listener = stack.enter_context(socket.create_server(("198.18.5.2", 0)))
        port = listener.getsockname()[1]
        streams = [stack.enter_context(socket.create_connection(("198.18.5.2", port))) for _ in range(3)]
        assert diag.timed_out_sockets(2) == []  # all in one block that is not parsed
        for stream in streams[:2]:
            stream.send(bytes(100))
        until(lambda: all(peer_has_all(stream) for stream in streams), "the peer acknowledges")
        with lab.inside(lab.far):
            lab.ip("address delete 198.18.5.2/24 dev v1")
        streams[0].send(bytes(5000))
        until(lambda: len(diag.timed_out_sockets(2)) == 1, "two timers have expired")
        (stuck,) = diag.timed_out_sockets(2)
    assert stuck[:3] == (4, "198.18.5.2", port)
    assert (stuck.segment_bytes, stuck.acked_bytes, stuck.queued_bytes, stuck.path_mtu) == (1448, 101, 5000, 1500)
    assert stuck.peer_acked_bytes == 101
    assert stuck.retransmits >= 2
    assert stuck.since_ack_ms > stuck.timer_ms / 4


def peer_has_all(stream: socket.socket) -> bool:
    """Return True if all that was sent is acknowledged (SIOCOUTQ)."""
    return fcntl.ioctl(stream, termios.TIOCOUTQ, bytes(4)) == bytes(4)


def test_sockets_are_listed_when_counters_move(namespace: str) -> None:
    """The rows of the last list stay; a drop, or a queue that fills, is seen at once."""
    tree = Tree()
    with inside(namespace), ExitStack() as stack:
        snmp, snmp6, netstat = (stack.enter_context(closing(kind(tree))) for kind in (Snmp, Snmp6, Netstat))
        udp = stack.enter_context(closing(UdpSockets(tree, snmp, snmp6)))
        listeners = stack.enter_context(closing(ListenSockets(tree, netstat, snmp)))
        full = stack.enter_context(closing(Holder(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", 4096)))
        server = stack.enter_context(closing(Holder(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 1)))

        def after_counters(collector: UdpSockets | ListenSockets) -> tuple[Reading, bool]:
            """Read the counters, then the sockets: the reading, and whether the kernel was asked for a list."""
            for file in (snmp, snmp6, netstat):
                file.read(())
            with patch.object(collector, "list_again", wraps=collector.list_again) as asked:
                return read(collector)[collector.name], asked.called

        flood(socket.AF_INET, "127.0.0.1", 9, 3)  # before the first list: no sign of a closing after it
        assert after_counters(udp)[1]
        flood(socket.AF_INET, "127.0.0.1", 9, 1)
        assert after_counters(udp)[1]
        assert not after_counters(udp)[1]
        flood(socket.AF_INET, "127.0.0.1", full.port, 60)
        reading, was_listed = after_counters(udp)
        assert was_listed
        assert [key[2] for key in reading.keys] == [full.port]
        assert not after_counters(udp)[1]
        flood(socket.AF_INET, "127.0.0.1", 9, 1)  # no socket has this port: one may have closed
        assert after_counters(udp)[1]
        flood(socket.AF_INET, "127.0.0.1", 9, 2)  # goes on much like before: seen with the next list
        assert not after_counters(udp)[1]
        udp._due_ns = time.monotonic_ns()
        assert after_counters(udp)[1]
        flood(socket.AF_INET, "127.0.0.1", 9, 5)  # more than before: another one may have closed
        assert after_counters(udp)[1]

        assert after_counters(listeners)[1]
        assert not after_counters(listeners)[1]
        client = stack.enter_context(closing(socket.create_connection(("127.0.0.1", server.port))))
        reading, was_listed = after_counters(listeners)
        assert was_listed
        assert list(reading.totals.values()) == [(1, 1)]
        for _ in range(4):  # one more fits into the queue
            client = stack.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", server.port))
        reading, was_listed = after_counters(listeners)
        assert was_listed
        assert list(reading.totals.values()) == [(2, 1)]
        assert after_counters(listeners)[1]  # connections may be accepted without a counter


def test_sockets_may_rest_without_counters_of_ipv6(namespace: str) -> None:
    """Under ipv6.disable=1 there is no snmp6."""
    tree = Tree()
    with inside(namespace), closing(Snmp(tree)) as snmp, closing(Snmp6(tree)) as snmp6:
        snmp.read(())
        with closing(UdpSockets(tree, snmp, snmp6)) as udp:
            read(udp)
            listed_ns = udp.listed_ns
            read(udp)
            assert udp.listed_ns == listed_ns
