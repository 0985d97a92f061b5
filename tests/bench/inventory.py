"""The BPF inventory on a machine with 1 000 programs and 1 000 maps: one refresh, and what it opens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

from bpftop.collect.inventory.entry_counter import EntryCounter
from bpftop.collect.inventory.reader import InventoryReader
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.object import BpfObject
from tests.bench.figures import Figure

COUNT = 1000
ROUNDS = 9


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Load the programs and maps, and measure the CPU time of refreshes."""
    with ExitStack() as stack:
        for number in range(COUNT):
            if number % 200 == 0:
                say(f"{number} of {COUNT} programs and maps")
            stack.enter_context(closing(BpfObject("noop", "noop_xdp")))
            stack.enter_context(closing(bpf_map.create(bpf_map.HASH, 4, 8, 64)))
        reader = stack.enter_context(closing(InventoryReader()))
        counter = stack.enter_context(closing(EntryCounter()))
        first_ms = _cpu_ms(reader.read)
        refreshes = sorted(_cpu_ms(reader.read) for _ in range(ROUNDS))
        counts = sorted(_cpu_ms(lambda: counter.count(reader.read().maps.values())) for _ in range(ROUNDS))
        how = f"{COUNT} programs and {COUNT} maps beside those of the machine; CPU time of this process"
        yield Figure("inventory", "a refresh of all programs and maps", refreshes[ROUNDS // 2], "ms", 150, how)
        yield Figure("inventory", "a refresh with the entries of all maps", counts[ROUNDS // 2], "ms", None, how)
        yield Figure("inventory", "the first reading", first_ms, "ms", None, how)


def _cpu_ms(work: Callable[[], object]) -> float:
    begin_ns = time.process_time_ns()
    work()
    return (time.process_time_ns() - begin_ns) / 1e6
