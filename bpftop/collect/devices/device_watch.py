"""Device facts of the watched interfaces, read every 10 s in a thread of their own.

A read takes milliseconds, and longer where a driver asks its firmware or another process holds the lock of the devices
(RTNL): no tick waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from bpftop.collect.devices.device_facts import device_facts
from bpftop.collect.procfs.tree import Tree
from bpftop.config.resources import NoThread, start_thread
from bpftop.fields import replace
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.model.device import DeviceFacts
from bpftop.model.sample import Interface

EVERY_S = 10.0
_JOIN_S = 1.0  # at the end, for a read that is under way; the thread is a daemon

_Device = tuple[str, str, int]


class DeviceWatch:
    """A thread that reads device facts.

    ``with_facts`` and ``remind`` belong to the thread in whose network namespace the interfaces are.
    """

    def __init__(
        self,
        tree: Tree,
        ethtool: Ethtool,
        read_facts: Callable[[Tree, Ethtool, Interface], DeviceFacts] = device_facts,
        every_s: float = EVERY_S,
    ) -> None:
        self._tree, self._ethtool, self._read_facts, self._every_s = tree, ethtool, read_facts, every_s
        self._watched: dict[_Device, Interface] = {}
        self._facts: dict[_Device, DeviceFacts] = {}
        self._due_s = 0.0
        self._thread: threading.Thread | None = None
        self._awake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._ending = False

    def with_facts(self, interfaces: Sequence[Interface]) -> list[Interface]:
        """Return the interfaces with the facts read so far."""
        watched = {_device(each): each for each in interfaces if each.state in ("up", "down")}
        if not watched.keys() <= self._watched.keys():
            self._due_s = 0.0
        self._watched = watched
        return [replace(each, facts=self._facts.get(_device(each))) for each in interfaces]

    def remind(self) -> None:
        """Start a read of the facts after a tick, where it is due or a device is new.

        Not beside a tick: both would take turns for the interpreter's lock. Beside reads of a device with 63 queues,
        the worst of ticks of 2 ms took 49 ms.
        """
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._every_s
        self._idle.clear()
        self._awake.set()
        if self._thread is None:  # a thread begins in the network namespace of the thread that starts it
            thread = threading.Thread(target=self._run, name="bpftop-devices", daemon=True)
            try:
                start_thread(thread)
            except NoThread:  # the facts stay unread, and the next call tries again
                self._idle.set()
            else:
                self._thread = thread

    def wait(self, timeout_s: float) -> None:
        """Wait for the read that ``remind`` started, for at most ``timeout_s``."""
        self._idle.wait(timeout_s)

    def close(self) -> None:
        """End the thread; twice is fine."""
        self._ending = True
        self._awake.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while self._awake.wait() and not self._ending:
            self._awake.clear()
            self._read_all()
            self._idle.set()

    def _read_all(self) -> None:
        latest: DeviceFacts | None = None
        for device, interface in self._watched.items():  # the other thread replaces the dict, and never changes it
            if self._ending:
                return
            facts = self._read_facts(self._tree, self._ethtool, interface)
            if facts == latest:  # one object for 300 devices of a driver: the facts of each take 3 kB
                facts = latest
            if facts != self._facts.get(device):
                self._facts[device] = facts
            latest = self._facts[device]
        for device in self._facts.keys() - self._watched.keys():
            del self._facts[device]


def _device(interface: Interface) -> _Device:
    return interface.label, interface.name, interface.ifindex
