"""Parts of a start that take their time outside of Python, begun before the modules of a live source are imported."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from bpftop.collect.attach.head_start import HeadStart
from bpftop.collect.bpf.counter_object import counter_object
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.bpf_link import Link

if TYPE_CHECKING:
    from bpftop.collect.bpf.packet_counter import PacketCounter
    from bpftop.hooks.attach_facts import AttachRequest, LinkLayer
    from bpftop.hooks.steps import ProgramName
    from bpftop.kernel.net.netdev import DeviceReading, Netdev
    from bpftop.model.sample import Direction

_LIKELY: tuple[ProgramName, Direction, LinkLayer] = ("count_tc", "tx", "ethernet")
_LIKELY_OF_VETH: tuple[ProgramName, Direction, LinkLayer] = ("count_xdp_frags", "rx", "ethernet")
_WITHOUT_TCX = ("none", "clsact")


class EarlyTx:
    """TX of one interface, counted by TCX before the attachment of the interface is planned. Raises KernelError."""

    def __init__(self, counter: PacketCounter, ifindex: int) -> None:
        self.counter = counter
        try:
            self.link = Link.tcx(counter.program.fd, ifindex, "tx")
        except BaseException:
            counter.close()
            raise

    def close(self) -> None:
        self.link.close()
        self.counter.close()


class EarlyStart:
    """The counter that most interfaces need for TX is loaded, and the window begins that tells each device's load.

    A live source takes it over, which ``taken`` says, and closes it. ``netdev`` and ``readings`` (by the name of the
    interface) belong to the namespace of the calling thread.

    Args:
        likely_names: Words of the command line that may be interfaces of this namespace. The window of their load has
            ended by the time that the words are parsed and a program is loaded.
    """

    def __init__(self, likely_names: Sequence[str] = ()) -> None:
        self.taken = False
        self.netdev: Netdev | None = None
        self.readings: dict[str, DeviceReading] = {}
        self._likely: tuple[Netdev, dict[str, DeviceReading]] | None = None
        self._loading = {_LIKELY: HeadStart(partial(load_counter, *_LIKELY))}
        self._tx: dict[str, HeadStart[EarlyTx]] = {}
        if likely_names:
            try:
                with suppress(OSError, BpftopError):  # read_devices tells of an error
                    self._read_likely(likely_names)
            except BaseException:
                self.close()
                raise

    def _read_likely(self, names: Sequence[str]) -> None:
        from bpftop.kernel.net.netdev import DeviceReading, Netdev  # late: the counter is being loaded by now

        netdev = Netdev()
        readings: dict[str, DeviceReading] = {}
        self._likely = netdev, readings
        for name in names:
            device = netdev.device(name)
            if device is not None:
                readings[name] = DeviceReading(device, time.monotonic_ns())

    def read_devices(self, names: Sequence[str]) -> None:
        """Read the devices of this namespace. Raises BpftopError where there is no such interface."""
        from bpftop.kernel.net.netdev import DeviceReading, Netdev  # late: the counter is being loaded by now

        likely, self._likely = self._likely, None
        try:
            self.netdev, known = likely or (Netdev(), {})
            for name in names:
                self.readings[name] = known.get(name) or DeviceReading(self.netdev.find(name), time.monotonic_ns())
        except BaseException:
            self.close()
            raise

    def begin_attaching(self, request: AttachRequest) -> None:
        """Begin to count TX of the only interface, and load the program for RX, where the plan can be foreseen.

        The kernel waits 16 ms for RCU to attach by TCX, time in which the modules are imported that make the plan.
        """
        if len(self.readings) != 1 or request.attach in _WITHOUT_TCX:
            return
        from bpftop.hooks.attach_facts import LINK_LAYERS  # late, as above

        ((name, reading),) = self.readings.items()
        device = reading.device
        if LINK_LAYERS.get(device.link_type) != "ethernet":
            return
        loading = self._loading.pop(_LIKELY)
        self._tx[name] = HeadStart(lambda: EarlyTx(loading.take(), device.ifindex))
        if device.kind == "veth" and request.attach in ("auto", "native"):
            self._loading[_LIKELY_OF_VETH] = HeadStart(partial(_next_counter, loading, *_LIKELY_OF_VETH))

    def take_tx(self, name: str) -> HeadStart[EarlyTx] | None:
        """Return the early attachment of an interface, which the caller owns, if there is one."""
        return self._tx.pop(name, None)

    def make_counter(self, program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        """Return a counter, which the caller owns. Raises KernelError."""
        loading = self._loading.pop((program, direction, layer), None)
        return load_counter(program, direction, layer) if loading is None else loading.take()

    def drop_unused(self) -> None:
        """Forget the readings, and unload the counter if no interface took it.

        None takes it where none counts TX, or where frames begin with the IP header.
        """
        self.readings = {}
        while self._loading:
            self._loading.popitem()[1].close()

    def close(self) -> None:
        """Detach, unload and close what nobody took over; twice is fine."""
        self.drop_unused()
        while self._tx:
            self._tx.popitem()[1].close()
        if self.netdev is not None:
            self.netdev.close()
        if self._likely is not None:
            self._likely[0].close()


def _next_counter(
    before: HeadStart[PacketCounter], program: ProgramName, direction: Direction, layer: LinkLayer
) -> PacketCounter:
    """Load a counter once another one is loaded, whose attaching would wait for the CPU."""
    before.wait()
    return load_counter(program, direction, layer)


def load_counter(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
    """Load a counter. The modules that read it are imported after that. Raises KernelError."""
    loaded = counter_object(program, direction, layer)
    try:
        from bpftop.collect.bpf.packet_counter import PacketCounter

        return PacketCounter(program, direction, layer, loaded)
    except BaseException:
        loaded.close()
        raise
