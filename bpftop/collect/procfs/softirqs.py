"""Network softirqs of each CPU: /proc/softirqs. Machine-wide, a column per possible CPU, unsigned int each."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bpftop.collect.collector import ReadingBuilder
from bpftop.collect.procfs.per_cpu_files import header_cpus, understood
from bpftop.collect.procfs.tree import Tree
from bpftop.model.sample import Interface, Key, Reading, reading_key

WHAT = "network softirqs"


class Softirqs:
    name = "softirqs"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._rows = ReadingBuilder("softirqs")

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Family softirqs. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        text = self._tree.text(self._tree.proc / "softirqs", WHAT)
        read_ns = time.monotonic_ns()
        with understood(WHAT, "/proc/softirqs"):
            header, *lines = text.splitlines() or [""]
            cpus = header_cpus(header)
            received, sent = (_counts(lines, name, len(cpus)) for name in ("NET_RX", "NET_TX"))
            rows: dict[Key, tuple[int, int]] = {
                (cpu,): counts for cpu, counts in zip(cpus, zip(received, sent, strict=True), strict=True)
            }
            return {reading_key("softirqs"): self._rows.reading(rows, read_ns, read_ns - begin_ns)}

    def close(self) -> None:
        """Nothing is held."""


def _counts(lines: Sequence[str], name: str, cpus: int) -> list[int]:
    """The row of a softirq. Raises ValueError."""
    for line in lines:
        word, _, counts = line.partition(":")
        if word.strip() == name:
            found = [int(count) for count in counts.split()]
            if len(found) != cpus:
                raise ValueError(f"{name} has {len(found)} counts for {cpus} CPUs")
            return found
    raise ValueError(f"it has no row {name}")
