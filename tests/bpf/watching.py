"""Attachments under test: opened in a Lab, stepped and read as the sampler does, and closed."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator

from bpftop.collect.attach.attached_hooks import MakeCounter
from bpftop.collect.attach.attachment import Attachment
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.devices.load_meter import SoftirqShares
from bpftop.hooks.attach_facts import AttachMode, AttachRequest, LoadLimits
from bpftop.kernel.bpf.program import program_info
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.return_code import KernelError
from bpftop.model.protocols import OTHER_ETHERTYPE
from bpftop.model.sample import Direction, Interface, reading_key

OUT_OF_REACH = 1e15


class Watch:
    """One attachment, and the interface at its last step."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self.now: Interface

    def step(self) -> Interface:
        self.now = self.attachment.step(time.monotonic_ns())
        return self.now

    @property
    def hooks(self) -> tuple[str, str]:
        """Return the RX and TX hooks in the words of the header."""
        return str(self.now.hooks["rx"]), str(self.now.hooks["tx"])

    @property
    def notices(self) -> tuple[str, ...]:
        """Return the notices of the last step, apart from what native XDP changes on a veth."""
        return tuple(notice for notice in self.now.notices if "until bpftop ends: " not in notice)

    def packets(self, direction: Direction, protocol: int = OTHER_ETHERTYPE) -> int | None:
        """Return the packets of a protocol; None if no program counts the direction."""
        counter = self.attachment.counters.get(direction)
        if counter is None:
            return None
        label = self.now.label
        readings = counter.read(label, self.attachment.epoch)
        self.attachment.note_readings(readings)
        counted = readings[reading_key("protocols", label, direction)].totals.get((label, direction, protocol), (0, 0))
        return counted[0]

    def prog_ids(self) -> list[int]:
        return [hook.prog_id for hook in self.now.hooks.values() if hook.prog_id is not None]


@contextlib.contextmanager
def watching(
    name: str,
    attach: AttachMode = "auto",
    *,
    may_disturb_device: bool = False,
    terminal: bool = False,
    limit: float | LoadLimits = OUT_OF_REACH,
    window_ns: int = 1_000_000_000,
    make_counter: MakeCounter = PacketCounter,
    softirq: SoftirqShares | None = None,
) -> Iterator[Watch]:
    """Open an attachment, step once, and close it at the end. Unless set, the load limit is out of reach."""
    netdev = Netdev()
    limits = limit if isinstance(limit, LoadLimits) else LoadLimits(limit, OUT_OF_REACH, OUT_OF_REACH)
    request = AttachRequest(attach, may_disturb_device=may_disturb_device, terminal=terminal, limits=limits)
    attachment = Attachment(name, request, netdev, make_counter=make_counter, load_window_ns=window_ns, softirq=softirq)
    try:
        attachment.open()
        watch = Watch(attachment)
        watch.step()
        yield watch
    finally:
        attachment.close()
        netdev.close()


def is_loaded(prog_id: int) -> bool:
    """Return True if the kernel still has the program."""
    try:
        program_info(prog_id)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True
