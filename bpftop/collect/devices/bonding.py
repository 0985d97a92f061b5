"""A bond and its legs: /proc/net/bonding. Format: drivers/net/bonding/bond_procfs.c."""

from __future__ import annotations

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.tree import Tree
from bpftop.model.device import Bond, BondLeg


def bond(tree: Tree, name: str) -> Bond:
    """``mode`` in the kernel's words; ``active_leg`` only where the mode has one. Raises Unavailable."""
    path = tree.proc_net / "bonding" / name
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
        elif word == "MII Status" and leg is not None:  # that of the bond itself comes before the first leg
            legs.append(BondLeg(leg, value == "up"))
            leg = None
    if mode is None:
        raise Unavailable(f"bond {name}: {path} is not understood: it names no mode")
    return Bond(mode, active, tuple(legs))
