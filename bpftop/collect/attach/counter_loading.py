"""Counters that are loaded in threads of their own, while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.config.resources import NoThread, start_thread
from bpftop.hooks.attach_facts import LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.check import KernelError
from bpftop.model.sample import Direction


class CounterLoading:
    """The loading of one counter, which begins at once. Without a thread to spare it takes place in ``take``."""

    def __init__(self, load: Callable[[], PacketCounter]) -> None:
        self._load = load
        self._counter: PacketCounter | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._run, name="load counter", daemon=True)
        try:
            start_thread(self._thread)
        except NoThread:
            self._thread = None

    def take(self) -> PacketCounter:
        """Wait for the counter and return it; the caller owns it from now on. Raises the error of the loading."""
        if self._thread is None:
            return self._load()
        self._thread.join()
        if self._error is not None:
            raise self._error
        counter, self._counter = self._counter, None
        assert counter is not None
        return counter

    def close(self) -> None:
        """Unload a counter that nobody took."""
        if self._thread is not None:
            with suppress(KernelError):
                self.take().close()

    def _run(self) -> None:
        try:
            self._counter = self._load()
        except BaseException as error:  # noqa: BLE001 take raises it
            self._error = error


class EarlyCounters:
    """Makes counters. The one that most interfaces need for TX is loaded from now on, while the rest is imported.

    ``asked`` is set once a counter was asked for: from then on the thread that attaches waits for the kernel.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        likely: tuple[ProgramName, Direction, LinkLayer] = ("count_tc", "tx", "ethernet")
        self._loading = {likely: CounterLoading(partial(PacketCounter, *likely))}

    def make(self, program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        """Return a counter, which the caller owns. Raises KernelError."""
        self.asked.set()
        loading = self._loading.pop((program, direction, layer), None)
        return PacketCounter(program, direction, layer) if loading is None else loading.take()

    def close(self) -> None:
        """Unload what nobody took."""
        self.asked.set()
        while self._loading:
            self._loading.popitem()[1].close()
