"""Questions about the cost of a tick: every collector is read in rounds, as in a session, and timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.collector import Unavailable
from bpftop.collect.host import host
from bpftop.collect.procfs.namespace_tree import namespace_tree
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.registry import collectors
from bpftop.doctor.answers import NotTried, Question, Verdict, no, unknown, yes
from bpftop.fields import field, mutable
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.privileges import COUNTING
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import DIRECTIONS, Interface

Sleep = Callable[[float], object]
"""Sleeps for some seconds; may raise where the program is to end."""

BUDGET_NS = 10_000_000
"""CPU time that a tick may take with all signals on."""
ROUNDS, GAP_S = 15, 0.05
"""The gap lets caches cool down, as between ticks."""
LOAD_WAIT_S = 3.0
"""Longest wait for parts that are loaded in the background."""


@mutable
class Task:
    """One collector with the times of its successful reads. ``read`` raises Unavailable or KernelError."""

    name: str
    read: Callable[[], object]
    cpu_ns: list[int] = field(default_factory=list)
    wall_ns: list[int] = field(default_factory=list)
    failure: Unavailable | KernelError | None = None

    def take(self) -> None:
        wall_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        try:
            self.read()
        except (Unavailable, KernelError) as error:
            self.failure = error
            return
        self.failure = None
        self.cpu_ns.append(time.thread_time_ns() - cpu_ns)
        self.wall_ns.append(time.monotonic_ns() - wall_ns)


class Timing:
    """The questions about the cost of a tick. The counters are loaded, but attached to nothing. To be closed.

    ``device`` is the watched device or None; ``entered`` is passed to ``namespace_tree``.
    """

    def __init__(
        self, netdev: Netdev, device: Device | None, root: Path, *, entered: bool = False, sleep: Sleep = time.sleep
    ) -> None:
        self._sleep = sleep
        self._stack = ExitStack()
        with self._stack:
            self.tasks = self._prepare(netdev, device, root, entered)
            self._stack = self._stack.pop_all()
        self._measured = False

    def close(self) -> None:
        self._stack.close()

    def questions(self) -> list[Question]:
        questions = [
            Question(f"timing {task.name}", partial(self._task_verdict, task), COUNTING) for task in self.tasks
        ]
        return [*questions, Question("timing of a tick", self._tick_verdict)]

    def _prepare(self, netdev: Netdev, device: Device | None, root: Path, entered: bool) -> list[Task]:
        tree = self._stack.enter_context(namespace_tree(entered=entered)) if root == Path("/") else Tree(root)
        tasks: list[Task] = []
        interfaces: list[Interface] = []
        if device is not None:
            interfaces = [Interface(device.name, device.name, device.ifindex, kind=device.kind)]
            counters = _Counters(device.name)
            self._stack.callback(counters.close)
            tasks = [
                Task("traffic", counters.read),
                Task("links", partial(netdev.device, device.ifindex)),
            ]
        for collector in collectors(tree, netdev, host(root), drops=True):
            self._stack.callback(collector.close)
            tasks.append(Task(collector.name, partial(collector.read, interfaces)))
        return tasks

    def _task_verdict(self, task: Task) -> Verdict:
        self.measure()
        if task.failure is not None:
            if isinstance(task.failure, KernelError):
                raise task.failure
            return unknown(str(task.failure))
        return yes(spans(task.cpu_ns, task.wall_ns))

    def _tick_verdict(self) -> Verdict:
        self.measure()
        read = [task for task in self.tasks if task.failure is None]
        if not read:
            raise NotTried("no collector can be read")
        rounds = range(-min(len(task.cpu_ns) for task in read), 0)
        cpu_ns, wall_ns = (
            [sum(taken[position] for taken in takes) for position in rounds]
            for takes in ([task.cpu_ns for task in read], [task.wall_ns for task in read])
        )
        return within_budget(cpu_ns, wall_ns)

    def measure(self) -> None:
        """Read all collectors in rounds, once; ``tasks`` then have their times."""
        if self._measured:
            return
        self._measured = True
        self._warm_up()
        for _ in range(ROUNDS):
            self._sleep(GAP_S)
            for task in self.tasks:
                task.take()

    def _warm_up(self) -> None:
        """Read until every collector is loaded and prepared, which is no part of a tick."""
        end_s = time.monotonic() + LOAD_WAIT_S
        waiting: Sequence[Task] = self.tasks
        while waiting and time.monotonic() < end_s:
            for task in waiting:
                task.take()
            waiting = [task for task in waiting if task.failure is not None]
            self._sleep(GAP_S if waiting else 0)
        for task in self.tasks:
            task.cpu_ns.clear()
            task.wall_ns.clear()


class _Counters:
    """The maps of both directions. Their programs are loaded at the first read and count nothing."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._loaded: list[PacketCounter] = []

    def read(self) -> None:
        """Raises KernelError."""
        for direction in DIRECTIONS[len(self._loaded) :]:
            self._loaded.append(PacketCounter("count_tc", direction))
        for counter in self._loaded:
            counter.read(self._label, 0)

    def close(self) -> None:
        for counter in self._loaded:
            counter.close()


def spans(cpu_ns: Sequence[int], wall_ns: Sequence[int]) -> str:
    """Return the medians and the worst of all rounds, in words."""
    cpu, wall = (f"{_us(median(taken))}, at worst {_us(max(taken))}" for taken in (cpu_ns, wall_ns))
    return f"{cpu} of CPU; {wall} elapsed"


def within_budget(cpu_ns: Sequence[int], wall_ns: Sequence[int]) -> Verdict:
    """Compare the median of whole rounds with BUDGET_NS."""
    times = f"{spans(cpu_ns, wall_ns)}, with all collectors due; the budget is {BUDGET_NS / 1e6:g} ms of CPU"
    if median(cpu_ns) <= BUDGET_NS:
        return yes(times)
    return no(times, "a longer interval (-i) costs less")


def _us(time_ns: float) -> str:
    return f"{time_ns / 1e3:.0f} µs"
