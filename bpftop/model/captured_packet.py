"""A captured packet, and what a capture left out."""

from __future__ import annotations

from bpftop.fields import frozen
from bpftop.model.sample import Direction

SNAPLEN_BYTES, PACKETS_PER_SEC = 192, 1000
"""Defaults of every capture: bytes kept of a packet, and packets copied in a second."""


@frozen
class CapturedPacket:
    """A packet as the kernel had it: ``content`` are its first bytes, ``length_bytes`` is its whole length.

    ``is_ip``: it begins with its IP header. ``segments``: packets on the wire in a super-frame. ``reason`` and
    ``function`` are of a dropped packet; ``function`` is None where the kernel hides its addresses.
    """

    wall_ns: int
    interface: str
    direction: Direction
    cpu: int
    content: bytes
    length_bytes: int
    is_ip: bool = False
    segments: int = 1
    reason: str | None = None
    function: str | None = None


@frozen
class CaptureCounts:
    """Packets that passed the filter and were chosen, and how many of them were left out.

    ``spent_ns``: CPU time of the capturing programs, which includes packets that the filter refused.
    """

    matched: int = 0
    over_rate: int = 0
    ring_full: int = 0
    spent_ns: int = 0

    @property
    def left_out(self) -> int:
        return self.over_rate + self.ring_full


@frozen
class DroppedPackets:
    """The latest dropped packets of a watch, oldest first, and what the watch has cost.

    ``most_per_sec``: packets that are copied in a second at most. ``watched_ns``: the time since the watch began.
    ``trouble`` is the sentence about why there are no packets (any more).
    """

    packets: tuple[CapturedPacket, ...] = ()
    counts: CaptureCounts = CaptureCounts()
    most_per_sec: int = 0
    watched_ns: int = 0
    hides_functions: bool = False
    trouble: str = ""
