"""Connection tracking: columns by name, u32 counters per CPU that wrap singly, and kernels that track nothing."""

from __future__ import annotations

import pytest

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.conntrack import Conntrack, WrappingSum
from bpftop.collect.procfs.tree import Tree

from .recorded import copied, moment, read, rewrite, tree, unreadable

FILES = ("net/stat/nf_conntrack", "sys/net/netfilter/nf_conntrack_count", "sys/net/netfilter/nf_conntrack_max")


def events(where: Tree, *rows: tuple[int, ...], columns: str = "drop entries invalid") -> None:
    lines = [" ".join(f"{cell:08x}" for cell in row) for row in rows]
    rewrite(where, "net/stat/nf_conntrack", "\n".join((columns, *lines)) + "\n")


@pytest.mark.parametrize(
    ("name", "fill", "lost"),
    [
        ("new", (0, 262144), (0, 0, 0, 0, 0)),
        ("old", (1843, 262144), (0x31, 2, 7, 1, 11)),
        ("wide", (250000, 1048576), (128 * 0xFFFFFFF0, 0, 128, 0, sum(range(128)))),
    ],
)
def test_fill_and_events_of_all_cpus(name: str, fill: tuple[int, ...], lost: tuple[int, ...]) -> None:
    readings = read(Conntrack(tree(name)))
    assert readings["conntrack"].totals == {(): fill}
    assert readings["conntrack_events"].totals == {(): lost}


def test_columns_in_another_order_and_some_not_there() -> None:
    with copied("old", *FILES) as where:
        events(where, (3, 9, 5), (4, 9, 6))
        reading = read(Conntrack(where))["conntrack_events"]
    assert reading.totals == {(): (11, None, 7, None, None)}


def test_each_cpu_wraps_by_itself() -> None:
    with copied("old", *FILES) as where:
        collector = Conntrack(where)
        events(where, (2**32 - 3, 9, 0), (2**32 - 1, 9, 0), (100, 9, 0))
        first = read(collector)
        events(where, (2, 9, 0), (2**32 - 1, 9, 0), (101, 9, 7))
        second = read(collector)
        events(where, (2, 9, 0), (3, 9, 0), (101, 9, 7))
        third = read(collector)
    for before, after, drops, invalid in ((first, second, 6, 7), (second, third, 4, 0)):
        signal = moment(before, after).reading("conntrack_events")
        assert signal is not None
        assert (signal.gained((), "drop"), signal.gained((), "invalid")) == (drops, invalid)
        assert signal.gained((), "early_drop") is None


def test_a_reset_has_no_rate_for_one_tick() -> None:
    with copied("old", *FILES) as where:
        collector = Conntrack(where)
        readings = []
        for row in ((700, 9, 50), (3, 9, 50), (5, 9, 51)):
            events(where, row)
            readings.append(read(collector))
    reset = moment(readings[0], readings[1]).reading("conntrack_events")
    after = moment(readings[1], readings[2]).reading("conntrack_events")
    assert reset is not None
    assert after is not None
    assert (reset.value((), "drop"), reset.gained((), "drop"), reset.gained((), "invalid")) == (3, None, None)
    assert (after.gained((), "drop"), after.gained((), "invalid")) == (2, 1)


def test_another_number_of_cpus_is_a_reset() -> None:
    total = WrappingSum()
    assert [total.add([5, 6]), total.add([5, 7]), total.add([5]), total.add(None)] == [11, 12, 5, None]
    assert total.restarts == 1


def test_not_loaded() -> None:
    with copied("old") as where, pytest.raises(Unavailable, match="nf_conntrack is not loaded"):
        read(Conntrack(where))


def test_each_family_is_read_without_the_other() -> None:
    with copied("old", FILES[1]) as where:
        assert {key: reading.totals for key, reading in read(Conntrack(where)).items()} == {
            "conntrack": {(): (1843, None)}
        }
    with copied("old", FILES[0]) as where:
        assert list(read(Conntrack(where))) == ["conntrack_events"]


def test_unreadable() -> None:
    with (
        copied("old", FILES[1]) as where,
        unreadable(where.proc / FILES[1]),
        pytest.raises(Unavailable, match=r"connection tracking: cannot read .*Permission denied"),
    ):
        read(Conntrack(where))


@pytest.mark.parametrize("text", ["", "drop invalid\n", "drop invalid\n1\n", "drop\nxyz\n", "drop\n-1\n"])
def test_garbage_is_a_sentence(text: str) -> None:
    with copied("old", FILES[0]) as where:
        rewrite(where, FILES[0], text)
        with pytest.raises(Unavailable, match="/proc/net/stat/nf_conntrack is not understood"):
            read(Conntrack(where))
    with copied("old", FILES[1]) as where:
        rewrite(where, FILES[1], "many\n")
        with pytest.raises(Unavailable, match="nf_conntrack_count is not understood"):
            read(Conntrack(where))
