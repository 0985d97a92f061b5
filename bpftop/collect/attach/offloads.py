"""Generic XDP switches LRO and GRO-HW off, on a device and all below it, and leaves them off. This puts them back."""

from __future__ import annotations

from bpftop.collect.attach.facts import with_lowers
from bpftop.hooks.facts import GENERIC_SWITCHES_OFF
from bpftop.kernel.net.netdev import Device, Netdev


class Offloads:
    """The offloads that were wanted on when this was made."""

    def __init__(self, netdev: Netdev, device: Device) -> None:
        self._netdev = netdev
        wanted = {
            below.ifindex: netdev.requested_offloads(below, GENERIC_SWITCHES_OFF)
            for below in with_lowers(netdev, device)
        }
        self._wanted = {ifindex: offloads for ifindex, offloads in wanted.items() if offloads}

    def restore(self) -> None:
        """Ask again for those that are no longer wanted on. OSError where the kernel refuses."""
        for ifindex, before in self._wanted.items():
            device = self._netdev.device(ifindex)
            if device is None:
                continue
            lost = before - self._netdev.requested_offloads(device, GENERIC_SWITCHES_OFF)
            if lost:
                self._netdev.request_offloads(device, lost)
        self._wanted = {}
