"""Sockets, their memory, and packets under reassembly: /proc/net/sockstat and sockstat6 (net/ipv4/proc.c).

Of TCP and UDP, ``inuse`` and ``tw`` are the namespace's; ``mem`` and ``orphan`` are the machine's in whatever namespace
they are read (Linux 4.19 and 6.18: global counters), and so are the limits they stand against.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.counter_files import u64
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface, Reading, reading_key

_WHAT = "sockets and their memory"
Values = Mapping[tuple[str, str], int]


class Sockstat:
    """Families sockstat and socket_memory."""

    name = "sockstat"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._sockets, self._memory = ReadingBuilder("sockstat"), ReadingBuilder("socket_memory")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable. A kernel without IPv6 has no sockstat6, and no such sockets."""
        begin_ns = time.monotonic_ns()
        found = _parse(self._tree.text(self._tree.proc_net / "sockstat", _WHAT), "sockstat")
        try:
            found6: Values | None = _parse(self._tree.text(self._tree.proc_net / "sockstat6", _WHAT), "sockstat6")
        except Unavailable as error:
            found6 = {} if isinstance(error.__cause__, FileNotFoundError) else None
        read_ns = time.monotonic_ns()

        def both(version4: tuple[str, str], version6: tuple[str, str]) -> int | None:
            first = found.get(version4)
            return None if first is None or found6 is None else first + found6.get(version6, 0)

        sockets = [
            both(("TCP:", "inuse"), ("TCP6:", "inuse")),
            found.get(("TCP:", "tw")),
            both(("UDP:", "inuse"), ("UDP6:", "inuse")),
            both(("FRAG:", "inuse"), ("FRAG6:", "inuse")),
            both(("FRAG:", "memory"), ("FRAG6:", "memory")),
        ]
        memory = [found.get(cell) for cell in (("TCP:", "mem"), ("UDP:", "mem"), ("TCP:", "orphan"))]
        if not any(cell is not None for cell in (*sockets, *memory)):
            raise Unavailable(f"{_WHAT}: /proc/net/sockstat has nothing of what is looked for")
        return {
            reading_key("sockstat"): self._sockets.reading({(): sockets}, read_ns, read_ns - begin_ns),
            reading_key("socket_memory"): self._memory.reading({(): memory}, read_ns, 0),
        }

    def close(self) -> None:
        """Nothing is held."""


def _parse(text: str, file: str) -> Values:
    """Group and name -> value, of lines such as ``TCP: inuse 1 orphan 0``. Raises Unavailable."""
    found: dict[tuple[str, str], int] = {}
    try:
        for line in text.splitlines():
            group, *words = line.split() or [""]
            found.update(
                ((group, name), u64(word)) for name, word in zip(words[::2], words[1::2], strict=True)
            )  # strict: a name without a value is a ValueError
    except ValueError as error:
        raise Unavailable(f"{_WHAT}: /proc/net/{file} is not understood: {error}") from error
    return found
