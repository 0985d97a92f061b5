"""What the three files of named counters have in common: /proc/net/snmp, snmp6 and netstat.

They differ in how a counter gets its name. Values are u64 (unsigned long on 64-bit kernels), summed over the CPUs by
the kernel; the only signed one, Tcp MaxConn, is not read.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface, Key, Reading, reading_key


class CounterFile(ABC):
    """A collector of one family whose rows are the counters of ``counters``; one that the kernel lacks is missing."""

    name: str  # of the collector, its family and its file
    what: str
    counters: Mapping[str, str]

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._rows = ReadingBuilder(self.name)
        self._keys: list[tuple[str, Key]] = [(counter, (counter,)) for counter in self.counters]

    @abstractmethod
    def parse(self, text: str) -> Mapping[str, str]:
        """Counter -> its digits, of all counters in the file. Raises ValueError."""

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable: the file is not there, may not be read, or is not understood."""
        begin_ns = time.monotonic_ns()
        text = self._tree.text(self._tree.proc_net / self.name, self.what)
        read_ns = time.monotonic_ns()
        try:
            words = self.parse(text)
            rows = {key: [u64(words[counter]) if counter in words else None] for counter, key in self._keys}
        except ValueError as error:
            raise Unavailable(f"{self.what}: /proc/net/{self.name} is not understood: {error}") from error
        if all(cell is None for (cell,) in rows.values()):
            raise Unavailable(f"{self.what}: /proc/net/{self.name} has none of the counters that are looked for")
        return {reading_key(self.name): self._rows.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:  # noqa: B027 - nothing is held, by none of the three
        """Nothing is held."""


def two_lines(text: str) -> dict[str, str]:
    """Counters of the format that has a line of names and below it a line of values: ``TcpExt: A B``, ``TcpExt: 1 2``.

    The names are as `nstat` has them, ``TcpExtA``. Raises ValueError.
    """
    lines = text.splitlines()
    if len(lines) % 2:
        raise ValueError(f"it has {len(lines)} lines, which are no pairs")
    found: dict[str, str] = {}
    for names_line, values_line in zip(lines[::2], lines[1::2], strict=True):
        group, *names = names_line.split() or [""]
        same_group, *values = values_line.split() or [""]
        if group != same_group or len(names) != len(values):
            raise ValueError(f"the line of names of {group!r} and the line below it do not fit together")
        prefix = group.rstrip(":")
        found.update(zip([prefix + name for name in names], values, strict=True))
    return found


def u64(word: str, base: int = 10) -> int:
    """A number that fits a cell. Raises ValueError."""
    number = int(word, base)
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{word} is out of range")
    return number
