"""A captured packet, and what a capture left out."""

from __future__ import annotations

from bpftop.fields import frozen
from bpftop.model.sample import Direction


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
    """Packets that passed the filter and were chosen, and those of them that were left out.

    ``spent_ns``: CPU time of the capturing programs, which includes packets that the filter refused.
    """

    matched: int = 0
    over_rate: int = 0
    ring_full: int = 0
    spent_ns: int = 0

    @property
    def left_out(self) -> int:
        return self.over_rate + self.ring_full
