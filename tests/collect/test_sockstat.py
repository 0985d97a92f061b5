"""Sockets and their memory."""

from __future__ import annotations

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.sockstat import Sockstat

from .recorded import copied, read, rewrite, tree, unreadable


@pytest.mark.parametrize(
    ("name", "sockets", "memory"),
    [
        ("new", (1, 0, 0, 0, 0), (346, 0, 1)),
        ("old", (830 + 12, 96, 14 + 5, 2 + 1, 9216 + 4608), (412, 9, 4)),
        ("wide", (31004, 20877, 12011, 0, 0), (90210, 3310, 12)),  # without IPv6
    ],
)
def test_both_versions_together(name: str, sockets: tuple[int, ...], memory: tuple[int, ...]) -> None:
    readings = read(Sockstat(tree(name)))
    assert readings["sockstat"].totals == {(): sockets}
    assert readings["socket_memory"].totals == {(): memory}


def test_half_of_a_sum_is_unknown() -> None:
    with copied("old", "net/sockstat", "net/sockstat6") as where, unreadable(where.proc_net / "sockstat6"):
        readings = read(Sockstat(where))
    assert readings["sockstat"].totals == {(): (None, 96, None, None, None)}
    assert readings["socket_memory"].totals == {(): (412, 9, 4)}


def test_names_in_any_order_and_some_not_there() -> None:
    with copied("old", "net/sockstat") as where:
        rewrite(where, "net/sockstat", "FRAG: memory 7 new 1 inuse 2\nTCP: mem 5 inuse 6\nNEW: a 1\n")
        readings = read(Sockstat(where))
    assert readings["sockstat"].totals == {(): (6, None, None, 2, 7)}
    assert readings["socket_memory"].totals == {(): (5, None, None)}


@pytest.mark.parametrize("text", ["", "TCP: inuse\n", "TCP: inuse x\n", "TCP: inuse -1\n", "nothing known 1\n"])
def test_garbage_is_a_sentence(text: str) -> None:
    with copied("old", "net/sockstat") as where:
        rewrite(where, "net/sockstat", text)
        with pytest.raises(Unavailable, match="sockets and their memory: /proc/net/sockstat "):
            read(Sockstat(where))


def test_no_file() -> None:
    with copied("old") as where, pytest.raises(Unavailable, match=r"cannot read .*sockstat: No such file"):
        read(Sockstat(where))
