"""Sockets in trouble are listed only while counters say that there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import Netstat
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.tcp_sockets import ConnectingSockets
from bpftop.kernel.net.sock_diag import TcpSocket


class ListedSockets:
    """A SockDiag that returns fixed sockets and counts its calls."""

    def __init__(self, sockets: Sequence[TcpSocket]) -> None:
        self.sockets, self.calls = sockets, 0

    def tcp_sockets(self, *states: int) -> list[TcpSocket]:
        self.calls += 1
        return list(self.sockets)


def connecting(retransmits: int) -> TcpSocket:
    return TcpSocket(4, "10.0.0.9", 443, 7, retransmits, 0, 1, False)


def count(netstat: Netstat, syns: int) -> None:
    """Let a reading of /proc/net/netstat count so many SYNs that were sent again."""
    tree = netstat.tree
    tree.proc_net.mkdir(parents=True, exist_ok=True)
    (tree.proc_net / "netstat").write_text(f"TcpExt: TCPSynRetrans\nTcpExt: {syns}\n")
    netstat.read([])


def test_sockets_are_listed_after_the_counter_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path)
    netstat = Netstat(tree)
    collector = ConnectingSockets(tree, netstat)
    diag = ListedSockets([connecting(0)])
    monkeypatch.setattr(type(collector), "diag", diag)
    monkeypatch.setattr("bpftop.collect.sockets.tcp_sockets._REST", 0)
    with pytest.raises(Unavailable, match="netstat is not read"):
        collector.list_sockets()
    count(netstat, 5)
    assert collector.list_sockets() == []
    assert collector.list_sockets() == []
    assert diag.calls == 1  # the first look, and none while the counter rests
    count(netstat, 6)
    diag.sockets = [connecting(0), connecting(2)]
    assert collector.list_sockets() == [connecting(2)]
    assert collector.list_sockets() == [connecting(2)]  # until none is left
    diag.sockets = []
    assert collector.list_sockets() == []
    assert collector.list_sockets() == []
    assert diag.calls == 4
