"""Live samples: the one sampler. It owns the attachments, the tick and every clock reading."""

from __future__ import annotations

import queue
import resource
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bpftop.collect.attach.attachment import Attachment
from bpftop.collect.bpf.flow_counter import FlowRequest
from bpftop.collect.bpf.flow_reader import FlowReader
from bpftop.collect.collector import Collectors
from bpftop.collect.devices.device_watch import DeviceWatch
from bpftop.collect.host import Host, OwnCostCollector, host, online_cpus
from bpftop.collect.procfs.namespace_tree import namespace_tree
from bpftop.collect.procfs.sysctls import machine_limits
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.registry import TRACED, collectors
from bpftop.errors import BpftopError
from bpftop.hooks.facts import LOAD_LIMIT_BITS_PER_SEC, AttachMode, AttachRequest
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.netns import inside
from bpftop.model.sample import Interface, Reading, Sample, reading_key

NS_PER_SEC = 1_000_000_000
FACTS_PATIENCE_S = 0.1
"""How long a second sample waits for a look at the devices that is under way. In a live session none is by then."""


@dataclass(frozen=True)
class _Command:
    """To be done in the sampler's thread: an offer that was accepted, or (without a label) what to do about flows."""

    label: str | None = None
    flows: FlowRequest | None = None


class LiveSource:
    """Samples of interfaces of this machine; see bpftop.model.source.SampleSource.

    The first two samples are ``first_gap_s`` apart (None: one interval, and then the second one has all that can be
    known), the others one interval, on CLOCK_MONOTONIC
    without drift: a late tick does not move those that follow, and ticks that were missed altogether (a suspended
    machine) are left out. Everything that was attached is detached when ``samples`` ends, in whatever way. ``netns``
    is the path of a namespace, which the thread that runs ``samples`` is in meanwhile, ``netns_name`` what to call it.
    ``drops``: count drop reasons and XDP exceptions by tracepoints.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        attach: AttachMode = "auto",
        may_disturb_device: bool = False,
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
        self._request = AttachRequest(
            attach,
            may_disturb_device=may_disturb_device,
            terminal=interactive,
            load_limit_bits_per_sec=retreat_bits_per_sec,
        )
        self._interval_ns = int(interval_s * NS_PER_SEC)
        self._first_gap_ns = self._interval_ns if first_gap_s is None else int(first_gap_s * NS_PER_SEC)
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._closed = False
        self._netns, self._netns_name = netns, netns_name
        self._drops = drops
        self._off = {} if drops else dict.fromkeys(TRACED, "switched off by --no-drops")
        self._attachments: dict[str, Attachment] = {}
        self._collectors = Collectors((), self._interval_ns)
        self._devices: DeviceWatch  # from samples() on
        self._timed_epochs: dict[str, int] = {}
        self._own = OwnCostCollector()
        self._flows = FlowReader()

    def samples(self) -> Generator[Sample, None, None]:
        """Attach, then a sample per tick.

        Raises BpftopError: no such interface, or a forced mode that does not hold.
        """
        with ExitStack() as stack:
            limits = None
            if self._netns is not None:
                limits = machine_limits(Tree())
                stack.enter_context(inside(self._netns))
            _allow_files(len(self._names))
            netdev = Netdev()
            stack.callback(netdev.close)
            self._open(netdev, stack)
            machine = host()
            tree = stack.enter_context(namespace_tree(entered=self._netns is not None))
            self._devices = DeviceWatch(tree, netdev.ethtool)
            stack.callback(self._devices.close)
            found = collectors(tree, netdev, machine, drops=self._drops, limits=limits)
            self._collectors = Collectors(found, self._interval_ns)
            stack.callback(self._collectors.close)
            stack.callback(self._flows.close)
            due_ns = time.monotonic_ns()
            seq = 0
            while not self._closed:
                yield self._take(seq, machine)
                self._after(seq)
                due_ns = self._next(due_ns, self._first_gap_ns if seq == 0 else self._interval_ns)
                seq += 1
                self._ask_for_flows(due_ns)
                self._sleep_until(due_ns)
                if seq == 1:
                    self._devices.wait(FACTS_PATIENCE_S)

    def close(self) -> None:
        """End ``samples``; any thread may call it, any number of times."""
        self._closed = True
        self._commands.put(None)

    def accept_offer(self, label: str) -> None:
        """Do at the next tick what the interface's ``offer`` says."""
        self._commands.put(_Command(label))

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Count flows from now on, or no more."""
        self._commands.put(_Command(flows=FlowRequest(sample_1_in) if on else None))

    def _open(self, netdev: Netdev, stack: ExitStack) -> None:
        watched: set[int] = set()
        for name in self._names:
            ifindex = netdev.find(name).ifindex
            if self._closed:
                return
            if ifindex in watched:  # by another of its names
                continue
            watched.add(ifindex)
            attachment = Attachment(name, self._request, netdev, netns=self._netns_name)
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
        wall_ns, mono_ns = time.time_ns(), time.monotonic_ns()  # here: what follows takes longer at the first tick
        polled_ns = sum(reading.cost_ns for reading in readings.values())
        for label, attachment in self._attachments.items():
            unavailable.update({f"flows/{label}/{d}": fault for d, fault in attachment.flow_faults.items()})
            if attachment.links is not None:
                readings[reading_key("links", label)] = attachment.links
        signals, blind = self._collectors.read([one for one in interfaces if one.state in ("up", "down")])
        readings.update(signals)
        flows, unread = self._flows.found()
        readings.update(flows)
        readings.update(self._own.readings(polled_ns))
        return Sample(
            seq=seq,
            boot_id=machine.boot_id,
            host=machine.name,
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            possible_cpus=machine.possible_cpus,
            online_cpus=online_cpus(machine.possible_cpus),
            interfaces=tuple(self._devices.with_facts(interfaces)),
            readings=readings,
            unavailable={**self._off, **unavailable, **blind, **unread},
            kernel=machine.kernel,
        )

    def _after(self, seq: int) -> None:
        """What can wait until the first rates are out: the devices, and what a packet costs.

        Where those are a whole interval away, it is done meanwhile: a snapshot has no third sample.
        """
        first = 0 if self._first_gap_ns >= self._interval_ns else 1
        if seq >= first:
            self._devices.remind()
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
                command = self._commands.get(timeout=left_ns / NS_PER_SEC)
            except queue.Empty:
                return
            if command is not None:
                self._obey(command, due_ns)

    def _obey(self, command: _Command, due_ns: int) -> None:
        if command.label is None:
            for attachment in self._attachments.values():
                attachment.watch_flows(command.flows)
            self._ask_for_flows(due_ns)
        elif command.label in self._attachments:
            self._attachments[command.label].accept_offer()

    def _ask_for_flows(self, due_ns: int) -> None:
        attachments = self._attachments.items()
        self._flows.ask([(label, one) for label, held in attachments for one in held.flow_counters], due_ns)


def _allow_files(interfaces: int) -> None:
    """Raise the soft limit of open files, mostly 1024: an interface takes 12."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(256 + 16 * interfaces, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _time_packets(attachments: Sequence[Attachment]) -> None:
    for attachment in attachments:
        attachment.measure_costs()
