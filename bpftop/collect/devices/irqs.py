"""Which interrupts belong to a network device.

There is no one answer in the kernel. PCI lists the vectors of a function (/sys/class/net/X/device/msi_irqs, Linux 3.2;
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
    """Number -> what is behind it, of the numbered rows of /proc/interrupts.

    Behind the counts stand the chip, the hardware's number with the trigger, and the names of the handlers, which two
    spaces precede (kernel/irq/proc.c: show_interrupts).
    """
    names: dict[int, str] = {}
    for line in text.splitlines()[1:]:
        number, _, rest = line.partition(":")
        if number.strip().isdecimal():
            names[int(number)] = rest.rstrip().rpartition("  ")[2].strip()
    return names


def device_irqs(folder: Path, device: str, names: Mapping[int, str]) -> tuple[int, ...]:
    """The interrupts of a network device, of those in ``names``, in the order of their numbers. ``folder`` is sysfs's.

    All of a PCI function count: where two ports share one, those of the other port too.
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
    """The device on a bus that a network device belongs to, as virtio2; None for one that is made by software."""
    try:
        return os.path.basename(os.readlink(folder / "device"))  # no realpath: a detached mount has no path
    except OSError:
        return None


def _vectors(folder: Path) -> set[int]:
    """The vectors of the function that the device is; none where it is on no PCI bus."""
    try:
        return {int(name) for name in os.listdir(folder / "msi_irqs")}
    except (OSError, ValueError):
        pass
    try:
        legacy = int((folder / "irq").read_text())
    except (OSError, ValueError):
        return set()
    return {legacy} if legacy else set()
