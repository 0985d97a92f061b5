"""Received load of a device, out of its byte counter."""

from __future__ import annotations

import time

from bpftop.kernel.net.netdev import Device, Netdev

NS_PER_SEC = 1_000_000_000
SHORT_WINDOW_NS = 20_000_000  # 2.5 MB at the limit of native XDP; a longer wait would delay the first screen


class LoadMeter:
    """Bits per second out of a byte counter, over windows of at least ``window_ns``."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._window_start: tuple[int, int] | None = None  # time, bytes

    def restart(self) -> None:
        self._window_start = None

    def update(self, now_ns: int, total_bytes: int) -> float | None:
        """Return the rate over the window that ends now.

        None inside a window, at the first update, and for a counter that fell.
        """
        if self._window_start is None:
            self._window_start = now_ns, total_bytes
            return None
        start_ns, start_bytes = self._window_start
        elapsed_ns = now_ns - start_ns
        if elapsed_ns < self._window_ns:
            return None
        self._window_start = now_ns, total_bytes
        return None if total_bytes < start_bytes else (total_bytes - start_bytes) * 8 * NS_PER_SEC / elapsed_ns


def measure_load(netdev: Netdev, device: Device) -> float | None:
    """Wait SHORT_WINDOW_NS and return the bits per second received meanwhile; None where the device went away.

    ``device`` has the counters as they are now.
    """
    meter = LoadMeter(SHORT_WINDOW_NS)
    meter.update(time.monotonic_ns(), device.counters["rx_bytes"])
    time.sleep(SHORT_WINDOW_NS / NS_PER_SEC)
    after = netdev.device(device.ifindex)
    return None if after is None else meter.update(time.monotonic_ns(), after.counters["rx_bytes"])
