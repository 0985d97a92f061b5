"""Looks at the devices of the watched interfaces from time to time, in a thread of its own.

A look takes milliseconds, and as long as it takes where a driver asks its firmware or somebody holds the lock of the
devices (RTNL): no tick waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bpftop.collect.devices.device_facts import device_facts
from bpftop.collect.procfs.tree import Tree
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.model.device import DeviceFacts
from bpftop.model.sample import Interface

EVERY_S = 10.0
_PATIENCE_S = 1.0  # at the end, for a look that is under way; the thread is a daemon

_Device = tuple[str, str, int]


class DeviceWatch:
    """``with_facts`` and ``remind`` are for the thread in whose network namespace the interfaces are."""

    def __init__(
        self,
        tree: Tree,
        ethtool: Ethtool,
        look: Callable[[Tree, Ethtool, Interface], DeviceFacts] = device_facts,
        every_s: float = EVERY_S,
    ) -> None:
        self._tree, self._ethtool, self._look, self._every_s = tree, ethtool, look, every_s
        self._watched: dict[_Device, Interface] = {}
        self._found: dict[_Device, DeviceFacts] = {}
        self._due_s = 0.0
        self._thread: threading.Thread | None = None
        self._awake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._ending = False

    def with_facts(self, interfaces: Sequence[Interface]) -> list[Interface]:
        """The same with the facts that are known by now."""
        watched = {_device(one): one for one in interfaces if one.state in ("up", "down")}
        if not watched.keys() <= self._watched.keys():
            self._due_s = 0.0
        self._watched = watched
        return [replace(one, facts=self._found.get(_device(one))) for one in interfaces]

    def remind(self) -> None:
        """After a tick: let the thread look where it is time to, or a device is new.

        It begins then because a look that runs beside a tick takes turns with it for the interpreter's lock: of ticks
        of 2 ms, made beside looks at a device with 63 queues, the worst took 49 ms.
        """
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._every_s
        self._idle.clear()
        self._awake.set()
        if self._thread is None:  # it is born into the network namespace of this one
            self._thread = threading.Thread(target=self._run, name="bpftop-devices", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Until the look that ``remind`` began is over, or for so long; not at all where there is none."""
        self._idle.wait(timeout_s)

    def close(self) -> None:
        """End the thread; twice is fine."""
        self._ending = True
        self._awake.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while self._awake.wait() and not self._ending:
            self._awake.clear()
            self._look_at_all()
            self._idle.set()

    def _look_at_all(self) -> None:
        for device, interface in self._watched.items():  # replaced as a whole by the other thread, never changed
            if self._ending:
                return
            facts = self._look(self._tree, self._ethtool, interface)
            if facts != self._found.get(device):
                self._found[device] = facts
        for device in self._found.keys() - self._watched.keys():
            del self._found[device]


def _device(interface: Interface) -> _Device:
    return interface.label, interface.name, interface.ifindex
