"""Parts of a start that take their time outside of Python, begun before the modules of a live source are imported."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from bpftop.collect.attach.counter_loading import CounterLoading
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.hooks.attach_facts import LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.model.sample import Direction

if TYPE_CHECKING:
    from bpftop.kernel.net.netdev import DeviceReading, Netdev


class EarlyStart:
    """The counter that most interfaces need for TX is loaded, and the window begins that tells each device's load.

    A live source takes it over and closes it. ``netdev`` and ``readings`` (by the name of the interface) belong to the
    namespace of the calling thread. ``asked`` is set once a counter was asked for: from then on the thread that
    attaches waits for the kernel.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.netdev: Netdev | None = None
        self.readings: dict[str, DeviceReading] = {}
        likely: tuple[ProgramName, Direction, LinkLayer] = ("count_tc", "tx", "ethernet")
        self._loading = {likely: CounterLoading(partial(PacketCounter, *likely))}

    def read_devices(self, names: Sequence[str]) -> None:
        """Read the devices of this namespace. Raises BpftopError where there is no such interface."""
        from bpftop.kernel.net.netdev import DeviceReading, Netdev  # late: the counter is being loaded by now

        try:
            self.netdev = Netdev()
            for name in names:
                self.readings[name] = DeviceReading(self.netdev.find(name), time.monotonic_ns())
        except BaseException:
            self.close()
            raise

    def make_counter(self, program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        """Return a counter, which the caller owns. Raises KernelError."""
        self.asked.set()
        loading = self._loading.pop((program, direction, layer), None)
        return PacketCounter(program, direction, layer) if loading is None else loading.take()

    def unload_unused(self) -> None:
        """Unload the counter if no interface took it: none counts TX, or their frames begin with the IP header."""
        self.asked.set()
        while self._loading:
            self._loading.popitem()[1].close()

    def close(self) -> None:
        self.unload_unused()
        if self.netdev is not None:
            self.netdev.close()
