"""Facts of a device (ethtool, sysfs, /proc/irq, /proc/net/bonding). An unreadable fact is None, with the reason."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bpftop.collect.collector import Unavailable
from bpftop.collect.devices.bonding import bond
from bpftop.collect.devices.device_irqs import device_irqs, irq_names, parent_name
from bpftop.collect.procfs.open_file import read_once
from bpftop.collect.procfs.tree import Tree
from bpftop.fields import replace
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.model.cpu_lists import parse_cpu_list, parse_cpu_mask
from bpftop.model.device import Bond, DeviceFacts, Irq, Queue
from bpftop.model.sample import DIRECTIONS, Direction, Interface

_T = TypeVar("_T")
_MASKS: dict[Direction, str] = {"rx": "rps_cpus", "tx": "xps_cpus"}


def device_facts(tree: Tree, ethtool: Ethtool, interface: Interface) -> DeviceFacts:
    """Read all facts of a device: about 40 system calls, 3 more per queue and interrupt; drivers may take ms."""
    return _FactsReader(tree, ethtool, interface).facts()


class _FactsReader:
    """A reader of the facts of one device. ``unreadable`` collects field -> reason."""

    def __init__(self, tree: Tree, ethtool: Ethtool, interface: Interface) -> None:
        self._tree, self._ethtool, self._interface = tree, ethtool, interface
        self.unreadable: dict[str, str] = {}

    def facts(self) -> DeviceFacts:
        name, ethtool = self._interface.name, self._ethtool
        driver = ethtool.driver(name)
        table = self._from_ethtool("rss", lambda: ethtool.indirection(name))
        facts = DeviceFacts(
            firmware=(driver and driver.firmware) or None,
            bus=(driver and driver.bus) or None,
            ring=self._from_ethtool("ring", lambda: ethtool.rings(name)),
            channels=self._from_ethtool("channels", lambda: ethtool.channels(name)),
            coalesce=self._from_ethtool("coalesce", lambda: ethtool.coalescing(name)),
            features=self._from_ethtool("features", lambda: ethtool.active_features(name)),
            rss=None if table is None else dict(sorted(Counter(table).items())),
            bond=self._bond() if self._interface.kind == "bond" else None,
            unreadable=self.unreadable,
        )
        try:
            folder = self._tree.device(name, self._interface.ifindex, f"{name} in sysfs")
        except Unavailable as error:
            self.unreadable.update(dict.fromkeys(("numa_node", "queues", "irqs"), str(error)))
            return facts
        node = self._numa_node(folder)
        return replace(
            facts,
            numa_node=node,
            numa_cpus=None if node is None else self._numa_cpus(node),
            queues=self._queues(folder),
            irqs=self._irqs(folder),
        )

    def _from_ethtool(self, field: str, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except OSError as error:
            unsupported = error.errno == errno.EOPNOTSUPP
            self.unreadable[field] = "the driver does not offer this" if unsupported else f"ethtool: {error.strerror}"
            return None

    def _bond(self) -> Bond | None:
        try:
            return bond(self._tree, self._interface.name)
        except Unavailable as error:
            self.unreadable["bond"] = str(error)
            return None

    def _numa_node(self, folder: Path) -> int | None:
        """Return the NUMA node of the PCI function; a virtio device is one level below its function. -1 means none."""
        for device in ("device", "device/.."):
            try:
                node = int(read_once(folder / device / "numa_node"))
            except (OSError, ValueError):
                continue
            return None if node < 0 else node
        return None

    def _numa_cpus(self, node: int) -> tuple[int, ...] | None:
        return self._cpus("numa_cpus", self._tree.root / f"sys/devices/system/node/node{node}/cpulist", parse_cpu_list)

    def _queues(self, folder: Path) -> tuple[Queue, ...] | None:
        try:
            names = os.listdir(folder / "queues")
        except OSError as error:
            self.unreadable["queues"] = _cannot_read(folder / "queues", error)
            return None
        queues = []
        for direction in DIRECTIONS:
            indexes = (name[3:] for name in names if name.startswith(f"{direction}-"))
            for index in sorted(int(index) for index in indexes if index.isdecimal()):
                mask = folder / "queues" / f"{direction}-{index}" / _MASKS[direction]
                queues.append(Queue(direction, index, self._mask(mask)))
        return tuple(queues)

    def _mask(self, path: Path) -> tuple[int, ...] | None:
        """Return the CPUs of the mask; none without CONFIG_RPS, or for XPS of a single queue: no such file."""
        try:
            return parse_cpu_mask(read_once(path))
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            self.unreadable["queues"] = _cannot_read(path, error)
            return None

    def _irqs(self, folder: Path) -> tuple[Irq, ...] | None:
        if parent_name(folder) is None:
            return ()
        try:
            names = irq_names(self._tree.text(self._tree.proc / "interrupts", "interrupts"))
        except Unavailable as error:
            self.unreadable["irqs"] = str(error)
            return None
        return tuple(self._irq(irq, names[irq]) for irq in device_irqs(folder, self._interface.name, names))

    def _irq(self, number: int, name: str) -> Irq:
        folder = self._tree.proc / "irq" / str(number)
        allowed = self._cpus("irqs", folder / "smp_affinity_list", parse_cpu_list)
        effective = folder / "effective_affinity_list"  # Linux 4.13, on interrupt controllers that report it
        return Irq(number, name, allowed, self._cpus("irqs", effective, parse_cpu_list) if effective.exists() else None)

    def _cpus(self, field: str, path: Path, parse: Callable[[str], tuple[int, ...]]) -> tuple[int, ...] | None:
        try:
            return parse(read_once(path))
        except (OSError, ValueError) as error:
            self.unreadable[field] = _cannot_read(path, error)
            return None


def _cannot_read(path: Path, error: OSError | ValueError) -> str:
    return f"cannot read {path}: {error.strerror if isinstance(error, OSError) else error}"
