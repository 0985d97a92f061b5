"""Sockets in trouble are listed only while counters say that there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

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


def netstat(tree: Tree, count: int) -> None:
    tree.proc_net.mkdir(parents=True, exist_ok=True)
    (tree.proc_net / "netstat").write_text(f"TcpExt: TCPSynRetrans\nTcpExt: {count}\n")


def test_sockets_are_listed_after_the_counter_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(tmp_path)
    netstat(tree, 5)
    collector = ConnectingSockets(tree)
    diag = ListedSockets([connecting(0)])
    monkeypatch.setattr(type(collector), "diag", diag)
    assert collector.list_sockets() == []
    assert collector.list_sockets() == []
    assert diag.calls == 1  # the first look, and none while the counter rests
    netstat(tree, 6)
    diag.sockets = [connecting(0), connecting(2)]
    assert collector.list_sockets() == [connecting(2)]
    assert collector.list_sockets() == [connecting(2)]  # until none is left
    diag.sockets = []
    assert collector.list_sockets() == []
    assert collector.list_sockets() == []
    assert diag.calls == 4
