"""Verdicts of another owner's XDP program on a watched interface: fexit on it (bpf_objects/foreign_xdp.bpf.c).

The program is looked up by its id at every tick: the fexit link would outlive the program's detaching and count
nothing. The program must have BTF. Kernels that refuse all fexit programs (EPERM whatever the capabilities) lack this
part.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial

from bpftop.collect.bpf.tracing import Late, Traced
from bpftop.collect.bpf.xdp_errors import action_name
from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.kernel_btf import entry_function
from bpftop.kernel.bpf.program import open_program
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.privileges import TRACING
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Hook, Interface, Key, Reading, reading_key

TAKES = (*TRACING, "CAP_SYS_ADMIN")
"""CAP_SYS_ADMIN is for opening another owner's program."""


class ForeignXdp:
    """A collector of xdp_verdicts: a reading per interface with another owner's XDP program, a row per verdict.

    ``foreign_program`` returns the id of another owner's program on an interface, None without such a program.
    """

    name = "xdp_verdicts"

    def __init__(self, foreign_program: Callable[[Interface], int | None]) -> None:
        self._foreign_program = foreign_program
        # Foreign program, which may be on several of the interfaces -> the fexit program on it.
        self._programs: dict[int, Late[Traced]] = {}
        self._rows = ReadingBuilder(self.name)

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Return the readings. Raises Unavailable where no program can be watched, or loading is under way."""
        carriers_of: dict[int, list[Interface]] = {}
        for interface in interfaces:
            prog_id = self._foreign_program(interface)
            if prog_id is not None:
                carriers_of.setdefault(prog_id, []).append(interface)
        for prog_id in self._programs.keys() - carriers_of.keys():
            self._programs.pop(prog_id).close()
        readings: dict[str, Reading] = {}
        reasons: list[str] = []
        for prog_id, carriers in carriers_of.items():
            try:
                readings.update(self._read(prog_id, carriers))
            except Unavailable as error:
                reasons.append(str(error))
        if reasons and not readings:
            raise Unavailable("; ".join(reasons))
        return readings

    def close(self) -> None:
        for watched in self._programs.values():
            watched.close()
        self._programs.clear()

    def _read(self, prog_id: int, carriers: Sequence[Interface]) -> dict[str, Reading]:
        if prog_id not in self._programs:
            self._programs[prog_id] = Late(f"verdicts of the XDP program {prog_id}", TAKES)
        indexes = [interface.ifindex for interface in carriers]
        traced = self._programs[prog_id].get(partial(watch, prog_id, indexes))
        counted = traced.read(indexes)
        readings: dict[str, Reading] = {}
        for interface in carriers:
            label = interface.label
            rows: dict[Key, Sequence[int]] = {
                (label, prog_id, action_name(action)): cpus
                for (ifindex, action), cpus in sorted(counted.rows.items())
                if ifindex == interface.ifindex
            }
            cost_ns = 0 if readings else counted.cost_ns  # one read for all: its cost is counted once
            readings[reading_key(self.name, label)] = self._rows.reading(rows, counted.read_ns, cost_ns, label=label)
        return traced.since_attach(readings)


def find_foreign_program(netdev: Netdev, interface: Interface) -> int | None:
    """Ask rtnetlink for the id of another owner's XDP program on the interface."""
    device = netdev.device(interface.ifindex)
    return None if device is None else device.foreign_xdp(interface.hooks.get("rx", Hook()).prog_id)


def watch(prog_id: int, indexes: Collection[int]) -> Traced:
    """Attach a counting program to the exit of the program ``prog_id``.

    Raises KernelError; BpftopError where the program has no BTF.
    """
    with closing(open_program(prog_id)) as program:
        return Traced("foreign_xdp", "count_verdict", 2, indexes, target=(program.fd, _function(program.fd)))


def _function(fd: int) -> str:
    try:
        return entry_function(fd)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            raise BpftopError("it was loaded without BTF, so it cannot be watched; build it with -g") from error
        raise
