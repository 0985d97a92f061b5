"""A running capture: programs on the interfaces or on the tracepoint of drops, and the packets that they send."""

from __future__ import annotations

import errno
import time
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from bpftop.collect.bpf.drops import REASON_PREFIX, kernel_drop_reasons, reason_constants
from bpftop.collect.bpf.tracing import refusal
from bpftop.collect.capture.request import REASONS_MOST, CaptureRequest
from bpftop.config.resources import require_files
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import LINK_LAYERS
from bpftop.kernel.bpf.bpf_link import Link, attach_tracing
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_hash import WatchedSet
from bpftop.kernel.bpf.record_ring import PacketRecords
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.netns import namespace_inode
from bpftop.kernel.privileges import TRACING
from bpftop.kernel.return_code import KernelError
from bpftop.model.captured_packet import CaptureCounts, CapturedPacket
from bpftop.model.sample import DIRECTIONS, Direction

_FILES_TO_LOAD = 12
"""Files that one program with its maps takes. With fewer libbpf loads no BTF, and the kernel says EINVAL."""

_SHARED = ("ring", "capture_counts", "seconds")


class PacketCapture:
    """Packets of interfaces in the network namespace of the thread that makes this object, until it is closed.

    Raises BpftopError with what failed, why, and what to do.
    """

    def __init__(self, names: Sequence[str], request: CaptureRequest) -> None:
        self._request = request
        self._functions = KernelFunctions()
        self._reasons: dict[int, str] = {}
        self._name_of = cache(self._functions.name)
        with ExitStack() as stack:
            netdev = Netdev()
            stack.callback(netdev.close)
            devices = [netdev.find(name) for name in dict.fromkeys(names)]
            self._interfaces = {device.ifindex: name for name, device in zip(names, devices, strict=True)}
            opened, self._links = ExitStack(), ExitStack()
            stack.callback(opened.close)
            opened.callback(self._links.close)
            first = self._trace_drops(opened) if request.wanted.dropped else self._attach(opened, devices)
            self._records = _records(first)
            opened.callback(self._records.close)
            self._opened = opened.pop_all()

    @property
    def hides_functions(self) -> bool:
        """Return True if dropped packets cannot be given the name of the function that dropped them."""
        return self._request.wanted.dropped and self._functions.is_hidden

    def wait(self, timeout_s: float) -> None:
        """Wait for packets, at most so long. A signal whose handler raises ends the wait, and no packet is lost."""
        self._records.wait(round(timeout_s * 1000))

    def read(self) -> list[CapturedPacket]:
        """Return the packets that have come since the last read. Raises KernelError."""
        wall_minus_mono_ns = time.time_ns() - time.monotonic_ns()
        return [
            CapturedPacket(
                wall_ns=record.time_ns + wall_minus_mono_ns,
                interface=self._interfaces.get(record.ifindex, ""),
                direction="tx" if record.is_tx else "rx",
                cpu=record.cpu,
                content=with_tag(record.content, record.vlan_type, record.vlan_tci, record.is_ip),
                length_bytes=record.length + (4 if record.vlan_type and not record.is_ip else 0),
                is_ip=record.is_ip,
                segments=max(1, record.segments),
                reason=self._reasons.get(record.reason, str(record.reason)) if self._request.wanted.dropped else None,
                function=self._name_of(record.location) if self._request.wanted.dropped else None,
            )
            for record in self._records.read()
        ]

    def counts(self) -> CaptureCounts:
        """Return what the programs have counted until now. Raises KernelError."""
        return CaptureCounts(*self._records.counts())

    def detach(self) -> None:
        """Take no more packets; those that came can still be read."""
        self._links.close()

    def close(self) -> None:
        """Detach and unload. Packets that were not read are gone."""
        self._opened.close()

    def _trace_drops(self, opened: ExitStack) -> BpfObject:
        request = self._request
        try:
            require_files(_FILES_TO_LOAD)
            reasons = kernel_drop_reasons()
            self._reasons = {number: name.removeprefix(REASON_PREFIX) for number, name in reasons.names.items()}
            reasons_wanted = request.wanted.reasons
            wanted = reason_numbers(self._reasons, reasons_wanted) if reasons_wanted else ()
            constants = {
                **request.constants,
                **reason_constants(reasons),
                **{f"wanted_reason_{place}": number for place, number in enumerate(wanted)},
                "netns": namespace_inode(),
            }
            program = BpfObject("capture_drops", "capture_drop", constants)
            opened.callback(program.close)
            WatchedSet(program.map_fd("watched")).update(self._interfaces)
            self._links.callback(attach_tracing(program.program.fd).close)
        except KernelError as error:
            raise BpftopError(f"cannot capture dropped packets: {refusal(error, TRACING)}") from error
        except (BpftopError, OSError) as error:
            raise BpftopError(f"cannot capture dropped packets: {error}") from error
        return program

    def _attach(self, opened: ExitStack, devices: Sequence[Device]) -> BpfObject:
        programs: list[BpfObject] = []
        for device in devices:
            for direction in DIRECTIONS:
                shared = {name: programs[0].map_fd(name) for name in _SHARED} if programs else {}
                programs.append(self._attach_one(opened, device, direction, shared))
        return programs[0]

    def _attach_one(self, opened: ExitStack, device: Device, direction: Direction, shared: dict[str, int]) -> BpfObject:
        constants = {"capture_tx": int(direction == "tx"), "link_is_ip": int(LINK_LAYERS.get(device.link_type) == "ip")}
        try:
            require_files(_FILES_TO_LOAD)
            program = BpfObject(
                "capture_packets", "capture_tc", {**self._request.constants, **constants}, shared=shared
            )
            opened.callback(program.close)
            self._links.callback(_tcx(program, device, direction).close)
        except KernelError as error:
            why = refusal(error, ("CAP_BPF", "CAP_NET_ADMIN"))
            raise BpftopError(f"cannot capture on {device.name}: {why}") from error
        except BpftopError as error:
            raise BpftopError(f"cannot capture on {device.name}: {error}") from error
        return program


