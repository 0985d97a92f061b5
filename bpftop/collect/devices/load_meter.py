"""Received load of a device: its own byte and packet counters, and the softirq time of its CPU in /proc/stat."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from bpftop.collect.procfs.cpu_times import cpu_ticks
from bpftop.collect.procfs.open_file import HeldFile
from bpftop.fields import replace
from bpftop.hooks.attach_facts import Load
from bpftop.kernel.net.netdev import Device, DeviceReading, Netdev
from bpftop.model.families import FAMILIES
from bpftop.model.readings import pair_readings
from bpftop.model.sample import Reading
from bpftop.model.units import NS_PER_SEC

LOAD_WINDOW_NS = NS_PER_SEC  # a burst that is shorter is no load
# 625 kB and 500 packets at the limits of a veth. The window runs while facts are read; a longer one would delay the
# first screen.
SHORT_WINDOW_NS = 25_000_000
_SOFTIRQ = FAMILIES["cpu_times"].columns.index("softirq_ns")


class LoadMeter:
    """Load out of the counters of a device, over windows of at least ``window_ns``."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._start: tuple[int, int, int] | None = None  # time, bytes, packets

    def restart(self) -> None:
        self._start = None

    def update(self, now_ns: int, total_bytes: int, total_packets: int) -> Load | None:
        """Return the load over the window that ends now.

        None inside a window, at the first update, and for a counter that fell.
        """
        if self._start is None:
            self._start = now_ns, total_bytes, total_packets
            return None
        start_ns, start_bytes, start_packets = self._start
        elapsed_ns = now_ns - start_ns
        if elapsed_ns < self._window_ns:
            return None
        self._start = now_ns, total_bytes, total_packets
        if total_bytes < start_bytes or total_packets < start_packets:
            return None
        per_sec = NS_PER_SEC / elapsed_ns
        return Load((total_bytes - start_bytes) * 8 * per_sec, (total_packets - start_packets) * per_sec)


def measure_load(netdev: Netdev, before: DeviceReading) -> Load | None:
    """Wait until SHORT_WINDOW_NS after ``before``, and return the load since; None where the device went away."""
    meter = LoadMeter(0)
    meter.update(before.read_ns, *_received(before.device))
    time.sleep(max(0, before.read_ns + SHORT_WINDOW_NS - time.monotonic_ns()) / NS_PER_SEC)
    after = netdev.device(before.device.ifindex)
    return None if after is None else meter.update(time.monotonic_ns(), *_received(after))


def _received(device: Device) -> tuple[int, int]:
    return device.counters["rx_bytes"], device.counters["rx_packets"]


class SoftirqShares:
    """Share of each CPU's time in softirqs, over windows of at least ``window_ns``; for all interfaces together."""

    def __init__(self, proc: Path, window_ns: int = LOAD_WINDOW_NS) -> None:
        self._stat, self._window_ns = HeldFile(proc / "stat", one_record=True), window_ns
        self._read_ns: int | None = None
        self._ticks: dict[int, tuple[int, int]] = {}  # CPU -> softirq, all
        self._shares: Mapping[int, float] = {}

    def close(self) -> None:
        self._stat.close()

    def shares(self, now_ns: int) -> Mapping[int, float]:
        """Return CPU -> share over the last whole window; empty until there was one, or without /proc/stat."""
        if self._read_ns is None or now_ns - self._read_ns >= self._window_ns:
            before, self._ticks = self._ticks, self._read()
            if self._read_ns is not None and now_ns - self._read_ns > 3 * self._window_ns:
                before = {}  # nobody asked for long: not the load of now
            self._read_ns = now_ns
            self._shares = {
                cpu: (softirq - before[cpu][0]) / (total - before[cpu][1])
                for cpu, (softirq, total) in self._ticks.items()
                if cpu in before and total > before[cpu][1]
            }
        return self._shares

    def _read(self) -> dict[int, tuple[int, int]]:
        with contextlib.suppress(OSError, ValueError):
            return {cpu: (ticks[_SOFTIRQ], sum(ticks)) for cpu, ticks in cpu_ticks(self._stat.text()).items()}
        return {}


class LoadWatch:
    """The load of one device while it is watched, with the softirq share of the CPU that receives most.

    ``softirq``: None leaves that share out.
    """

    def __init__(self, window_ns: int, softirq: SoftirqShares | None) -> None:
        self._meter, self._softirq = LoadMeter(window_ns), softirq
        self._reading: Reading | None = None
        self._cpu: int | None = None

    def restart(self) -> None:
        self._meter.restart()

    def note(self, reading: Reading) -> None:
        """Take the newest reading of received protocols, which tells the CPU."""
        pair = pair_readings(self._reading, reading)
        self._reading = reading
        packets = [] if pair is None else pair.moved_by_cpu(reading.cpus)
        if any(packets):
            self._cpu = packets.index(max(packets))

    def update(self, now_ns: int, device: Device) -> Load | None:
        """Return the load over the window that ends now; None inside a window."""
        shares = {} if self._softirq is None else self._softirq.shares(now_ns)
        load = self._meter.update(now_ns, *_received(device))
        if load is None or self._cpu is None:
            return load
        return replace(load, softirq_share=shares.get(self._cpu))
