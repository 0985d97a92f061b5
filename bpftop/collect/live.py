"""Live samples: the one sampler. It owns the attachments, the tick and every clock reading."""

from __future__ import annotations

import queue
import resource
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack

from bpftop.collect.attach import Attachment
from bpftop.collect.collector import Collectors
from bpftop.collect.host import Host, OwnCost, host, online_cpus
from bpftop.collect.signals import collectors
from bpftop.collect.tree import Tree
from bpftop.errors import BpftopError
from bpftop.kernel.check import KernelError
from bpftop.kernel.netdev import Netdev
from bpftop.kernel.netns import inside
from bpftop.model.hooks import LOAD_LIMIT_BITS_PER_SEC, Attach, Wish
from bpftop.model.sample import Interface, Reading, Sample, reading_key

NS_PER_SEC = 1_000_000_000


class LiveSource:
    """Samples of interfaces of this machine; see bpftop.model.source.Source.

    The first two samples are ``first_gap_s`` apart (None: one interval), the others one interval, on CLOCK_MONOTONIC
    without drift: a late tick does not move those that follow, and ticks that were missed altogether (a suspended
    machine) are left out. Everything that was attached is detached when ``samples`` ends, in whatever way. ``netns``
    is the path of a namespace, which the thread that runs ``samples`` is in meanwhile, ``netns_name`` what to call it.
    ``drops``: count drop reasons and XDP exceptions by tracepoints.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        attach: Attach = "auto",
        yes: bool = False,
        interactive: bool = False,
        interval_s: float = 1.0,
        first_gap_s: float | None = 0.1,
        netns: str | None = None,
        netns_name: str | None = None,
        retreat_bits_per_sec: float = LOAD_LIMIT_BITS_PER_SEC,
        drops: bool = True,
    ) -> None:
        if not names:
            raise BpftopError("no interface to watch; name one, `ip link` lists them")
        self._names = tuple(dict.fromkeys(names))
        self._wish = Wish(attach, consent=yes, terminal=interactive, load_limit_bits_per_sec=retreat_bits_per_sec)
        self._interval_ns = int(interval_s * NS_PER_SEC)
        self._first_gap_ns = self._interval_ns if first_gap_s is None else int(first_gap_s * NS_PER_SEC)
        self._commands: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closed = False
        self._netns, self._netns_name = netns, netns_name
        self._drops = drops
        self._attachments: dict[str, Attachment] = {}
        self._collectors = Collectors((), self._interval_ns)
        self._timed_epochs: dict[str, int] = {}
        self._own = OwnCost()

    def samples(self) -> Generator[Sample, None, None]:
        """Attach, then a sample per tick.

        Raises BpftopError: no such interface, or a forced mode that does not hold.
        """
        with ExitStack() as stack:
            if self._netns is not None:
                stack.enter_context(inside(self._netns))
            _allow_files(len(self._names))
            netdev = Netdev()
            stack.callback(netdev.close)
            self._open(netdev, stack)
            machine = host()
            tree = Tree()
            self._collectors = Collectors(collectors(tree, netdev, machine, drops=self._drops), self._interval_ns)
            stack.callback(self._collectors.close)
            due_ns = time.monotonic_ns()
            seq = 0
            while not self._closed:
                yield self._take(seq, machine)
                self._after(seq)
                due_ns = self._next(due_ns, self._first_gap_ns if seq == 0 else self._interval_ns)
                seq += 1
                self._sleep_until(due_ns)

    def close(self) -> None:
        """End ``samples``; any thread may call it, any number of times."""
        self._closed = True
        self._commands.put(None)

    def accept_offer(self, label: str) -> None:
        """Do at the next tick what the interface's ``offer`` says."""
        self._commands.put(label)

    def _open(self, netdev: Netdev, stack: ExitStack) -> None:
        watched: set[int] = set()
        for name in self._names:
            ifindex = netdev.find(name).ifindex
            if self._closed:
                return
            if ifindex in watched:  # by another of its names
                continue
            watched.add(ifindex)
            attachment = Attachment(name, self._wish, netdev, netns=self._netns_name)
            stack.callback(attachment.close)
            attachment.open()
            self._attachments[name] = attachment

    def _take(self, seq: int, machine: Host) -> Sample:
        interfaces: list[Interface] = []
        readings: dict[str, Reading] = {}
        unavailable: dict[str, str] = {}
        for label, attachment in self._attachments.items():
            interfaces.append(attachment.step(time.monotonic_ns()))
            for counter in attachment.counters.values():
                try:
                    readings.update(counter.read(label, attachment.epoch))
                except KernelError as error:
                    unavailable[f"traffic/{label}/{counter.direction}"] = str(error)
        polled_ns = sum(reading.cost_ns for reading in readings.values())
        for label, attachment in self._attachments.items():
            if attachment.links is not None:
                readings[reading_key("links", label)] = attachment.links
        signals, blind = self._collectors.read([one for one in interfaces if one.state in ("up", "down")])
        readings.update(signals)
        readings.update(self._own.readings(polled_ns))
        return Sample(
            seq=seq,
            boot_id=machine.boot_id,
            host=machine.name,
            wall_ns=time.time_ns(),
            mono_ns=time.monotonic_ns(),
            possible_cpus=machine.possible_cpus,
            online_cpus=online_cpus(machine.possible_cpus),
            interfaces=tuple(interfaces),
            readings=readings,
            unavailable={**unavailable, **blind},
        )

    def _after(self, seq: int) -> None:
        """What can wait until the first rates are out: own memory, and what a packet costs."""
        if seq == 1:
            self._own.watch_memory()
        if seq >= 1:
            new = [one for label, one in self._attachments.items() if self._timed_epochs.get(label) != one.epoch]
            self._timed_epochs = {label: one.epoch for label, one in self._attachments.items()}
            if new:
                threading.Thread(target=_time_packets, args=(new,), name="bpftop-cost", daemon=True).start()

    def _next(self, due_ns: int, gap_ns: int) -> int:
        """The first multiple of the gap that is half a gap away or more: two samples at once would make wild rates."""
        earliest_ns = time.monotonic_ns() + gap_ns // 2
        due_ns += gap_ns
        return due_ns + max(0, -((due_ns - earliest_ns) // gap_ns)) * gap_ns

    def _sleep_until(self, due_ns: int) -> None:
        while not self._closed and (left_ns := due_ns - time.monotonic_ns()) > 0:
            try:
                label = self._commands.get(timeout=left_ns / NS_PER_SEC)
            except queue.Empty:
                return
            if label in self._attachments:
                self._attachments[label].accept_offer()


def _allow_files(interfaces: int) -> None:
    """Raise the soft limit of open files, mostly 1024: an interface takes 12."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(256 + 16 * interfaces, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _time_packets(attachments: Sequence[Attachment]) -> None:
    for attachment in attachments:
        attachment.measure_costs()
