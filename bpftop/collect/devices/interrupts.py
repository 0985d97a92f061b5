"""Interrupts of the watched interfaces: /proc/interrupts. A column per online CPU, unsigned int each.

The kernel writes every interrupt of the machine for every CPU, megabytes on large machines: where all watched
interfaces are made by software (veth, bridge, lo) the file is not read at all.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.device_irqs import device_irqs, irq_names, parent_name
from bpftop.collect.procfs.proc_file import ProcFile
from bpftop.collect.procfs.tree import Tree
from bpftop.model.cpu_lists import parse_cpu_header
from bpftop.model.sample import Interface, Key, Reading, reading_key

SUBJECT = "interrupts"
LOOKUP_NS = 10 * 10**9  # between two look-ups of the devices' interrupt numbers

_Device = tuple[str, str, int]  # label, name, ifindex
_Counts = tuple[tuple[int, ...], Mapping[int, list[int]]]  # online CPUs; interrupt -> a count for each of them


class Interrupts:
    """A collector of irqs: a reading for each interface that has interrupts. CPUs that are offline are missing."""

    name = "interrupts"

    def __init__(self, tree: Tree, possible_cpus: int) -> None:
        self._tree = tree
        self._file = ProcFile(tree, "interrupts", SUBJECT)
        self._possible_cpus = possible_cpus
        self._irqs: dict[str, tuple[int, ...]] = {}
        self._devices: list[_Device] = []
        self._next_lookup_ns = 0
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._cpus: tuple[int, ...] = ()
        self._hotplugs = 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        begin_ns = time.monotonic_ns()
        devices = [(interface.label, interface.name, interface.ifindex) for interface in interfaces]
        folders: dict[str, Path] = {}
        if devices != self._devices or begin_ns >= self._next_lookup_ns:
            folders, self._irqs = self._device_folders(devices), {}
            self._devices, self._next_lookup_ns = devices, begin_ns + LOOKUP_NS
        if not folders and not any(self._irqs.values()):
            return {}
        cpus, counts = self._file.read(partial(self._parse, folders))
        if cpus != self._cpus:  # a CPU that comes back brings all its counts along: no rate across that
            self._cpus, self._hotplugs = cpus, self._hotplugs + 1
        try:
            values = {label: self._values(label, cpus, counts) for label, irqs in self._irqs.items() if irqs}
        except OverflowError as error:  # a number that no cell holds
            raise self._file.not_understood(error) from error
        cost_ns = (time.monotonic_ns() - begin_ns) // max(1, len(devices))
        return {
            reading_key("irqs", label): self._reading(label, ifindex, values[label], cost_ns)
            for label, _, ifindex in devices
            if label in values
        }

    def close(self) -> None:
        self._file.close()

    def _device_folders(self, devices: list[_Device]) -> dict[str, Path]:
        """Return label -> sysfs folder of the devices on a bus. Raises Unavailable where sysfs shows no device."""
        folders: dict[str, Path] = {}
        refusals: list[Unavailable] = []
        for label, name, ifindex in devices:
            try:
                folder = self._tree.device(name, ifindex, SUBJECT)
            except Unavailable as error:
                refusals.append(error)
                continue
            if parent_name(folder) is not None:
                folders[label] = folder
        if refusals and len(refusals) == len(devices):
            raise refusals[0]
        return folders

    def _parse(self, folders: Mapping[str, Path], text: str) -> _Counts:
        """Return the online CPUs and the counts of the devices' interrupts.

        The interrupts of the devices in ``folders`` are looked up first. Raises ValueError.
        """
        if folders:
            names = irq_names(text)
            self._irqs = {
                label: device_irqs(folders[label], name, names) for label, name, _ in self._devices if label in folders
            }
        lines = text.splitlines()
        cpus = parse_cpu_header(lines[0] if lines else "")
        return cpus, _counts(lines, {irq for irqs in self._irqs.values() for irq in irqs}, len(cpus))

    def _values(self, label: str, cpus: tuple[int, ...], counts: Mapping[int, list[int]]) -> array[int]:
        keys = tuple((label, irq) for irq in self._irqs[label] if irq in counts)
        if keys != self._keys.get(label):
            self._keys[label] = keys
        values = array("Q")
        for _, irq in keys:
            values.extend(_spread(counts[irq], cpus, self._width()))
        return values

    def _reading(self, label: str, ifindex: int, values: array[int], cost_ns: int) -> Reading:
        keys = self._keys[label]
        missing = _offline_cells(self._cpus, self._width(), len(keys))
        epoch = self._hotplugs << 32 | ifindex
        return Reading("irqs", self._file.read_ns, cost_ns, epoch, keys, values, missing)

    def _width(self) -> int:
        """Return the number of CPUs that a row has cells for."""
        return max(self._possible_cpus, max(self._cpus) + 1)


@lru_cache(maxsize=64)
def _offline_cells(cpus: tuple[int, ...], width: int, rows: int) -> frozenset[int]:
    """Return the cells of CPUs that are not online, in ``rows`` rows of ``width`` CPUs."""
    offline = set(range(width)).difference(cpus)
    return frozenset(row * width + cpu for row in range(rows) for cpu in offline)


def _counts(lines: Sequence[str], wanted: set[int], cpus: int) -> dict[int, list[int]]:
    """Return interrupt -> a count per CPU of the header, for the interrupts in ``wanted``. Raises ValueError."""
    counts: dict[int, list[int]] = {}
    for line in lines[1:]:
        number = line[: line.find(":")].strip()
        if number.isdecimal() and int(number) in wanted:
            words = line.split(None, cpus + 1)[1 : cpus + 1]
            if len(words) != cpus:
                raise ValueError(f"interrupt {number} has {len(words)} counts for {cpus} CPUs")
            # An interrupt that is bound to a CPU is 0 elsewhere; int() of 512 words costs four times as much.
            counts[int(number)] = [0 if word == "0" else int(word) for word in words]
    return counts


def _spread(counts: list[int], cpus: tuple[int, ...], width: int) -> Sequence[int]:
    """Return a cell per possible CPU; 0 where there is no count."""
    if len(cpus) == width:
        return counts
    row = [0] * width
    for cpu, count in zip(cpus, counts, strict=True):
        if count:
            row[cpu] = count
    return row
