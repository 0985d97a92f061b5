"""The neighbour tables and the limits of the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.neighbours import Neighbours
from bpftop.collect.procfs.sysctls import SYSCTLS, Sysctls, machine_limits
from bpftop.collect.procfs.tree import Tree

from .recorded import copied, moment, read, rewrite, tree, unreadable

ARP, NDISC = "net/stat/arp_cache", "net/stat/ndisc_cache"
LIMIT = "sys/net/ipv4/neigh/default/gc_thresh3"


@pytest.mark.parametrize(
    ("name", "counters", "levels"),
    [
        (
            "new",
            {("arp_cache",): (0, 0, 0, 0x25), ("ndisc_cache",): (0, 0, 7, 0x1E)},
            {("arp_cache",): (2, 1024), ("ndisc_cache",): (3, 1024)},
        ),
        (
            "old",
            {("arp_cache",): (3, 3, 1, 9), ("ndisc_cache",): (0, 0, 0, 1)},
            {("arp_cache",): (37, 1024), ("ndisc_cache",): (6, 1024)},
        ),
        ("wide", {("arp_cache",): (64, 128, 0, 128)}, {("arp_cache",): (1500, 4096)}),  # without IPv6
    ],
)
def test_events_of_all_cpus_and_fill(name: str, counters: object, levels: object) -> None:
    readings = read(Neighbours(tree(name)))
    assert readings["neighbours"].totals == counters
    assert readings["neighbour_entries"].totals == levels


def test_gains() -> None:
    with copied("old", ARP, NDISC) as where:
        collector = Neighbours(where)
        rewrite(where, ARP, f"table_fulls entries\n{2**32 - 1:x} 5\n0 5\n")
        first = read(collector)
        rewrite(where, ARP, f"table_fulls entries\n{2**32 + 8:x} 6\n1 6\n")
        second = read(collector)
    signal = moment(first, second).reading("neighbours")
    assert signal is not None
    assert signal.gained(("arp_cache",), "table_fulls") == 10  # unsigned long: no wrap at 2^32
    assert signal.gained(("arp_cache",), "res_failed") is None
    assert signal.gained(("ndisc_cache",), "table_fulls") == 0
    assert second["neighbour_entries"].totals["arp_cache",] == (6, None)


def test_in_another_namespace_the_first_process_is_read() -> None:
    with copied("old") as where:
        with pytest.raises(Unavailable, match=r"neighbour tables: cannot read .*No such file"):
            read(Neighbours(where))
        rewrite(where, "1/net/stat/arp_cache", "entries table_fulls\n5 1\n")
        assert read(Neighbours(where))["neighbours"].totals == {("arp_cache",): (1, None, None, None)}


def test_unreadable_and_garbled() -> None:
    with copied("old", ARP) as where:
        with unreadable(where.proc / ARP), pytest.raises(Unavailable, match="arp_cache: Permission denied"):
            read(Neighbours(where))
        (where.proc / ARP).chmod(0o644)
        rewrite(where, ARP, "entries\nzz\n")
        with pytest.raises(Unavailable, match="/proc/net/stat/arp_cache is not understood"):
            read(Neighbours(where))


def test_limits() -> None:
    limits = read(Sysctls(tree("new")))["sysctls"].totals
    assert set(SYSCTLS) < {key[0] for key in limits}
    assert limits["net.core.netdev_max_backlog",] == (1000,)
    old = read(Sysctls(tree("old")))["sysctls"].totals
    assert [old[f"net.ipv4.tcp_mem.{part}",] for part in ("low", "pressure", "max")] == [
        (94584,),
        (126113,),
        (189168,),
    ]
    assert old["net.netfilter.nf_conntrack_buckets",] == (65536,)
    assert ("net.ipv6.conf.all.forwarding",) not in read(Sysctls(tree("wide")))["sysctls"].totals


def test_a_limit_that_is_no_number_has_no_row() -> None:
    with copied("old", LIMIT) as where:
        for name, text in (("core/somaxconn", "-1\n"), ("core/rmem_max", "x\n"), ("ipv4/tcp_mem", "1 2\n")):
            rewrite(where, f"sys/net/{name}", text)
        rewrite(where, "sys/net/core/wmem_max", "")
        assert read(Sysctls(where))["sysctls"].totals == {("net.ipv4.neigh.default.gc_thresh3",): (1024,)}
        with unreadable(where.proc / LIMIT), pytest.raises(Unavailable, match="limits of the network stack: none of"):
            read(Sysctls(where))


def test_an_entered_namespace_keeps_the_machines_limits(tmp_path: Path) -> None:
    somaxconn = tmp_path / "proc/sys/net/core/somaxconn"
    somaxconn.parent.mkdir(parents=True)
    somaxconn.write_text("77\n")
    machine = machine_limits(tree("new"))
    assert ("net.core.somaxconn",) not in machine  # the namespace's own
    limits = read(Sysctls(Tree(tmp_path), machine))["sysctls"].totals
    assert limits["net.core.somaxconn",] == (77,)
    whole = read(Sysctls(tree("new")))["sysctls"].totals
    assert limits["net.core.netdev_max_backlog",] == whole["net.core.netdev_max_backlog",]
    assert limits["net.ipv4.tcp_mem.max",] == whole["net.ipv4.tcp_mem.max",]
