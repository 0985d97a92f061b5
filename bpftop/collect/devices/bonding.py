"""Bonds and their legs: /proc/net/bonding (drivers/net/bonding/bond_procfs.c)."""

from __future__ import annotations

import os

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.tree import Tree
from bpftop.kernel.net.names import name_bytes
from bpftop.model.device import Bond, BondLeg


def bond(tree: Tree, name: str) -> Bond:
    """Read a bond. ``mode`` is in the kernel's words; only some modes have an active leg. Raises Unavailable."""
    path = tree.proc_net / "bonding" / os.fsdecode(name_bytes(name))
    mode: str | None = None
    active: str | None = None
    legs: list[BondLeg] = []
    leg: str | None = None
    for line in tree.text(path, f"bond {name}").splitlines():
        word, _, value = (part.strip() for part in line.partition(":"))
        if word == "Bonding Mode":
            mode = value
        elif word == "Currently Active Slave":
            active = None if value == "None" else value
        elif word == "Slave Interface":
            leg = value
        elif word == "MII Status" and leg is not None:  # the bond's own status comes before the first leg
            legs.append(BondLeg(leg, value == "up"))
            leg = None
    if mode is None:
        raise Unavailable(f"bond {name}: {path} is not understood: it names no mode")
    return Bond(mode, active, tuple(legs))
