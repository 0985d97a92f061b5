"""The attachments of all watched interfaces. A screen does not wait until the programs of many are attached."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bpftop.collect.attach.attachment import Attachment
from bpftop.collect.attach.early_start import EarlyStart
from bpftop.collect.bpf.flow_counter import FlowRequest
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.devices.load_meter import SoftirqShares
from bpftop.collect.sockets.owners import PROC
from bpftop.config.resources import free_files, open_file_limit
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.kernel.bpf.kernel_btf import trim_memory
from bpftop.kernel.net.netdev import DeviceReading, Netdev

AttachProgress = Callable[[int, int], object]
"""Called with the number of interfaces whose programs are attached, and the number of all interfaces."""

WAITS = "Only rtnetlink totals until its programs are attached."
"""The notice of an interface that waits for its programs."""

PATIENCE_NS = 500_000_000
"""Longest wait of the first sample of a screen for programs.

The programs of an interface take some 70 ms, of which 55 are waits for RCU under the lock of all devices (RTNL).
"""

FLOW_INTERFACES = 16
"""Flows are counted on at most so many interfaces: loading their programs takes some 0.2 s for each, and their tables
take megabytes of the kernel's memory."""
SUMMARY_INTERFACES = 4
"""The busiest flows alone are counted on at most so many interfaces."""

_FILES_PER_INTERFACE = 20
"""Program, map and link of both directions and of flows take 12 files; loading and timing take more for a moment."""

_FILES_BESIDE = 48
"""Files of the collectors, of tracing and of a recording."""

FILES_LEAST = _FILES_BESIDE + _FILES_PER_INTERFACE
"""With fewer files to open no program is attached."""


def interfaces_most(files: int) -> int:
    """Return how many interfaces can have programs where so many more files may be opened."""
    return max(0, files - _FILES_BESIDE) // _FILES_PER_INTERFACE


class Attachments:
    """The attachment of each interface, in ``by_label``, in the order of the names.

    An interface that waits for its programs has rtnetlink's totals meanwhile. ``stopped`` returns True to end ``open``
    early.
    """

    def __init__(
        self,
        request: AttachRequest,
        netdev: Netdev,
        *,
        early: EarlyStart | None = None,
        netns: str | None = None,
        progress: AttachProgress | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.by_label: dict[str, Attachment] = {}
        self._request, self._netdev, self._netns = request, netdev, netns
        self._early = early
        self._progress, self._stopped = progress, stopped
        self._softirq = SoftirqShares(PROC)
        self._waiting: deque[str] = deque()
        self._attached = self._total = 0
        self._busiest: list[str] = []
        self._flow_request: FlowRequest | None = None
        self._waiting_for_flows: deque[str] = deque()

    @property
    def waiting(self) -> bool:
        """Return True if interfaces wait for their programs, or for those that count flows."""
        return bool(self._waiting or self._waiting_for_flows)

    def open(self, names: Sequence[str], patience_ns: int | None = None) -> None:
        """Attach to the interfaces, first to those that have carried most bytes.

        Interfaces whose turn has not come after ``patience_ns`` wait for ``attach_next``; None: no interface waits.

        Raises:
            BpftopError: there is no such interface, or a forced attach mode failed.
        """
        devices: dict[int, tuple[str, DeviceReading]] = {}
        for name in names:  # all before the first attach, so that the load of each is known without a wait
            before = None if self._early is None else self._early.readings.get(name)
            if before is None:
                before = DeviceReading(self._netdev.find(name, self._netns), time.monotonic_ns())
            devices.setdefault(before.device.ifindex, (name, before))  # two names may name one interface
        self._total = len(devices)
        by_load = sorted(devices.values(), key=_carried_bytes, reverse=True)
        self._busiest = [name for name, _ in by_load]
        until_ns = None if patience_ns is None else time.monotonic_ns() + patience_ns
        for name, before in by_load:
            if self._stopped():
                return
            waits = until_ns is not None and time.monotonic_ns() > until_ns and self._attached > 0
            request = self._request.without_programs(WAITS) if waits else self._affordable_request(name)
            attachment = Attachment(
                name,
                request,
                self._netdev,
                netns=self._netns,
                make_counter=PacketCounter if self._early is None else self._early.make_counter,
                early_tx=None if self._early is None else self._early.take_tx(name),
                softirq=self._softirq,
            )
            self.by_label[name] = attachment
            attachment.open(before)
            if waits:
                self._waiting.append(name)
            else:
                self._count()
        self.by_label = {name: self.by_label[name] for name, _ in devices.values()}

    def attach_next(self) -> None:
        """Attach the programs of the interface that waits for the longest time, and last the programs of flows.

        Raises BpftopError if a forced attach mode failed.
        """
        if not self._waiting:
            self.by_label[self._waiting_for_flows.popleft()].watch_flows(self._flow_request)
            return
        name = self._waiting.popleft()
        self.by_label[name].attach(self._affordable_request(name))
        self._count()
        if not self._waiting:  # each object that was opened left holes in the heap: 1.5 MiB after 600
            trim_memory()

    def watch_flows(self, request: FlowRequest | None) -> None:
        """Count flows on the busiest interfaces, which wait for ``attach_next`` until then, or stop for None."""
        self._flow_request = request
        self._waiting_for_flows.clear()
        most = 0 if request is None else SUMMARY_INTERFACES if request.summary else FLOW_INTERFACES
        self._waiting_for_flows.extend(self._busiest[:most])
        why_not = f"flows are counted on {FLOW_INTERFACES} interfaces at most, the busiest; watch fewer interfaces"
        for label in self._busiest[most:]:
            self.by_label[label].watch_flows(None)
            self.by_label[label].why_no_flows = why_not if most == FLOW_INTERFACES else None

    def close(self) -> None:
        """Detach everything, also where one of the interfaces fails."""
        with ExitStack() as stack:
            stack.callback(self._softirq.close)
            for attachment in self.by_label.values():
                stack.callback(attachment.close)

    def _affordable_request(self, name: str) -> AttachRequest:
        """Return the request for an interface: without programs where the limit of open files leaves no room for them.

        Raises BpftopError if the hook was demanded.
        """
        if self._request.attach == "none" or free_files() >= FILES_LEAST:
            return self._request
        limit = f"the limit of {open_file_limit()} open files (ulimit -n) leaves no room for its programs"
        if self._request.attach != "auto":
            raise BpftopError(f"cannot count on {name}: {limit}; raise the limit, or watch fewer interfaces")
        why = f"Only rtnetlink totals: {limit}; raise the limit, or watch fewer interfaces."
        return self._request.without_programs(why)

    def _count(self) -> None:
        self._attached += 1
        if self._progress is not None:
            self._progress(self._attached, self._total)


def _carried_bytes(named: tuple[str, DeviceReading]) -> int:
    counters = named[1].device.counters
    return counters.get("rx_bytes", 0) + counters.get("tx_bytes", 0)
