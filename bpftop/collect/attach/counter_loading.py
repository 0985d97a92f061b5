"""A counter that is loaded in a thread of its own, while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.config.resources import NoThread, start_thread
from bpftop.kernel.return_code import KernelError


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
