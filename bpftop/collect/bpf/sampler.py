"""A sample of packets in trouble, by a tracing program that is loaded for some seconds while counters move.

A program at every look-up of a route, or one that reads the headers of every dropped packet, would cost each packet
some ns for ever. So a program is loaded only while its counters move, for ten seconds at most, and then not for a
minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bpftop.collect.bpf.drops import kernel_drop_reasons
from bpftop.collect.bpf.tracing import Late, Traced
from bpftop.collect.collector import Unavailable
from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Key
from bpftop.model.units import NS_PER_SEC

SAMPLE_NS, PAUSE_NS, KEPT_NS = 10 * NS_PER_SEC, 60 * NS_PER_SEC, 15 * NS_PER_SEC
MOST_ROWS = 32


class Gains:
    """The gains per second of stack counters from one read of their file to the next."""

    def __init__(self, *counters: str) -> None:
        self._counters = counters
        self._before: tuple[int, tuple[int, ...]] | None = None

    def per_sec(self, words: Mapping[str, str], now_ns: int) -> tuple[float, ...]:
        """Return the gains, in the order of the counters; zeros at the first read.

        Args:
            words: Counter -> digits of the last reading of its file. A counter that is not there gains nothing.
            now_ns: CLOCK_MONOTONIC.
        """
        counts = tuple([int(words.get(counter, 0)) for counter in self._counters])
        then_ns, before = self._before or (now_ns - 1, counts)
        self._before = now_ns, counts
        gains = [count - old for count, old in zip(counts, before, strict=True)]
        return tuple([gain * NS_PER_SEC / (now_ns - then_ns) for gain in gains])


@frozen
class Trouble:
    """A kind of packets in trouble: the subject of its failures, its program, and the key of a row of its map."""

    subject: str
    load: Callable[[Sequence[int]], Traced]
    row: Callable[[tuple[int, ...]], Key]


class Sampler:
    """The sample of one kind of packets: begun when its counters moved, ended after ten seconds."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._late: Late[Traced] | None = None
        self._begun_ns = self._moved_ns = -PAUSE_NS
        self._packets: dict[Key, int] = {}

    def packets(self, moved: bool, indexes: Sequence[int], now_ns: int) -> dict[Key, int]:
        """Return key -> packets of the last sample, which stands until a new sample has packets.

        Raises Unavailable where there is none and none can be taken.
        """
        if moved:
            self._moved_ns = now_ns
        if self._late is None and moved and now_ns - self._begun_ns >= PAUSE_NS:
            self._late, self._begun_ns = Late(self._trouble.subject), now_ns
        if now_ns - self._moved_ns >= KEPT_NS:
            self._packets = {}
        if self._late is not None:
            try:
                rows = self._late.get(lambda: self._trouble.load(indexes)).rows()
            except KernelError as error:
                raise Unavailable(f"{self._trouble.subject}: {error}") from error
            except Unavailable:
                if not self._packets:
                    raise
                return self._packets
            finally:
                if now_ns - self._begun_ns >= SAMPLE_NS:
                    self.close()
            if rows:
                self._packets = {self._trouble.row(key): sum(cpus) for key, cpus in rows.items()}
        return self._packets

    def close(self) -> None:
        if self._late is not None:
            self._late.close()
            self._late = None


def most_packets(packets: Mapping[Key, int]) -> dict[Key, list[int | None]]:
    """Return the rows of a reading with most packets, the largest first."""
    return {key: [count] for key, count in sorted(packets.items(), key=lambda row: -row[1])[:MOST_ROWS]}


def number_of_reason(reason: str, what: str) -> int:
    """Return the running kernel's number of a drop reason. Raises KernelError, BpftopError."""
    numbers = {name: number for number, name in kernel_drop_reasons().names.items()}
    if reason not in numbers:
        raise BpftopError(f"this kernel does not say that it drops a packet for {what}")
    return numbers[reason]
