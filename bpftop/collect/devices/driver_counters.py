"""Loss counters of the driver: the counters of `ethtool -S` whose names suggest a loss, by the driver's own names.

Names differ from driver to driver (rx_missed_errors, rx_no_dma_resources, rx_out_of_buffer, rx_queue_0_drops), so
they are chosen by a pattern. Drivers may ask their firmware for the values: once per second at most.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.fields import mutable
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.model.sample import Interface, Key, Reading, reading_key

LOSS = re.compile(
    # does not match: interrupts, deferred, transmissions, recover
    r"drop|discard|(?<!trans)miss|(?<!int)(?<!def)err|(?<![a-z])over|underrun|fifo|crc|fail|timeout|abort|lost|bad"
    r"|out_of|no_?(?:buf|skb|desc|dma|mem|space|resource)|collision|jabber|runt|undersize|trunc|illegal|exhaust",
    re.IGNORECASE,
)
_SILENT = (errno.EOPNOTSUPP, errno.ENODEV)  # a device without counters (lo), or gone just now


@mutable
class _DeviceCounters:
    """The counters of one device. ``chosen``: position and name of each loss counter."""

    ifindex: int
    device: str
    count: int
    chosen: tuple[tuple[int, str], ...]
    epoch: int


class Nic:
    """A collector of nic: a reading for each interface whose driver counts losses."""

    name = "nic"

    def __init__(self, ethtool: Ethtool) -> None:
        self._ethtool = ethtool
        self._rows = ReadingBuilder(self.name)
        self._counters: dict[str, _DeviceCounters] = {}
        self._epoch = 0

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        readings: dict[str, Reading] = {}
        refused = ""
        for interface in interfaces:
            try:
                reading = self._read(interface)
            except OSError as error:
                self._counters.pop(interface.label, None)
                if error.errno not in _SILENT:
                    refused = f"counters of the driver of {interface.name}: ethtool cannot read them: {error.strerror}"
                continue
            if reading is not None:
                readings[reading_key("nic", interface.label)] = reading
        if refused and not readings:
            raise Unavailable(refused)
        return readings

    def close(self) -> None:
        """Do nothing: ethtool belongs to the session."""

    def _read(self, interface: Interface) -> Reading | None:
        begin_ns = time.monotonic_ns()
        counters = self._counters_of(interface)
        if not counters.chosen:
            return None
        values = self._ethtool.counter_values(interface.name, counters.count)
        if values is None:  # the driver has other counters now: its queues were changed
            del self._counters[interface.label]
            return None
        read_ns = time.monotonic_ns()
        rows: dict[Key, tuple[int]] = {}
        for position, counter in counters.chosen:
            if values[position]:
                rows[interface.label, counter] = (values[position],)
        return self._rows.reading(rows, read_ns, read_ns - begin_ns, counters.epoch, interface.label)

    def _counters_of(self, interface: Interface) -> _DeviceCounters:
        """Return the counters of the interface's device.

        Names are read again only for another device, or when their number changes. Then the epoch changes, because a
        queue that comes back may bring its counts along.
        """
        known = self._counters.get(interface.label)
        if known is not None and (known.ifindex, known.device) == (interface.ifindex, interface.name):
            return known
        names = self._ethtool.counter_names(interface.name)
        chosen = _loss_counters(tuple(names))
        self._epoch += 1
        known = _DeviceCounters(interface.ifindex, interface.name, len(names), chosen, self._epoch)
        if names:  # none: its queues were changed between two requests, or it has no counters
            self._counters[interface.label] = known
        return known


@lru_cache(maxsize=64)
def _loss_counters(names: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """Return position and name of each counter whose name suggests a loss; one object for 300 devices of a driver."""
    return tuple((position, name) for position, name in enumerate(names) if LOSS.search(name))
