"""clsact filters that a killed bpftop left on a device."""

from __future__ import annotations

from pathlib import Path

from bpftop.collect.sockets.owners import PROC, owners
from bpftop.hooks import messages
from bpftop.hooks.steps import CLSACT
from bpftop.kernel.bpf.link import remove_leftovers
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.model.sample import DIRECTIONS


def remove_clsact_leftovers(netdev: Netdev, device: Device, proc: Path = PROC) -> tuple[str, ...]:
    """Take our own filters away, and a clsact that is empty then. Those of a bpftop that lives are left alone.

    A notice where it is not permitted.
    """
    ours = [
        found.prog_id
        for direction in DIRECTIONS
        for found in netdev.filters(device.ifindex, direction)
        if found.prog_id is not None and found.name is not None and found.name.startswith(CLSACT.program)
    ]
    if not ours or any(owners(prog_id, proc) for prog_id in ours):
        return ()
    try:
        remove_leftovers(device.ifindex)
        netdev.remove_empty_clsact(device.ifindex)
    except (KernelError, OSError) as error:
        return (messages.leftovers_stay(device.name, str(error)),)
    return ()
