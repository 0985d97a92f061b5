"""The collectors of /proc/net/softnet_stat, /proc/softirqs and /proc/stat, on trees of several kernels."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpftop.collect.collector import Collector, Unavailable
from bpftop.collect.devices.interrupts import Interrupts
from bpftop.collect.procfs.cpu_times import CpuTimes
from bpftop.collect.procfs.softirqs import Softirqs
from bpftop.collect.procfs.softnet import Softnet
from bpftop.collect.procfs.tree import Tree
from tests.collect import large_machines
from tests.collect.moments import ETH0, TREES, copy_of, reading_of, signal

TICK_NS = 10_000_000
COLLECTORS: list[tuple[Callable[[Tree], Collector], str]] = [
    (Softnet, "proc/net/softnet_stat"),
    (Softirqs, "proc/softirqs"),
    (lambda tree: CpuTimes(tree, 100), "proc/stat"),
    (lambda tree: Interrupts(tree, 4), "proc/interrupts"),
]


# softnet_stat


def test_softnet_of_a_new_kernel() -> None:
    readings = Softnet(Tree(TREES / "new")).read([])
    assert set(readings) == {"softnet", "softnet_backlog"}
    assert readings["softnet"].keys == readings["softnet_backlog"].keys == ((0,), (1,))
    now = signal(None, readings, "softnet")
    words = (TREES / "new/proc/net/softnet_stat").read_text().split()
    assert now.value((1,), "processed") == int(words[15], 16)
    assert now.value((1,), "received_rps") == int(words[15 + 9], 16)
    assert now.value((1,), "flow_limit_count") == 0
    assert now.gained((1,), "processed") is None


def test_an_old_kernel_does_not_number_its_rows() -> None:
    readings = Softnet(Tree(TREES / "old")).read([])
    assert set(readings) == {"softnet"}  # nor does it tell how long a backlog is
    now = signal(None, readings, "softnet")
    assert now.keys == ((0,), (1,), (3,))
    assert now.value((0,), "dropped") == 5
    assert now.value((3,), "processed") == 0x99
    assert now.value((2,), "processed") is None  # offline: not read, and not 0


def test_unnumbered_rows_for_another_number_of_cpus(tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    (root / "sys/devices/system/cpu/online").write_text("0-3\n")
    with pytest.raises(Unavailable, match="3 rows without a number for 4 online CPUs"):
        Softnet(Tree(root)).read([])
    (root / "sys/devices/system/cpu/online").unlink()
    with pytest.raises(Unavailable, match=r"this kernel does not number its rows: cannot read .*No such file"):
        Softnet(Tree(root)).read([])


def test_before_flow_limits(tmp_path: Path) -> None:
    """Linux 3.10 has ten columns."""
    root = copy_of("old", tmp_path)
    path = root / "proc/net/softnet_stat"
    path.write_text("".join(" ".join(line.split()[:10]) + "\n" for line in path.read_text().splitlines()))
    now = signal(None, Softnet(Tree(root)).read([]), "softnet")
    assert now.value((0,), "received_rps") == 0x33
    assert now.value((0,), "flow_limit_count") is None


def test_u32_counters_wrap(tmp_path: Path) -> None:
    """CPU 1 of the old tree is just below 2^32 with what it processed and dropped."""
    root = copy_of("old", tmp_path)
    collector = Softnet(Tree(root))
    before = collector.read([])
    path = root / "proc/net/softnet_stat"
    path.write_text(path.read_text().replace("fffffff0 fffffffe 00000002", "00000010 00000001 00000000"))
    after = collector.read([])
    now = signal(before, after, "softnet")
    assert now.gained((1,), "processed") == 0x20
    assert now.gained((1,), "dropped") == 3
    assert now.gained((1,), "time_squeeze") is None  # from 2 to 0 it was reset
    assert now.gained((0,), "processed") == 0
    elapsed_ns = now.elapsed_ns
    assert elapsed_ns is not None
    assert now.per_sec((1,), "dropped") == pytest.approx(3e9 / elapsed_ns)
    assert after["softnet"].keys is before["softnet"].keys


def test_a_cpu_that_goes_and_comes_back(tmp_path: Path) -> None:
    collector = Softnet(Tree(tmp_path))
    path = tmp_path / "proc/net/softnet_stat"
    large_machines.write(path, large_machines.softnet((0, 1, 130), dropped=1))
    before = collector.read([])
    large_machines.write(path, large_machines.softnet((0, 130), dropped=3))
    without = collector.read([])
    now = signal(before, without, "softnet")
    assert now.keys == ((0,), (130,))
    assert now.gained((130,), "dropped") == 2
    assert now.value((1,), "dropped") is None
    assert now.gained((1,), "dropped") is None
    assert now.per_sec((1,), "dropped") is None
    large_machines.write(path, large_machines.softnet((0, 1, 130), dropped=4))
    assert signal(without, collector.read([]), "softnet").gained((1,), "dropped") is None


@pytest.mark.parametrize("possible", [256, 1024])
def test_a_wide_machine_with_holes(tmp_path: Path, possible: int) -> None:
    tree = large_machines.make(tmp_path, possible)
    online = large_machines.half_of(possible)
    softnet = Softnet(tree).read([])
    assert [key[0] for key in softnet["softnet"].keys] == list(online)
    last = (online[-1],)
    assert signal(None, softnet, "softnet").value(last, "processed") == 1000 + online[-1]
    assert signal(None, softnet, "softnet_backlog").value(last, "queued_packets") == online[-1] % 3
    assert [key[0] for key in reading_of(Softirqs(tree), "softirqs").keys] == list(range(possible))
    times = signal(None, CpuTimes(tree, 100).read([]), "cpu_times")
    assert [key[0] for key in times.keys] == list(online)
    assert times.value(last, "softirq_ns") == online[-1] * TICK_NS
    assert times.value((online[-1] + 1,), "softirq_ns") is None


# softirqs


def test_softirqs_are_of_possible_cpus() -> None:
    now = signal(None, Softirqs(Tree(TREES / "old")).read([]), "softirqs")
    assert now.keys == ((0,), (1,), (2,), (3,))
    assert now.value((0,), "net_rx") == 900_000
    assert now.value((2,), "net_rx") == 77
    assert now.value((3,), "net_tx") == 7


def test_softirqs_wrap(tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    path = root / "proc/softirqs"
    path.write_text(path.read_text().replace(" 900000", " 4294967295"))
    collector = Softirqs(Tree(root))
    before = collector.read([])
    path.write_text(path.read_text().replace(" 4294967295", " 9"))
    assert signal(before, collector.read([]), "softirqs").gained((0,), "net_rx") == 10


def test_a_row_of_another_width(tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    path = root / "proc/softirqs"
    path.write_text(path.read_text().replace("77        153", "77"))
    with pytest.raises(Unavailable, match="NET_RX has 3 counts for 4 CPUs"):
        Softirqs(Tree(root)).read([])


# stat


def test_times_of_online_cpus() -> None:
    now = signal(None, CpuTimes(Tree(TREES / "old"), 100).read([]), "cpu_times")
    assert now.keys == ((0,), (1,), (3,))
    assert [now.value((0,), column) for column in now.family.columns] == [
        ticks * TICK_NS for ticks in (4000, 100, 1500, 290000, 400, 0, 900, 5)
    ]
    assert now.value((2,), "idle_ns") is None


def test_ticks_are_the_kernels() -> None:
    now = signal(None, CpuTimes(Tree(TREES / "old"), 1024).read([]), "cpu_times")
    assert now.value((0,), "softirq_ns") == 900 * (10**9 // 1024)
    here = signal(None, CpuTimes(Tree(TREES / "old")).read([]), "cpu_times")
    assert here.value((0,), "softirq_ns") == 900 * (10**9 // os.sysconf("SC_CLK_TCK"))


def test_idle_time_that_falls_has_no_gain(tmp_path: Path) -> None:
    """The kernel's idle and iowait may fall (fs/proc/stat.c: get_idle_time)."""
    root = copy_of("old", tmp_path)
    collector = CpuTimes(Tree(root), 100)
    before = collector.read([])
    path = root / "proc/stat"
    path.write_text(path.read_text().replace("cpu0 4000 100 1500 290000", "cpu0 4010 100 1500 289999"))
    now = signal(before, collector.read([]), "cpu_times")
    assert now.gained((0,), "user_ns") == 10 * TICK_NS
    assert now.gained((0,), "idle_ns") is None


