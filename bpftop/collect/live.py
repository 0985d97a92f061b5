"""Live samples: the one sampler. It owns the attachments, the tick and every clock reading."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from bpftop.collect.attach.attachment import Attachment
from bpftop.collect.attach.attachments import FILES_LEAST, PATIENCE_NS, Attachments, AttachProgress
from bpftop.collect.bpf.flow_counter import FlowRequest, thinner_request
from bpftop.collect.bpf.flow_reader import FlowReader
from bpftop.collect.collector import Collectors, CounterRows
from bpftop.collect.devices.device_stack import DeviceStack
from bpftop.collect.devices.load_meter import LOAD_WINDOW_NS
from bpftop.collect.host import Host, OnlineCpus, OwnCostCollector, host
from bpftop.collect.live_options import LiveOptions
from bpftop.collect.tick import Tick, next_due_ns
from bpftop.config.resources import NoThread, free_files, start_thread
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.kernel.bpf.kernel_btf import trim_memory
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.netns import inside, namespace_inode
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import EVERYTHING_ELSE, NOT_READ_YET, Reading, Sample, reading_key
from bpftop.model.units import NS_PER_SEC

if TYPE_CHECKING:
    from bpftop.collect.attach.early_start import EarlyStart
    from bpftop.collect.devices.device_watch import DeviceWatch

WATCHED_BPF_EVERY_NS = 10**9
"""Least time between readings of BPF programs and maps while somebody looks at them."""

FACTS_WAIT_S = 0.1
"""Longest wait of the second sample for device facts that are being read. A live session has none under way by then."""

ATTACHED_WAIT_S = 0.2

TRIM_TICKS = 30
"""Ticks after which the heap is trimmed: what a tick frees leaves holes, 2.4 MiB with 512 CPUs."""

QUIET_START_S = 0.5
"""Time that a live screen has to import Textual and to paint, before slow work takes CPU time."""


class LiveSource:
    """Samples of interfaces of this machine; see bpftop.model.source.SampleSource.

    Ticks are due on CLOCK_MONOTONIC without drift: a late tick does not move the ticks after it, and ticks that were
    missed altogether (a suspended machine) are left out. Everything that was attached is detached when ``samples``
    ends, in whatever way.

    Args:
        names: the interfaces to watch.
        options: how to attach and what to read.
        progress: called while programs are attached. With a terminal in the request the samples begin meanwhile.
        early: a start that is under way, without ``netns`` with readings of these interfaces. The source closes it.
    """

    def __init__(
        self,
        names: Sequence[str],
        options: LiveOptions,
        progress: AttachProgress | None = None,
        early: EarlyStart | None = None,
    ) -> None:
        if not names:
            raise BpftopError("no interface to watch; name one, `ip link` lists them")
        self._names = tuple(dict.fromkeys(names))
        self._options, self._progress = options, progress
        self._interval_ns = int(options.interval_s * NS_PER_SEC)
        gap_s = options.first_gap_s
        self._first_gap_ns = self._interval_ns if gap_s is None else int(gap_s * NS_PER_SEC)
        self._collect_from = 2 if options.traffic_first else 0
        self._quiet_start_s = QUIET_START_S if self._first_gap_ns < self._interval_ns else 0.0
        self._due_ns = 0  # CLOCK_MONOTONIC time of the next sample
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._closed = False
        self._netns_inode = 0
        self._early = early
        self._attached = threading.Event()
        self._bpf_wanted = self._bpf_watched = False
        self._attachments: Attachments  # from samples() on, like the next three
        self._host: Host
        self._online_cpus: OnlineCpus
        self._collectors: Collectors
        self._devices: DeviceWatch | None = None
        self._measured_epochs: dict[str, int] = {}
        self._own_cost = OwnCostCollector(self._collect_from + (2 if self._first_gap_ns < self._interval_ns else 1))
        self._flows = FlowReader()
        self._watched_flows: FlowRequest | None = None  # by a person
        self._sampled_flows: FlowRequest | None = None  # for a finding, until the time below
        self._top_flows: FlowRequest | None = None  # for the Overview
        self._sampled_until_ns = 0

    def samples(self) -> Generator[Sample, None, None]:
        """Attach, then yield a sample per tick.

        Raises:
            BpftopError: there is no such interface, or a forced attach mode failed.
        """
        with ExitStack() as stack:
            if self._early is not None:
                stack.callback(self._early.close)
            try:
                netdev, limits = self._attach(stack)
            finally:
                self._attached.set()
            if free_files() < FILES_LEAST:  # what lacks files ends the source before a screen has opened
                self._collect_from = 0
            self._due_ns = time.monotonic_ns()
            seq = 0
            while not self._closed:
                tick = self._read_traffic()
                if seq == 0:
                    self._open_host(stack, netdev)
                if seq == self._collect_from:  # not before: beside the imports of a screen it takes 50 ms
                    self._open_collectors(stack, netdev, limits)
                yield self._sample(seq, tick)
                self._start_slow_work(seq)
                if seq % TRIM_TICKS == TRIM_TICKS - 1:
                    trim_memory()
                due_ns = self._due_ns
                if seq <= self._collect_from:
                    self._due_ns = self._early_due_ns(due_ns, 2 if seq + 1 == self._collect_from else 1)
                else:
                    self._due_ns = next_due_ns(due_ns, self._interval_ns)
                seq += 1
                self._schedule_flows()
                self._sleep_until_due()
                if seq == self._collect_from + 1 and self._devices is not None:
                    self._devices.wait(FACTS_WAIT_S)

    def _early_due_ns(self, due_ns: int, gaps: int) -> int:
        """Return when the sample after an early one is due: later where that took long, while a screen is imported."""
        return max(due_ns + gaps * self._first_gap_ns, time.monotonic_ns() + self._first_gap_ns // 2)

    def close(self) -> None:
        """End ``samples``. Any thread may call it, any number of times."""
        self._closed = True
        self._commands.put(lambda: None)  # only wakes the thread

    def wait_until_attached(self) -> None:
        """Wait until the thread of ``samples`` has attached its programs, at most for ATTACHED_WAIT_S.

        Imports before that would take Python's lock from it, and a CPU from the kernel's thread that ends its waits.
        """
        self._attached.wait(ATTACHED_WAIT_S)

    def accept_offer(self, label: str) -> None:
        """Carry out the interface's ``offer`` at the next tick."""
        self._commands.put(partial(self._accept_offer, label))

    def change_interval(self, interval_s: float) -> None:
        """Take the samples at another interval; the next one is at most one new interval away."""
        self._commands.put(partial(self._change_interval, int(interval_s * NS_PER_SEC)))

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Start or stop counting flows."""
        self._commands.put(
            partial(self._watch_flows, FlowRequest(sample_1_in, inner=self._options.inner_flows) if on else None)
        )

    def watch_top_flows(self, sample_1_in: int) -> None:
        """Start or (0) stop counting the busiest flows alone, if no one watches flows."""
        request = FlowRequest.for_summary(sample_1_in, inner=self._options.inner_flows) if sample_1_in else None
        self._commands.put(partial(self._watch_top_flows, request))

    def sample_flows(self, sample_1_in: int, seconds: float) -> None:
        """Count flows for some seconds, if no one watches them."""
        self._commands.put(partial(self._sample_flows, sample_1_in, seconds))

    def watch_bpf(self, on: bool) -> None:
        """Start or stop reading the BPF programs and maps at every tick, with run statistics."""
        self._commands.put(partial(self._watch_bpf, on))

    def _watch_bpf(self, on: bool) -> None:
        """Begin to read BPF objects at once; end it with the next tick, as the next pane may watch them too."""
        from bpftop.collect.registry import watched_bpf_objects

        self._bpf_wanted = on
        if on and not self._bpf_watched:
            self._bpf_watched = True
            reader = watched_bpf_objects(lambda: max(WATCHED_BPF_EVERY_NS, self._interval_ns), statistics=True)
            self._collectors.replace("bpf_objects", reader, WATCHED_BPF_EVERY_NS)

    def _end_bpf_watch(self) -> None:
        """Stop to read BPF objects for a person, where no pane of them is open any more."""
        if self._bpf_watched and not self._bpf_wanted:
            from bpftop.collect.registry import bpf_objects

            self._bpf_watched = False
            reader = next(bpf_objects(self._options.bpf, lambda: self._interval_ns), None)
            self._collectors.replace("bpf_objects", reader)

    def _attach(self, stack: ExitStack) -> tuple[Netdev, CounterRows | None]:
        """Enter the namespace and attach; ``stack`` undoes both. Return what the collectors need: see registry.py."""
        limits = None
        if self._options.netns is not None:
            from bpftop.collect.procfs.sysctls import machine_limits
            from bpftop.collect.procfs.tree import Tree

            limits = machine_limits(Tree())
            stack.enter_context(inside(self._options.netns))
            self._netns_inode = namespace_inode()
        netdev = self._early.netdev if self._early is not None else None
        if netdev is None:
            netdev = Netdev()
            stack.callback(netdev.close)
        self._attachments = Attachments(
            self._options.request,
            netdev,
            early=self._early,
            netns=self._options.netns_name,
            progress=self._progress,
            stopped=lambda: self._closed,
        )
        stack.callback(self._attachments.close)
        self._attachments.open(self._names, PATIENCE_NS if self._options.request.terminal else None)
        if self._early is not None:
            self._early.drop_unused()
        return netdev, limits

    def _open_host(self, stack: ExitStack, netdev: Netdev) -> None:
        """Make the readers of the facts that stand beside the readings in each sample. ``stack`` closes them."""
        self._device_stack = DeviceStack(netdev.devices)
        self._host = host()
        self._online_cpus = OnlineCpus(self._host.possible_cpus)
        stack.callback(self._online_cpus.close)
        self._collectors = Collectors((), self._interval_ns)
        stack.callback(self._collectors.close)
        stack.callback(self._flows.close)

    def _open_collectors(self, stack: ExitStack, netdev: Netdev, limits: CounterRows | None) -> None:
        """Make the readers of everything beside the counted packets. ``stack`` closes them."""
        from bpftop.collect.devices.device_watch import DeviceWatch
        from bpftop.collect.procfs.namespace_tree import namespace_tree
        from bpftop.collect.registry import collectors

        tree = stack.enter_context(namespace_tree(entered=self._options.netns is not None))
        self._devices = DeviceWatch(tree, netdev.ethtool)
        stack.callback(self._devices.close)
        self._collectors.add(
            collectors(
                tree,
                netdev,
                self._host,
                drops=self._options.drops,
                bpf=self._options.bpf,
                interval_ns=lambda: self._interval_ns,
                limits=limits,
                foreign_program=lambda interface: self._attachments.by_label[interface.label].foreign_program,
                load_after_s=self._quiet_start_s,
            )
        )

    def _sample(self, seq: int, tick: Tick) -> Sample:
        """Read everything else, and return the sample of the tick."""
        polled_ns = sum(reading.cost_ns for reading in tick.readings.values())
        for label, attachment in self._attachments.by_label.items():
            tick.unavailable.update({f"flows/{label}/{d}": fault for d, fault in attachment.flow_faults.items()})
            if attachment.links is not None:
                tick.readings[reading_key("links", label)] = attachment.links
        self._end_bpf_watch()
        tick.add(*self._collectors.read([each for each in tick.interfaces if each.state in ("up", "down")]))
        tick.add(*self._flows.newest())
        self._thin_flows(tick.readings)
        self._end_flow_sample()
        if seq < self._collect_from:
            tick.unavailable[EVERYTHING_ELSE] = NOT_READ_YET
        tick.readings.update(self._own_cost.readings(polled_ns))
        machine = self._host
        return Sample(
            seq=seq,
            boot_id=machine.boot_id,
            host=machine.name,
            wall_ns=tick.wall_ns,
            mono_ns=tick.mono_ns,
            possible_cpus=machine.possible_cpus,
            online_cpus=self._online_cpus.read(),
            interfaces=self._device_stack.with_below(
                tick.interfaces if self._devices is None else self._devices.with_facts(tick.interfaces)
            ),
            readings=tick.readings,
            unavailable=tick.unavailable,
            kernel=machine.kernel,
        )

    def _read_traffic(self) -> Tick:
        """Check each interface, and read the maps of its counters."""
        tick = Tick(unavailable={} if self._options.drops else _switched_off())
        notices = self._netns_notices()
        for label, attachment in self._attachments.by_label.items():
            interface = attachment.step(time.monotonic_ns())
            tick.interfaces.append(replace(interface, notices=notices + interface.notices) if notices else interface)
            for counter in attachment.counters.values():
                try:
                    tick.readings.update(counter.read(label, attachment.epoch))
                except KernelError as error:
                    tick.unavailable[f"traffic/{label}/{counter.direction}"] = str(error)
            attachment.note_readings(tick.readings)
        tick.wall_ns, tick.mono_ns = time.time_ns(), time.monotonic_ns()
        return tick

    def _netns_notices(self) -> tuple[str, ...]:
        """Return the notice that the name of the watched namespace was deleted, or given to another namespace."""
        path, name = self._options.netns, self._options.netns_name
        if path is None or name is None:
            return ()
        with suppress(OSError):
            if os.stat(path).st_ino == self._netns_inode:
                return ()
        return (
            f"{name} no longer names this network namespace: still counted, and the namespace lasts while bpftop runs.",
        )

    def _start_slow_work(self, seq: int) -> None:
        """Start slow work after the first rates: read the device facts, and measure the cost of a packet.

        Where the first rates are a whole interval away, the work starts at once: a snapshot has no third sample.
        """
        if seq <= self._collect_from and self._first_gap_ns < self._interval_ns:
            return
        if self._devices is not None:
            self._devices.remind()
        by_label = self._attachments.by_label
        new = [each for label, each in by_label.items() if self._measured_epochs.get(label) != each.epoch]
        self._measured_epochs = {label: each.epoch for label, each in by_label.items()}
        if new:
            costs = threading.Thread(
                target=_measure_costs, args=(new, self._quiet_start_s), name="bpftop-cost", daemon=True
            )
            with suppress(NoThread):  # the cost of a packet stays unknown
                start_thread(costs)

    def _sleep_until_due(self) -> None:
        """Wait for the next tick. Carry out the commands that arrive meanwhile, and check loads once a second.

        Programs that wait are attached one after another, at least one per tick: a tick may be late by that.
        """
        while not self._closed and (left_ns := self._due_ns - time.monotonic_ns()) > 0:
            if self._attachments.waiting and self._commands.empty():
                self._attachments.attach_next()
                self._schedule_flows()
                continue
            wait_ns = left_ns if left_ns < 2 * LOAD_WINDOW_NS else LOAD_WINDOW_NS
            try:
                command = self._commands.get(timeout=wait_ns / NS_PER_SEC)
            except queue.Empty:
                if wait_ns == left_ns:
                    return
                for attachment in self._attachments.by_label.values():
                    attachment.check_load(time.monotonic_ns())
                continue
            command()
            self._schedule_flows()  # a command may have attached or detached programs

    def _sample_flows(self, sample_1_in: int, seconds: float) -> None:
        if self._watched_flows is None:
            self._sampled_until_ns = time.monotonic_ns() + round(seconds * NS_PER_SEC)
            if self._sampled_flows is None:
                self._sampled_flows = FlowRequest(sample_1_in, inner=self._options.inner_flows)
                self._count_flows()

    def _end_flow_sample(self) -> None:
        """Stop to count flows where a sample of them is over."""
        if self._sampled_flows is not None and time.monotonic_ns() >= self._sampled_until_ns:
            self._sampled_flows = None
            self._count_flows()

    def _watch_top_flows(self, request: FlowRequest | None) -> None:
        self._top_flows = request
        self._count_flows()

    def _change_interval(self, interval_ns: int) -> None:
        self._interval_ns = self._collectors.interval_ns = interval_ns
        self._due_ns = min(self._due_ns, time.monotonic_ns() + interval_ns)

    def _accept_offer(self, label: str) -> None:
        if label in self._attachments.by_label:
            self._attachments.by_label[label].accept_offer()

    def _watch_flows(self, request: FlowRequest | None) -> None:
        """Count flows as the person asks, or not; this ends a sample for a finding."""
        self._watched_flows, self._sampled_flows = request, None
        self._count_flows()

    @property
    def _flow_request(self) -> FlowRequest | None:
        """Return the request that counts: a person's before a finding's, and the summary of the Overview last."""
        return self._watched_flows or self._sampled_flows or self._top_flows

    def _count_flows(self) -> None:
        self._attachments.watch_flows(self._flow_request)

    def _thin_flows(self, readings: Mapping[str, Reading]) -> None:
        """Sample fewer packets where a table of flows is nearly full or takes too long to read, which begins anew."""
        request = None if self._attachments.waiting else self._flow_request  # some tables are still of another request
        if request is None or (thinner := thinner_request(request, readings)) is None:
            return
        if request is self._watched_flows:
            self._watched_flows = thinner
        else:
            self._sampled_flows = thinner
        self._count_flows()

    def _schedule_flows(self) -> None:
        """Have the tables of flows read in time for the next tick."""
        attachments = self._attachments.by_label.items()
        self._flows.schedule(
            [(label, counter) for label, each in attachments for counter in each.flow_counters], self._due_ns
        )


def _switched_off() -> dict[str, str]:
    from bpftop.collect.bpf.tracing import TRACED

    return dict.fromkeys(TRACED, "switched off by --no-drops")


def _measure_costs(attachments: Sequence[Attachment], after_s: float) -> None:
    from bpftop.collect.bpf.tracing import ONE_AT_A_TIME

    time.sleep(after_s)
    for attachment in attachments:
        with ONE_AT_A_TIME:
            attachment.measure_costs()
