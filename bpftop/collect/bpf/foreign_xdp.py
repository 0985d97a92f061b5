"""What the XDP program of somebody else on a watched interface returns: fexit on it (bpf_objects/foreign_xdp.bpf.c).

The program is found by its id at every tick: a link of ours would outlive its detaching and count nothing. It must have
BTF. Kernels that refuse all fexit programs (EPERM whatever the capabilities) leave this out.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bpftop.collect.bpf.tracing import TRACING, Late, Traced
from bpftop.collect.bpf.xdp_errors import action_name
from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.kernel_btf import entry_function
from bpftop.kernel.bpf.program_info import open_program
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Hook, Interface, Key, Reading, reading_key

TAKES = (*TRACING, "CAP_SYS_ADMIN")
"""The last one to open somebody else's program."""


class _Watched:
    """The program behind one foreign program, which may be on several of the watched interfaces."""

    def __init__(self, prog_id: int) -> None:
        self.late: Late[Traced] = Late(f"verdicts of the XDP program {prog_id}", TAKES)
        self.begun = False


class ForeignXdp:
    """Family xdp_verdicts: a reading for each interface with somebody else's XDP program, rows by verdict, per CPU."""

    name = "xdp_verdicts"

    def __init__(self, netdev: Netdev) -> None:
        self._netdev = netdev
        self._programs: dict[int, _Watched] = {}
        self._rows: dict[str, ReadingBuilder] = {}

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """No reading where there is no such program. Raises Unavailable where none of them can be watched, also until
        it is."""
        found: dict[int, list[Interface]] = {}
        for interface in interfaces:
            prog_id = self._foreign(interface)
            if prog_id is not None:
                found.setdefault(prog_id, []).append(interface)
        for prog_id in self._programs.keys() - found.keys():
            self._programs.pop(prog_id).late.close()
        readings: dict[str, Reading] = {}
        reasons: list[str] = []
        for prog_id, carriers in found.items():
            try:
                readings.update(self._read(prog_id, carriers))
            except Unavailable as error:
                reasons.append(str(error))
        if reasons and not readings:
            raise Unavailable("; ".join(reasons))
        return readings

    def close(self) -> None:
        for watched in self._programs.values():
            watched.late.close()
        self._programs.clear()

    def _foreign(self, interface: Interface) -> int | None:
        """The id of the program that runs there, unless it is ours. One in the hardware cannot be watched."""
        device = self._netdev.device(interface.ifindex)
        xdp = device.xdp if device is not None else {}
        prog_id = xdp.get("native", xdp.get("generic"))
        return None if prog_id == interface.hooks.get("rx", Hook()).prog_id else prog_id

    def _read(self, prog_id: int, carriers: Sequence[Interface]) -> dict[str, Reading]:
        watched = self._programs.setdefault(prog_id, _Watched(prog_id))
        indexes = [interface.ifindex for interface in carriers]
        traced = watched.late.get(partial(watch, prog_id, indexes))
        counted = traced.read(indexes)
        readings: dict[str, Reading] = {}
        for interface in carriers:
            label = interface.label
            rows: dict[Key, Sequence[int]] = {
                (label, prog_id, action_name(action)): cpus.tolist()
                for (ifindex, action), cpus in sorted(counted.rows.items())
                if ifindex == interface.ifindex
            }
            kept = self._rows.setdefault(label, ReadingBuilder("xdp_verdicts"))
            reading = kept.reading(rows, counted.read_ns, 0 if readings else counted.cost_ns)
            if not watched.begun:
                reading = replace(reading, previous=ReadingBuilder("xdp_verdicts").reading({}, traced.attached_ns, 0))
            readings[reading_key("xdp_verdicts", label)] = reading
        watched.begun = True
        return readings


def watch(prog_id: int, indexes: Collection[int]) -> Traced:
    """The counting program behind the program ``prog_id``, attached. Raises KernelError; BpftopError where that program
    has no BTF."""
    fd = open_program(prog_id)
    try:
        return Traced("foreign_xdp", "count_verdict", 2, indexes, target=(fd, _function(fd)))
    finally:
        os.close(fd)


def _function(fd: int) -> str:
    try:
        return entry_function(fd)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            raise BpftopError("it was loaded without BTF, so it cannot be watched; build it with -g") from error
        raise
