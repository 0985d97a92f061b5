"""Time to read all files of one tick: on this machine, and on made-up trees of large machines."""

from __future__ import annotations

import tempfile
import time
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
from bpftop.doctor.timing import BUDGET_NS, Timing
from bpftop.kernel.net.netdev import Netdev
from tests.bench.figures import Figure
from tests.collect import wide

QUEUES, OTHER_IRQS = 63, 100
LIMIT_MS = BUDGET_NS / 1e6


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    with closing(Netdev()) as netdev:
        yield from _here(netdev)
        for online in (128, 512):
            say(f"signals of {online} CPUs")
            with tempfile.TemporaryDirectory() as folder:
                # Half of the possible CPUs are online.
                tree = wide.make(Path(folder), 2 * online, queues=QUEUES, others=OTHER_IRQS)
                yield from _wide(tree, online, netdev)


def _here(netdev: Netdev) -> Iterator[Figure]:
    ifindex = netdev.default_route()
    device = netdev.find("lo") if ifindex is None else netdev.device(ifindex)
    with closing(Timing(netdev, device, Path("/"))) as timing:
        timing.measure()
        read = [task for task in timing.tasks if task.cpu_ns]
        total_ms = sum(median(task.cpu_ns) for task in read) / 1e6
        how = f"CPU time of {len(read)} collectors, sum of medians"
        yield Figure("signals", "a tick's reading, all signals on", total_ms, "ms", LIMIT_MS, how)
        dearest = max(read, key=lambda task: median(task.cpu_ns))
        took_ms = median(dearest.cpu_ns) / 1e6
        yield Figure("signals", f"of that, the dearest: {dearest.name}", took_ms, "ms", how="median")


def _wide(tree: Tree, online: int, netdev: Netdev) -> Iterator[Figure]:
    collectors: list[Collector] = [Softnet(tree), Softirqs(tree), CpuTimes(tree), Interrupts(tree, 2 * online)]
    took = {collector.name: _median_ms(partial(collector.read, [wide.ETH0])) for collector in collectors}
    how = ", ".join(f"{name} {ms:.2f}" for name, ms in took.items())
    title = f"per-CPU files of {online} CPUs, {QUEUES + 1} IRQs"
    yield Figure("signals", title, sum(took.values()), "ms", LIMIT_MS, f"{how}; parsing alone")
    facts_ms = _median_ms(partial(device_facts, tree, netdev.ethtool, wide.ETH0))
    yield Figure("signals", f"facts of a device with {QUEUES} queues", facts_ms, "ms", how="every 10 s, in a thread")


def _median_ms(read: Callable[[], object]) -> float:
    taken = []
    for _ in range(15):
        time.sleep(0.02)  # as in a tick, caches are not warm
        begin_ns = time.thread_time_ns()
        read()
        taken.append(time.thread_time_ns() - begin_ns)
    return median(taken) / 1e6
