"""Removal of clsact filters that a killed bpftop left on a device."""

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
    """Remove bpftop's filters, and a clsact qdisc that is empty then; filters of a running bpftop stay.

    Returns:
        A notice where the kernel does not permit it.
    """
    own_prog_ids = [
        clsact_filter.prog_id
        for direction in DIRECTIONS
        for clsact_filter in netdev.filters(device.ifindex, direction)
        if clsact_filter.prog_id is not None and (clsact_filter.name or "").startswith(CLSACT.program)
    ]
    if not own_prog_ids or any(owners(prog_id, proc) for prog_id in own_prog_ids):
        return ()
    try:
        remove_leftovers(device.ifindex)
        netdev.remove_empty_clsact(device.ifindex)
    except (KernelError, OSError) as error:
        return (messages.leftovers_stay(device.name, str(error)),)
    return ()
