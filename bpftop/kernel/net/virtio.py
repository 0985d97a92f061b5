"""Features that a virtio_net device and its host agreed on."""

from __future__ import annotations

from pathlib import Path

DEVICES = Path("/sys/bus/virtio/devices")
"""Unlike /sys/class/net, this folder has the devices of all network namespaces."""

# Bits of include/uapi/linux/virtio_net.h
_CTRL_GUEST_OFFLOADS = 2
_GUEST_OFFLOADS = (1, 7, 8, 9, 10, 54, 55)
"""GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_UFO, GUEST_USO4, GUEST_USO6."""


def host_fixes_offloads(name: str) -> bool:
    """Return True if the host sends super-frames or no checksums, and does not let the guest switch that off.

    Then the driver refuses native XDP with EOPNOTSUPP (virtnet_xdp_set), although it reports native XDP. False where
    the features cannot be read.
    """
    try:
        bits = (DEVICES / name / "features").read_text("ascii").strip()
    except (OSError, ValueError):
        return False
    given = {number for number, bit in enumerate(bits) if bit == "1"}
    return _CTRL_GUEST_OFFLOADS not in given and not given.isdisjoint(_GUEST_OFFLOADS)
