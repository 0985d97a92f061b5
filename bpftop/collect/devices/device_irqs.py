"""Interrupts of a network device.

The kernel has no single list. PCI lists the vectors of a function (/sys/class/net/X/device/msi_irqs, Linux 3.2;
``irq`` without MSI). Elsewhere drivers name theirs after the device on its bus (virtio2-input.0, 30be0000.ethernet) or
after the interface (eth0-q0-rx of Xen). A name alone says nothing: /proc/interrupts is machine-wide, and the eth0 of a
container is a veth.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path


def irq_names(text: str) -> dict[int, str]:
    """Return number -> handlers' names, of the numbered rows of /proc/interrupts.

    After the counts come the chip, the hardware's number with the trigger, and after two spaces the handlers' names
    (kernel/irq/proc.c: show_interrupts).
    """
    names: dict[int, str] = {}
    for line in text.splitlines()[1:]:
        number, _, rest = line.partition(":")
        if number.strip().isdecimal():
            names[int(number)] = rest.rstrip().rpartition("  ")[2].strip()
    return names


def device_irqs(folder: Path, device: str, names: Mapping[int, str]) -> tuple[int, ...]:
    """Return the interrupts in ``names`` that belong to a network device, in rising order. ``folder`` is in sysfs.

    All interrupts of a PCI function count: where two ports share a function, also the interrupts of the other port.
    """
    parent = parent_name(folder)
    if parent is None:
        return ()
    vectors = _vectors(folder / "device")
    if not vectors:
        named = re.compile(rf"(?<!\w)(?:{re.escape(parent)}|{re.escape(device)})(?!\w)")
        vectors = {irq for irq, name in names.items() if named.search(name)}
    return tuple(sorted(vectors.intersection(names)))


def parent_name(folder: Path) -> str | None:
    """Return the bus device of a network device, such as virtio2; None for a device made by software."""
    try:
        return os.path.basename(os.readlink(folder / "device"))  # no realpath: a detached mount has no path
    except OSError:
        return None


def _vectors(folder: Path) -> set[int]:
    """Return the interrupt vectors of the PCI function; none for a device on no PCI bus."""
    try:
        return {int(name) for name in os.listdir(folder / "msi_irqs")}
    except (OSError, ValueError):
        pass
    try:
        legacy = int((folder / "irq").read_text())
    except (OSError, ValueError):
        return set()
    return {legacy} if legacy else set()
