"""Sockets, their memory, and packets under reassembly: /proc/net/sockstat and sockstat6 (net/ipv4/proc.c).

``inuse`` and ``tw`` belong to the namespace; ``mem``, ``orphan`` and their limits belong to the machine, in whatever
namespace they are read (Linux 4.19 and 6.18: global counters).
"""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.collect.collector import CounterRows, Unavailable
from bpftop.collect.procfs.counter_files import parse_u64
from bpftop.collect.procfs.proc_file import ProcCollector
from bpftop.collect.procfs.tree import FileMissing, Tree

Values = Mapping[tuple[str, str], int]


class Sockstat(ProcCollector):
    """A collector of sockstat and socket_memory. A kernel without IPv6 has no sockstat6, and no such sockets."""

    name = "sockstat"
    subject = "sockets and their memory"

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self._sockstat, self._sockstat6 = self.file("net/sockstat"), self.file("net/sockstat6")

    def read_rows(self) -> Mapping[str, CounterRows]:
        ipv4 = self._sockstat.read(_parse)
        ipv6: Values | None
        try:
            ipv6 = self._sockstat6.read(_parse)
        except FileMissing:
            ipv6 = {}
        except Unavailable:
            ipv6 = None

        def both(group: str, name: str) -> int | None:
            first = ipv4.get((f"{group}:", name))
            return None if first is None or ipv6 is None else first + ipv6.get((f"{group}6:", name), 0)

        sockets = [
            both("TCP", "inuse"),
            ipv4.get(("TCP:", "tw")),
            both("UDP", "inuse"),
            both("FRAG", "inuse"),
            both("FRAG", "memory"),
        ]
        memory = [ipv4.get(cell) for cell in (("TCP:", "mem"), ("UDP:", "mem"), ("TCP:", "orphan"))]
        if all(cell is None for cell in (*sockets, *memory)):
            raise Unavailable(f"{self.subject}: {self._sockstat.name} has none of the numbers that bpftop reads")
        return {"sockstat": {(): sockets}, "socket_memory": {(): memory}}


def _parse(text: str) -> Values:
    """Return (group, name) -> value of lines such as ``TCP: inuse 1 orphan 0``. Raises ValueError."""
    values: dict[tuple[str, str], int] = {}
    for line in text.splitlines():
        group, *words = line.split() or [""]
        pairs = zip(words[::2], words[1::2], strict=True)  # strict: a name without a value is a ValueError
        values.update(((group, name), parse_u64(word)) for name, word in pairs)
    return values
