"""Time to read all files of one tick: on this machine, and on made-up trees of large machines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from bpftop.collect.collector import Collector
from bpftop.collect.devices.device_facts import device_facts
from bpftop.collect.devices.interrupts import Interrupts
from bpftop.collect.procfs.cpu_times import CpuTimes
from bpftop.collect.procfs.softirqs import Softirqs
from bpftop.collect.procfs.softnet import Softnet
from bpftop.collect.procfs.tree import Tree
from bpftop.doctor.timing import Timing
from bpftop.kernel.net.netdev import Netdev
from tests.bench.figures import Figure
from tests.bench.reference import cpu_ms_in_turn
from tests.collect import large_machines

QUEUES, OTHER_IRQS = 63, 100
ROUNDS, PAUSE_S = 15, 0.02
LIMIT_TO_OPENING, LIMIT_TO_SPLITTING = 1.5, 10.0
FILES = tuple(
    f"/proc/{name}"
    for name in ("stat", "softirqs", "interrupts", "net/softnet_stat", "net/dev", "net/snmp", "net/netstat", "net/udp",
                 "net/udp6", "net/sockstat", "net/tcp", "net/snmp6", "pressure/cpu")
)  # fmt: skip
"""Files that every Linux with CONFIG_PSI has, most of which a tick reads."""

PER_CPU_FILES = ("net/softnet_stat", "softirqs", "stat", "interrupts")


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    with closing(Netdev()) as netdev:
        yield from _here(netdev)
        for online in (128, 512):
            say(f"signals of {online} CPUs")
            with tempfile.TemporaryDirectory() as folder:
                # Half of the possible CPUs are online.
                tree = large_machines.make(Path(folder), 2 * online, queues=QUEUES, others=OTHER_IRQS)
                yield from _wide(tree, online, netdev)


def _here(netdev: Netdev) -> Iterator[Figure]:
    ifindex = netdev.default_route()
    device = netdev.find("lo") if ifindex is None else netdev.device(ifindex)
    with closing(Timing(netdev, device, Path("/"))) as timing:
        timing.measure()
        read = [task for task in timing.tasks if task.cpu_ns]
        total_ms = sum(median(task.cpu_ns) for task in read) / 1e6
        reference_ms = cpu_ms_in_turn({"open": _open_and_split}, ROUNDS, PAUSE_S)["open"]
        ratio = total_ms / reference_ms
        how = f"{total_ms:.2f} against {reference_ms:.2f} ms of CPU; {len(read)} collectors, sum of medians"
        title = f"a tick's reading, all signals on / open, read, split {len(FILES)} files"
        yield Figure("signals", title, ratio, "", LIMIT_TO_OPENING, how)
        dearest = max(read, key=lambda task: median(task.cpu_ns))
        took_ms = median(dearest.cpu_ns) / 1e6
        yield Figure("signals", f"the most expensive collector: {dearest.name}", took_ms, "ms", how="median")


def _open_and_split() -> None:
    """Do the least for a tick without a held file: open, read and split each file."""
    for path in FILES:
        Path(path).read_text().split()


def _wide(tree: Tree, online: int, netdev: Netdev) -> Iterator[Figure]:
    collectors: list[Collector] = [Softnet(tree), Softirqs(tree), CpuTimes(tree), Interrupts(tree, 2 * online)]
    texts = [(tree.proc / path).read_text() for path in PER_CPU_FILES]
    calls: dict[str, Callable[[], object]] = {
        each.name: partial(each.read, [large_machines.ETH0]) for each in collectors
    }
    took = cpu_ms_in_turn({**calls, "split": lambda: [text.split() for text in texts]}, ROUNDS, PAUSE_S)
    split_ms = took.pop("split")
    total_ms = sum(took.values())
    each_ms = ", ".join(f"{name} {ms:.2f}" for name, ms in took.items())
    how = f"{total_ms:.2f} against {split_ms:.2f} ms; {each_ms}; {QUEUES + 1} IRQs; parsing alone"
    title = f"per-CPU files of {online} CPUs / splitting them into words"
    yield Figure("signals", title, total_ms / split_ms, "", LIMIT_TO_SPLITTING, how)
    facts_ms = cpu_ms_in_turn(
        {"facts": partial(device_facts, tree, netdev.ethtool, large_machines.ETH0)}, ROUNDS, PAUSE_S
    )
    title = f"facts of a device with {QUEUES} queues"
    yield Figure("signals", title, facts_ms["facts"], "ms", how="every 10 s, in a thread")
