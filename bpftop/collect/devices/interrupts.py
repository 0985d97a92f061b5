"""Interrupts of the watched interfaces: /proc/interrupts. A column per online CPU, unsigned int each.

The kernel writes every interrupt of the machine for every CPU, megabytes on large machines: where all watched
interfaces are made by software (veth, bridge, lo) the file is not read at all.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.irqs import device_irqs, irq_names, parent_name
from bpftop.collect.procfs.per_cpu_files import header_cpus, understood
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface, Key, Reading, reading_key

WHAT = "interrupts"
LOOK_AGAIN_NS = 10 * 10**9

_Device = tuple[str, str, int]


class Interrupts:
    name = "interrupts"

    def __init__(self, tree: Tree, possible_cpus: int) -> None:
        self._tree = tree
        self._possible_cpus = possible_cpus
        self._irqs: dict[str, tuple[int, ...]] = {}
        self._devices: list[_Device] = []
        self._look_again_ns = 0
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._cpus: tuple[int, ...] = ()
        self._hotplugs = 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Family irqs of each interface that has interrupts; CPUs that are offline are missing. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        devices = [(interface.label, interface.name, interface.ifindex) for interface in interfaces]
        folders: dict[str, Path] = {}
        if devices != self._devices or begin_ns >= self._look_again_ns:
            folders, self._irqs = self._folders(devices), {}
            self._devices, self._look_again_ns = devices, begin_ns + LOOK_AGAIN_NS
        if not folders and not any(self._irqs.values()):
            return {}
        text = self._tree.text(self._tree.proc / "interrupts", WHAT)
        read_ns = time.monotonic_ns()
        with understood(WHAT, "/proc/interrupts"):
            if folders:
                names = irq_names(text)
                self._irqs = {
                    label: device_irqs(folders[label], name, names) for label, name, _ in devices if label in folders
                }
            lines = text.splitlines()
            cpus = header_cpus(lines[0] if lines else "")
            if cpus != self._cpus:  # a CPU that comes back brings all its counts along: no rate across that
                self._cpus, self._hotplugs = cpus, self._hotplugs + 1
            wanted = {irq for irqs in self._irqs.values() for irq in irqs}
            counts = _counts(lines, wanted, len(cpus))
            cost_ns = (time.monotonic_ns() - begin_ns) // max(1, len(devices))
            return {
                reading_key("irqs", label): self._reading(label, ifindex, cpus, counts, read_ns, cost_ns)
                for label, _, ifindex in devices
                if self._irqs.get(label)
            }

    def close(self) -> None:
        """Nothing is held."""

    def _folders(self, devices: list[_Device]) -> dict[str, Path]:
        """Label -> what sysfs says of the device, of those that are on a bus. Raises Unavailable where it shows none of
        all."""
        folders: dict[str, Path] = {}
        refusals: list[Unavailable] = []
        for label, name, ifindex in devices:
            try:
                folder = self._tree.device(name, ifindex, WHAT)
            except Unavailable as error:
                refusals.append(error)
                continue
            if parent_name(folder) is not None:
                folders[label] = folder
        if refusals and len(refusals) == len(devices):
            raise refusals[0]
        return folders

    def _reading(
        self, label: str, ifindex: int, cpus: tuple[int, ...], counts: Mapping[int, list[int]], at_ns: int, cost_ns: int
    ) -> Reading:
        width = max(self._possible_cpus, max(cpus) + 1)
        keys = tuple((label, irq) for irq in self._irqs[label] if irq in counts)
        if keys != self._keys.get(label):
            self._keys[label] = keys
        values = array("Q")
        for _, irq in keys:
            values.extend(_spread(counts[irq], cpus, width))
        missing = _offline(cpus, width, len(keys))
        epoch = self._hotplugs << 32 | ifindex
        return Reading("irqs", at_ns, cost_ns, epoch, self._keys[label], values, missing)


@lru_cache(maxsize=64)
def _offline(cpus: tuple[int, ...], width: int, rows: int) -> frozenset[int]:
    """The cells of CPUs that are not online, in ``rows`` rows of ``width`` CPUs."""
    offline = set(range(width)).difference(cpus)
    return frozenset(row * width + cpu for row in range(rows) for cpu in offline)


def _counts(lines: Sequence[str], wanted: set[int], cpus: int) -> dict[int, list[int]]:
    """Number -> count per CPU of the header, of the interrupts in ``wanted``. Raises ValueError."""
    found: dict[int, list[int]] = {}
    for line in lines[1:]:
        number = line[: line.find(":")].strip()
        if number.isdecimal() and int(number) in wanted:
            counts = line.split(None, cpus + 1)[1 : cpus + 1]
            if len(counts) != cpus:
                raise ValueError(f"interrupt {number} has {len(counts)} counts for {cpus} CPUs")
            # An interrupt that is bound to a CPU is 0 elsewhere; int() of 512 words costs four times as much.
            found[int(number)] = [0 if count == "0" else int(count) for count in counts]
    return found


def _spread(counts: list[int], cpus: tuple[int, ...], width: int) -> Sequence[int]:
    """A cell per possible CPU; 0 where there is no count."""
    if len(cpus) == width:
        return counts
    row = [0] * width
    for cpu, count in zip(cpus, counts, strict=True):
        if count:
            row[cpu] = count
    return row
