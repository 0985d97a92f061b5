"""Reasons of dropped packets: the tracepoint kfree_skb, counted in the kernel (bpf_objects/drops.bpf.c).

Reasons go by the kernel's own names without SKB_DROP_REASON_, or by their number where its BTF has no name. Packets
that were consumed, and those dropped with no reason given (SKB_DROP_REASON_NOT_SPECIFIED), are not counted.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping, Sequence

from bpftop.collect.bpf.tracing import KERNEL_BTF, Late, RowsByLabel, Traced, no_kernel_btf
from bpftop.collect.collector import ReadingBuilder
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.drop_array import DropArray
from bpftop.kernel.bpf.kernel_btf import DropReasons, drop_reasons
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Interface, Reading, reading_key

REASON_PREFIX = "SKB_DROP_REASON_"
_NOT_SPECIFIED, _CONSUMED = f"{REASON_PREFIX}NOT_SPECIFIED", "SKB_CONSUMED"
_NONE = 0xFFFFFFFF  # a number that no reason has
_REASON_ARGUMENTS, _SOCKET_ARGUMENTS = 3, 4


class DropCounts(Traced):
    """The attached counting program. Raises KernelError, or BpftopError on kernels that give no reasons."""

    def __init__(self, indexes: Collection[int]) -> None:
        reasons = kernel_drop_reasons()
        self.names = {number: name.removeprefix(REASON_PREFIX) for number, name in reasons.names.items()}
        super().__init__("drops", "count_drop", 2, indexes, reason_constants(reasons))
        self._array = DropArray(self.object)
        self._array.watch(indexes)

    def watch(self, indexes: Collection[int]) -> None:
        super().watch(indexes)
        self._array.watch(indexes)

    def rows(self) -> Mapping[tuple[int, ...], Sequence[int]]:
        """Return the packets of all CPUs together by (ifindex, reason). Raises KernelError, Unavailable."""
        counts, hash_is_used = self._array.read()
        for (ifindex, reason), cpus in super().rows().items() if hash_is_used else ():
            counts[ifindex, reason] = counts.get((ifindex, reason), 0) + sum(cpus)
        return {key: (count,) for key, count in counts.items()}


class Drops:
    """A collector of drops: a row per interface and reason; "" for the namespace's packets on no watched interface."""

    name = "drops"

    def __init__(self, load_after_s: float = 0.0) -> None:
        self._late: Late[DropCounts] = Late("drop reasons", load_after_s=load_after_s)
        self._rows = ReadingBuilder("drops")
        self._by_label = RowsByLabel()

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Return the reading. Raises Unavailable, also until the program is loaded."""
        indexes = [interface.ifindex for interface in interfaces]
        counts = self._late.get(lambda: DropCounts(indexes))
        counted = counts.read(indexes)
        rows = self._by_label.rows(
            interfaces, counted, lambda label, row: (label, counts.names.get(row[1], str(row[1])))
        )
        reading = self._rows.reading(rows, counted.read_ns, counted.cost_ns)
        return counts.since_attach({reading_key("drops"): reading})

    def close(self) -> None:
        self._late.close()


def reason_constants(reasons: DropReasons) -> dict[str, int]:
    """Return the constants of the tracing programs that tell drops from other freed packets."""
    numbers = {name: number for number, name in reasons.names.items()}
    return {
        "not_specified": numbers.get(_NOT_SPECIFIED, _NONE),
        "consumed": numbers.get(_CONSUMED, _NONE),  # Linux 6.3
        "has_rx_sk": int(reasons.arguments >= _SOCKET_ARGUMENTS),
    }


def kernel_drop_reasons() -> DropReasons:
    """Read the drop reasons of this kernel. Raises KernelError, or BpftopError on kernels that give no reasons."""
    try:
        reasons = drop_reasons()
    except KernelError as error:
        if not KERNEL_BTF.exists():
            raise BpftopError(no_kernel_btf()) from error
        if error.errno == errno.ENOENT:
            raise BpftopError("this kernel does not say why it drops packets; Linux 5.17 and newer do") from error
        raise
    if reasons.arguments < _REASON_ARGUMENTS:
        raise BpftopError("this kernel's tracepoint kfree_skb gives no reason; that of Linux 5.17 and newer does")
    return reasons