def _tcx(program: BpfObject, device: Device, direction: Direction) -> Link:
    try:
        return Link.tcx(program.program.fd, device.ifindex, direction)
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        raise BpftopError("this kernel has no TCX, which takes Linux 6.6; --drops works from Linux 5.17 on") from error


def _records(program: BpfObject) -> PacketRecords:
    try:
        return PacketRecords(program)
    except KernelError as error:
        raise BpftopError(f"cannot read captured packets: {refusal(error, ('CAP_BPF',))}") from error


def reason_numbers(reasons: Mapping[int, str], wanted: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of drop reasons on this kernel, without those it does not have.

    Raises BpftopError where it has none of them.
    """
    names = [name.upper().removeprefix(REASON_PREFIX) for name in wanted]
    numbers = tuple(number for number, name in reasons.items() if name in names or str(number) in names)
    if not numbers:
        raise BpftopError(
            f"this kernel has no drop reason {' or '.join(map(repr, wanted))}; it has "
            f"{', '.join(sorted(reasons.values()))}"
        )
    return numbers[:REASONS_MOST]


def with_tag(content: bytes, vlan_type: int, vlan_tci: int, is_ip: bool) -> bytes:
    """Return an Ethernet frame with the VLAN tag that the kernel keeps beside it."""
    if not vlan_type or is_ip or len(content) < 12:
        return content
    return content[:12] + vlan_type.to_bytes(2, "big") + vlan_tci.to_bytes(2, "big") + content[12:]


KALLSYMS = Path("/proc/kallsyms")


class KernelFunctions:
    """The table of the kernel's functions, read at the first question.

    The kernel shows addresses as 0 without CAP_SYSLOG (kernel.kptr_restrict), and ``name`` then returns None.
    """

    def __init__(self, path: Path = KALLSYMS) -> None:
        self._path = path
        self._addresses: array[int] | None = None
        self._names: list[bytes] = []

    def name(self, address: int) -> str | None:
        """Return ``FUNCTION+0xOFFSET``; None where no function is known. Raises nothing."""
        if self._addresses is None:
            self._read()
        addresses = self._addresses or array("Q")
        at = bisect_right(addresses, address) - 1
        if at < 0:
            return None
        return f"{self._names[at].decode(errors='replace')}+{address - addresses[at]:#x}"

    @property
    def is_hidden(self) -> bool:
        """Return True if a question was asked and the kernel shows no addresses."""
        return self._addresses is not None and not self._addresses

    def _read(self) -> None:
        """Keep the functions with an address, in order: some 60 000, 6 MB while the capture lasts."""
        rows: list[tuple[int, bytes]] = []
        try:
            with self._path.open("rb") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) >= 3 and words[1] in (b"t", b"T", b"w", b"W") and words[0].strip(b"0"):
                        rows.append((int(words[0], 16), words[2]))
        except (OSError, ValueError):
            rows = []
        rows.sort()
        self._addresses = array("Q", [address for address, _ in rows])
        self._names = [name for _, name in rows]
