"""Host names of addresses, looked up on request in threads, so that the screen never waits for the resolver."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bpftop.config.resources import NoThread, start_thread
from bpftop.tui.widgets.line import clean

Resolve = Callable[[str], str | None]
"""Returns the name of an address, or None if the address has no name. May block."""

THREADS = 4
EXPIRES_S = 5.0
"""A request that waited longer than this behind slow requests is dropped; the person can repeat it."""


def system_name(address: str) -> str | None:
    """Return the name from the system's resolver."""
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError:
        return None


@dataclass(frozen=True)
class AddressNames:
    """The state that the pane of flows draws."""

    enabled: bool = False
    known: Mapping[str, str] | None = None
    pending: int = 0
    """Requests without an answer."""

    @property
    def displayed(self) -> Mapping[str, str]:
        """Return address -> name; empty while names are switched off."""
        return self.known or {} if self.enabled else {}


class AddressLookup:
    """Looks up names in daemon threads that end with the process: a resolver may block for half a minute.

    ``notify`` is called in a lookup thread after every answer.
    """

    def __init__(self, notify: Callable[[], object], resolve: Resolve) -> None:
        self._notify, self._resolve = notify, resolve
        self._enabled = False
        self._lock = threading.Lock()
        self._answers: dict[str, str | None] = {}
        self._pending: set[str] = set()
        self._requests: queue.SimpleQueue[tuple[str, float] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    @property
    def state(self) -> AddressNames:
        """Return the names that are known now."""
        with self._lock:
            known = {address: name for address, name in self._answers.items() if name}
            return AddressNames(self._enabled, known, len(self._pending))

    def look_up(self, addresses: Iterable[str]) -> None:
        """Look up the addresses that are new; without new addresses, switch names off or on."""
        with self._lock:
            new = [a for a in addresses if a not in self._answers and a not in self._pending]
            self._pending.update(new)
        self._enabled = bool(new) or not self._enabled
        for address in new:
            self._requests.put((address, time.monotonic()))
        while new and len(self._threads) < THREADS:
            thread = threading.Thread(target=self._look_up, name="names", daemon=True)
            try:
                start_thread(thread)
            except NoThread:  # the threads that there are look up the rest
                break
            self._threads.append(thread)

    def close(self) -> None:
        """End the threads after their current request."""
        for _ in self._threads:
            self._requests.put(None)

    def _look_up(self) -> None:
        while (request := self._requests.get()) is not None:
            address, requested_s = request
            expired = time.monotonic() - requested_s > EXPIRES_S
            name = None if expired else self._resolve(address)
            with self._lock:
                self._pending.discard(address)
                if not expired:
                    self._answers[address] = clean(name) if name else None
            self._notify()