# All of them


@pytest.mark.parametrize(("make", "path"), COLLECTORS)
def test_a_missing_file_is_a_sentence(make: Callable[[Tree], Collector], path: str, tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    (root / path).unlink()
    collector = make(Tree(root))
    with pytest.raises(Unavailable, match=r": cannot read .*: No such file or directory$"):
        collector.read([ETH0])
    collector.close()


@pytest.mark.parametrize(("make", "path"), COLLECTORS)
def test_an_unreadable_file_is_a_sentence(make: Callable[[Tree], Collector], path: str, tmp_path: Path) -> None:
    """A directory in its place: permissions would not stop root."""
    root = copy_of("old", tmp_path)
    (root / path).unlink()
    (root / path).mkdir()
    with pytest.raises(Unavailable, match=r"cannot read .*: Is a directory"):
        make(Tree(root)).read([ETH0])


@pytest.mark.parametrize(("make", "path"), COLLECTORS)
@pytest.mark.parametrize("content", ["", "\n", "nonsense\n", "\0\xff\n", "cpu\ncpu0 x\n", "-1 -1 -1\n", "CPUx\n"])
def test_garbage_is_a_sentence(make: Callable[[Tree], Collector], path: str, content: str, tmp_path: Path) -> None:
    root = copy_of("old", tmp_path)
    (root / path).write_bytes(content.encode("latin-1"))
    with pytest.raises(Unavailable, match=f"/{Path(path).name} is not understood: "):
        make(Tree(root)).read([ETH0])


@pytest.mark.parametrize(("make", "path"), COLLECTORS)
@given(place=st.floats(0, 1), cut=st.integers(0, 40), put=st.text("0123456789abcfzCPU:-_ \n\0", max_size=30))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_understood_or_a_sentence(
    make: Callable[[Tree], Collector],
    path: str,
    place: float,
    cut: int,
    put: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = copy_of("old", tmp_path_factory.mktemp("damage"))
    whole = (root / path).read_text()
    at = int(place * len(whole))
    (root / path).write_text(whole[:at] + put + whole[at + cut :])
    try:
        readings = make(Tree(root)).read([ETH0])
    except Unavailable:
        return
    for reading in readings.values():
        assert len(reading.values) == len(reading.keys) * reading.stride
        assert len(set(reading.keys)) == len(reading.keys)
