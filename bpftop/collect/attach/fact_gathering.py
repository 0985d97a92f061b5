"""Facts of a device for the attach plan. Reading them changes nothing and needs no capability."""

from __future__ import annotations

import os
import re

from bpftop.collect.devices.device_stack import devices_below
from bpftop.collect.sockets.owners import owners
from bpftop.hooks.attach_facts import GENERIC_SWITCHES_OFF, AttachFacts, Occupant
from bpftop.kernel.bpf.program import program_info
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.net.virtio import host_fixes_offloads
from bpftop.kernel.privileges import COUNTING, Privileges
from bpftop.kernel.return_code import KernelError


def gather(netdev: Netdev, device: Device) -> AttachFacts:
    """Read the facts of one device, all but its load."""
    driver = netdev.ethtool.driver(device.name)
    return AttachFacts(
        name=device.name,
        link_type=device.link_type,
        kind=device.kind,
        driver=driver.name if driver else None,
        mtu=device.mtu,
        native=_native(netdev, device),
        legs=_legs(netdev, device) if device.kind == "bond" else (),
        occupants=occupants(device),
        offloads=tuple(
            (below.name, offload)
            for below in with_lowers(netdev, device)
            for offload in sorted(netdev.ethtool.requested_offloads(below.name, GENERIC_SWITCHES_OFF))
        ),
        missing_capabilities=_missing_capabilities(),
        kernel=kernel_release(),
        page_bytes=os.sysconf("SC_PAGESIZE"),
    )


def _native(netdev: Netdev, device: Device) -> bool | None:
    """Return True if the driver has native XDP for this device; None if unknown."""
    if device.parent is not None and device.parent_bus == "virtio" and host_fixes_offloads(device.parent):
        return False
    return netdev.native_xdp(device.ifindex)


def _legs(netdev: Netdev, bond: Device) -> tuple[str | None, ...]:
    drivers = (netdev.ethtool.driver(leg.name) for leg in netdev.devices() if leg.master == bond.ifindex)
    return tuple(driver.name if driver else None for driver in drivers)


def with_lowers(netdev: Netdev, device: Device) -> list[Device]:
    """Return the device and all below it, which generic XDP reaches: ports, legs, the device under a vlan."""
    if not device.kind or device.kind == "veth":
        return [device]
    devices = netdev.devices()
    below = devices_below(devices).get(device.ifindex, ())
    return [device, *(other for other in devices if other.ifindex in below)]


def occupants(device: Device) -> tuple[Occupant, ...]:
    """Return the XDP programs on the device. Names need CAP_SYS_ADMIN, processes of other users CAP_SYS_PTRACE."""
    return tuple(
        Occupant(prog_id, mode, _program_name(prog_id), " and ".join(owners(prog_id)) or None)
        for mode, prog_id in device.xdp.items()
    )


def _program_name(prog_id: int) -> str | None:
    try:
        return program_info(prog_id).name or None
    except KernelError:
        return None


def _missing_capabilities() -> tuple[str, ...]:
    """Return the capabilities missing for attaching the counters; none if /proc could not be read."""
    privileges = Privileges.read()
    return () if privileges.effective is None else privileges.missing(COUNTING)


def kernel_release() -> tuple[int, int]:
    """Return the major and minor number of the release; (0, 0) where it has none."""
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
