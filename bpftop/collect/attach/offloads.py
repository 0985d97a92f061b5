"""Restoring of LRO and GRO-HW, which generic XDP switches off on a device and all below it, and leaves off."""

from __future__ import annotations

from bpftop.collect.attach.fact_gathering import with_lowers
from bpftop.hooks.attach_facts import GENERIC_SWITCHES_OFF
from bpftop.kernel.net.netdev import Device, Netdev


class Offloads:
    """The offloads that were requested when this object was made."""

    def __init__(self, netdev: Netdev, device: Device) -> None:
        self._netdev = netdev
        requested = {
            below.ifindex: netdev.ethtool.requested_offloads(below.name, GENERIC_SWITCHES_OFF)
            for below in with_lowers(netdev, device)
        }
        self._requested = {ifindex: offloads for ifindex, offloads in requested.items() if offloads}

    def restore(self) -> None:
        """Request the offloads again that are no longer requested. Raises OSError where the kernel refuses."""
        for ifindex, before in self._requested.items():
            device = self._netdev.device(ifindex)
            if device is None:
                continue
            lost = before - self._netdev.ethtool.requested_offloads(device.name, GENERIC_SWITCHES_OFF)
            if lost:
                self._netdev.ethtool.request_offloads(device.name, lost)
        self._requested = {}
