"""Sockets that are listed again when a counter of the stack moves, and otherwise every few seconds.

For a list the kernel walks its whole table, 0.15 ms on Linux 6.18 without any socket, and IPv4 and IPv6 are two lists:
UDP sockets and listeners, listed at every tick, took a tenth of the CPU time of `watch`.
"""

from __future__ import annotations

import time
from abc import abstractmethod

from bpftop.collect.procfs.counter_files import CounterFile
from bpftop.collect.procfs.tree import Tree
from bpftop.collect.sockets.socket_collector import Listed, SocketCollector
from bpftop.model.units import NS_PER_SEC

RELIST_NS = 3 * NS_PER_SEC
"""The longest time without a list: the ports that are open change without any counter."""

_EARLY_NS = NS_PER_SEC // 4  # a list may be due so much sooner: ticks are not exactly a second apart


class RestingSockets(SocketCollector[Listed]):
    """A collector of sockets that are listed again while one of ``counters`` moves, and every ``RELIST_NS``.

    ``signs`` are counters that move more than before when a port has closed: then the sockets are listed once.
    ``files`` have the counters, and are read just before at each tick; without any the sockets are listed at each
    reading. ``listed_ns`` is the time of the last list (CLOCK_MONOTONIC), 0 before the first.
    """

    counters: tuple[str, ...]
    signs: tuple[str, ...]
    listed_ns = 0

    def __init__(self, tree: Tree, *files: CounterFile) -> None:
        super().__init__(tree)
        self._files_of_counters = files
        self._counts: list[str | None] = []
        self._signs: int | None = None
        self._signs_gain = 0
        self._due_ns = 0
        self._listed: list[Listed] = []

    @abstractmethod
    def list_again(self) -> list[Listed]:
        """Return the sockets, asked of the kernel. Raises Unavailable, KernelError."""

    def may_change_silently(self, listed: list[Listed]) -> bool:
        """Return True if the listed sockets can change while no counter moves."""
        return False

    def list_sockets(self) -> list[Listed]:
        now_ns = time.monotonic_ns()
        if not self._may_rest() or now_ns >= self._due_ns:
            self._due_ns = 0  # a list that fails is not an old list
            self._listed = self.list_again()
            self.listed_ns = now_ns
            self._due_ns = now_ns + RELIST_NS - _EARLY_NS
        return self._listed

    def _may_rest(self) -> bool:
        """Return True if nothing has happened to the sockets since the last reading."""
        words = [file.words for file in self._files_of_counters]
        counts = [each.get(name) for each in words for name in self.counters]
        signs = sum(int(each.get(name, 0)) for each in words for name in self.signs)
        gain = 0 if self._signs is None else max(0, signs - self._signs)
        closed = gain > 2 * self._signs_gain  # some hosts refuse a few packets at every tick
        is_calm = counts == self._counts and not closed and not self.may_change_silently(self._listed)
        self._counts, self._signs, self._signs_gain = counts, signs, gain
        return is_calm and any(words)  # a kernel without IPv6 has no words of it
