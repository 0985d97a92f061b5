"""Drops of UDP sockets from /proc/net/udp and udp6, and the processes that hold sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.listen_sockets import ListenSockets
from bpftop.collect.sockets.owners import SocketOwners
from bpftop.collect.sockets.udp_sockets import UdpSockets
from bpftop.model.sample import Key

from .recorded import copied, moment, read, rewrite, tree, unreadable

HEADER = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops\n"
)


def line(port: int, inode: int, drops: int) -> str:
    return f"  7: 0100007F:{port:04X} 00000000:0000 07 0:0 00:0 0     0        0 {inode} 2 0000000000000000 {drops}\n"


def sockets(where: Tree, *rows: tuple[int, int, int]) -> None:
    rewrite(where, "net/udp", HEADER + "".join(line(*row) for row in rows))


def hold(where: Tree, pid: int, comm: bytes, *inodes: int) -> None:
    process = where.proc / str(pid)
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_bytes(comm + b"\n")
    (process / "fd/0").symlink_to("/dev/null")
    for number, inode in enumerate(inodes, 3):
        (process / "fd" / str(number)).symlink_to(f"socket:[{inode}]")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("new", {(4, "127.0.0.1", 5353): 37, (6, "::1", 5353): 37}),
        ("old", {(4, "127.0.0.1", 514): 4560, (4, "192.168.1.10", 4500): 4000000000, (6, "2001:db8::1", 5353): 9}),
        ("wide", {(4, "10.0.0.1", 20017): 3, (4, "10.0.0.1", 20180): 3}),  # without IPv6
    ],
)
def test_sockets_with_drops(name: str, rows: dict[Key, int]) -> None:
    totals = read(UdpSockets(tree(name)))["udp_sockets"].totals
    assert {key[:3]: row[0] for key, row in totals.items()} == rows
    assert {key[4] for key in totals} == {""}


def test_gains_a_wrap_and_a_new_socket() -> None:
    with copied("old") as where:
        collector = UdpSockets(where)
        sockets(where, (53, 100, 2**32 - 2), (54, 101, 0))
        first = read(collector)
        sockets(where, (53, 100, 3), (54, 101, 7), (55, 102, 4))
        second = read(collector)
    signal = moment(first, second).reading("udp_sockets")
    assert signal is not None
    assert {key[2]: signal.gained(key, "drops") for key in signal.keys} == {53: 5, 54: 7, 55: 4}


def test_the_process_and_no_second_search() -> None:
    with copied("old") as where:
        sockets(where, (53, 100, 1), (54, 101, 2))
        hold(where, 812, b"dnsmasq", 100)
        hold(where, 31, b"odd \xff]", 7, 101)
        collector = UdpSockets(where)
        first = read(collector)
        (where.proc / "812/comm").write_bytes(b"renamed\n")
        second = read(collector)
    keys = {key[3]: key[4] for key in second["udp_sockets"].keys}
    assert keys == {100: "dnsmasq[812]", 101: "odd �][31]"}
    assert first["udp_sockets"].keys is second["udp_sockets"].keys
    assert first["udp_sockets"].epoch == second["udp_sockets"].epoch


def test_a_process_found_later_is_no_burst_of_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    with copied("old") as where:
        collector = UdpSockets(where)
        now_ns = 10**9
        monkeypatch.setattr("bpftop.collect.sockets.owners.time.monotonic_ns", lambda: now_ns)
        sockets(where, (53, 100, 1))
        hold(where, 812, b"dnsmasq", 100, 101)
        read(collector)
        collector._owners._rest_until_ns = now_ns + 1  # as after a search of a large machine
        sockets(where, (53, 100, 1), (54, 101, 900))
        waiting = read(collector)
        now_ns += 1
        named = read(collector)
    assert [key[4] for key in waiting["udp_sockets"].keys] == ["dnsmasq[812]", ""]
    assert [key[4] for key in named["udp_sockets"].keys] == ["dnsmasq[812]", "dnsmasq[812]"]
    signal = moment(waiting, named).reading("udp_sockets")
    assert signal is not None
    assert [signal.gained(key, "drops") for key in signal.keys] == [None, None]


def test_the_first_of_several_holders(tmp_path: Path) -> None:
    where = Tree(tmp_path)
    for pid in (900, 1000, 20):
        hold(where, pid, b"nginx", 5)
    hold(where, 1, b"systemd", 5, 7)
    owners = SocketOwners(where.proc)
    assert owners.labels([5, 6, 7]) == {5: "nginx[20]", 6: "", 7: "systemd[1]"}
    assert SocketOwners(tmp_path / "none").labels([5]) == {5: ""}


def test_a_socket_that_comes_and_goes_is_searched_for_once(tmp_path: Path) -> None:
    where = Tree(tmp_path)
    hold(where, 20, b"nginx", 5)
    owners = SocketOwners(where.proc)
    owners.labels([5])
    owners.labels([])
    (where.proc / "20/fd/3").unlink()
    owners._rest_until_ns = 0  # a search is due, and would find no process
    assert owners.labels([5]) == {5: "nginx[20]"}


def test_no_file_of_ipv6_and_none_at_all() -> None:
    with copied("old", "net/udp") as where:
        assert len(read(UdpSockets(where))["udp_sockets"].keys) == 2
        (where.proc_net / "udp").unlink()
        with pytest.raises(Unavailable, match=r"drops of UDP sockets: cannot read .*No such file"):
            read(UdpSockets(where))


def test_an_unreadable_half_is_not_taken_for_the_whole() -> None:
    with (
        copied("old", "net/udp", "net/udp6") as where,
        unreadable(where.proc_net / "udp6"),
        pytest.raises(Unavailable, match="udp6: Permission denied"),
    ):
        read(UdpSockets(where))


@pytest.mark.parametrize(
    "row", ["x\n", "0: 0100007F:0035 1\n", line(1, 2, 3).replace("0100007F", "0100007G"), "\xff 1\n"]
)
def test_garbage_is_a_sentence(row: str) -> None:
    with copied("old") as where:
        rewrite(where, "net/udp", HEADER + row)
        with pytest.raises(Unavailable, match="/proc/net/udp is not understood"):
            read(UdpSockets(where))


def test_accept_queues_are_in_no_recorded_file() -> None:
    with pytest.raises(Unavailable, match="accept queues: they come by netlink"):
        read(ListenSockets(tree("new")))
