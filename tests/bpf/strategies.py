"""Random frames for the property tests: with plausible and wrong fields, or mutations of such and of named frames.

Measured: hypothesis makes 1000 frames a second when it draws every choice itself, and 70 000 in batches that follow
from a seed. So a property test over tens of thousands of frames takes batches(), and makes the frame that failed small
by smallest(); frames() is for tests that can afford to let hypothesis shrink.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from tests.bpf import frames as named_frames
from tests.bpf.reference import Direction, Link, Skb

SHORTEST, LONGEST = 14, 3000  # BPF_PROG_TEST_RUN refuses less; more does not fit its linear buffer everywhere
SIZE_EDGES = (60, 64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1514, 1518, 1519, 1522)
ETHERTYPES = (
    0x0800,
    0x0800,
    0x86DD,
    0x86DD,
    0x0806,
    0x88CC,
    0x8847,
    0x8848,
    0x8863,
    0x8864,
    0x8100,
    0x88A8,
    0x9100,
    0x05FF,
    0x0600,
)
DESTINATIONS = tuple(
    bytes.fromhex(mac)
    for mac in (
        "020000000002",
        "ffffffffffff",
        "01005e0000fb",
        "333300000001",
        "fffffffffffe",
        "feffffffffff",
        "0180c2000000",
    )
)
PROTOCOLS = (*[6] * 10, *[17] * 8, *[1] * 4, *[58] * 4, 0, 2, 4, 41, 43, 44, 47, 50, 51, 59, 60, 89, 132, 135, 139)
EXTENSIONS = (0, 43, 44, 44, 60, 135)
PORTS = (19, 53, 123, 161, 389, 1900, 11211, 18, 20, 54, 443, 40000, 0x3500, 0)
TINY_LENGTHS = (0, 1, 3, 4, 7, 8, 12, 13, 19, 20, 21)
BYTES = (0x00, 0x01, 0x04, 0x05, 0x06, 0x11, 0x20, 0x2C, 0x3A, 0x45, 0x46, 0x60, 0x81, 0x86, 0xFF)


@dataclass(frozen=True)
class Batch:
    """Frames of one seed. Printed as the seed, which creates the same frames again."""

    seed: int
    size: int
    link: Link = "ethernet"

    def frames(self) -> list[bytes]:
        dice = Random(self.seed)
        return [any_frame(dice, self.link) for _ in range(self.size)]

    def skbs(self, direction: Direction = "rx", *, tags: bool = False) -> list[tuple[bytes, Skb]]:
        """Return the frames, each with its tc metadata; with a tag beside the packet only if `tags`."""
        dice = Random(self.seed + 1)
        return [(frame, any_skb(dice, len(frame), direction, tags=tags)) for frame in self.frames()]


def batches(size: int = 100, link: Link = "ethernet") -> st.SearchStrategy[Batch]:
    return st.builds(Batch, seed=st.integers(0, 2**63), size=st.just(size), link=st.just(link))


def frames(link: Link = "ethernet") -> st.SearchStrategy[bytes]:
    """Draw one frame; hypothesis shrinks each part."""
    return st.randoms(use_true_random=False).map(lambda dice: any_frame(dice, link))


def skbs(length: int, direction: Direction = "rx", *, tags: bool = True) -> st.SearchStrategy[Skb]:
    """Draw the tc metadata of a frame of `length` bytes: mostly no super-frame."""
    return st.randoms(use_true_random=False).map(lambda dice: any_skb(dice, length, direction, tags=tags))


def smallest(frame: bytes, differs: Callable[[bytes], bool], *, shortest: int = SHORTEST, tries: int = 3000) -> bytes:
    """Shrink `frame`, by removing bytes and setting bytes to 0, while `differs` holds."""
    step = len(frame)
    while step and tries > 0:
        smaller = frame
        for at in range(len(frame) - step, -1, -step):
            for candidate in (smaller[:at] + smaller[at + step :], smaller[:at] + bytes(step) + smaller[at + step :]):
                tries -= 1
                if len(candidate) >= shortest and candidate != smaller and differs(candidate):
                    smaller = candidate
                    break
        step = step // 2 if smaller == frame else min(step, len(smaller))
        frame = smaller
    return frame


def any_frame(dice: Random, link: Link = "ethernet") -> bytes:
    """Return a frame (without an L2 header: a packet) of SHORTEST to LONGEST bytes."""
    source = dice.random()
    if source < 0.15:
        named = dice.choice(_NAMED).wire
        wire = mutated(dice, named[14:] if link == "ip" else named)
    else:
        wire = _packet(dice) if link == "ip" else _ethernet(dice)
        if source < 0.35:
            wire = mutated(dice, wire)
        elif source < 0.45 and len(wire) > SHORTEST:
            wire = wire[: dice.randrange(SHORTEST, min(len(wire), 140))]
    if dice.random() < 0.2:
        wire += _content(dice, max(0, dice.choice(SIZE_EDGES) - len(wire)))
    return wire[:LONGEST].ljust(SHORTEST, b"\0")


_NAMED = [frame for frame in named_frames.ALL if frame.link == "ethernet" and SHORTEST <= len(frame.wire) <= LONGEST]


def any_skb(dice: Random, length: int, direction: Direction = "rx", *, tags: bool = False) -> Skb:
    """Return the tc metadata of a frame of `length` bytes.

    The limits come from BPF_PROG_TEST_RUN: 65535 segments, and a wire_len from `length` to 65536.
    """
    tag = tags and dice.random() < 0.3
    if dice.random() < 0.75:
        return Skb(vlan_present=tag)
    size = dice.choice((1, 8, 100, 536, 1448, 65535, length, length // 2 + 1, dice.randrange(1, 2000)))
    honest = max(1, -(-(length - 54) // size))
    segments = dice.choice((0, 0, 0, honest, honest, honest, 1, 2, honest + 1, dice.randrange(65536)))
    wire_len = None
    if direction == "tx" and dice.random() < 0.5:
        wire_len = min(65536, length + (honest - 1) * dice.randrange(14, 140) + dice.choice((0, 0, 0, 1)))
    return Skb(tag, size, segments, wire_len)


def mutated(dice: Random, wire: bytes) -> bytes:
    """Return the frame after one to four mutations: bits flipped, bytes set, swapped, cut off, added or repeated."""
    changed = bytearray(wire[:LONGEST])
    for _ in range(dice.randrange(1, 5)):
        if len(changed) < SHORTEST:
            changed += _content(dice, SHORTEST)
        # Most of what the counter reads is in the first 80 bytes.
        at, other = dice.randrange(min(len(changed), 80)), dice.randrange(len(changed))
        kind = dice.randrange(8)
        if kind <= 1:
            changed[at] ^= 1 << dice.randrange(8)
        elif kind <= 3:
            changed[at] = dice.choice(BYTES)
        elif kind == 4:
            del changed[max(SHORTEST, other) :]
        elif kind == 5:
            changed += _content(dice, dice.randrange(1, 40))
        elif kind == 6:
            changed[at], changed[other] = changed[other], changed[at]
        else:
            changed[at:at] = changed[at : at + dice.choice((1, 2, 4, 8, 20, 40))]
    return bytes(changed)


def _content(dice: Random, length: int) -> bytes:
    return (dice.randbytes(min(length, 48)) * (length // 48 + 1))[:length]


def _some_content(dice: Random) -> bytes:
    kind = dice.random()
    if kind < 0.5:
        return b""
    return _content(dice, dice.randrange(100) if kind < 0.95 else dice.randrange(LONGEST))


def _lying(dice: Random, truth: int, largest: int) -> int:
    """Return mostly `truth`, else a near number, or any number from 0 to `largest`."""
    if dice.random() < 0.88:
        return truth
    lies = (
        0,
        1,
        truth - 1,
        truth - 1,
        truth + 1,
        truth + 1,
        truth // 2,
        truth * 2,
        largest,
        dice.randrange(largest + 1),
    )
    return min(max(dice.choice(lies), 0), largest)


def _ethernet(dice: Random) -> bytes:
    tags = dice.choice((*[0] * 12, 1, 1, 1, 2, 2, 2, 2, 3))
    wire = dice.choice(DESTINATIONS) + b"\x02\0\0\0\0\x01"
    for _ in range(tags):
        wire += dice.choice((b"\x81\x00", b"\x88\xa8")) + dice.randbytes(2)
    if dice.random() < 0.85:
        packet = _packet(dice)
        return wire + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet
    ethertype = dice.choice(ETHERTYPES) if dice.random() < 0.8 else dice.randrange(65536)
    return wire + struct.pack("!H", ethertype) + (_packet(dice) if dice.random() < 0.3 else _some_content(dice))


def _packet(dice: Random) -> bytes:
    return _ipv4(dice) if dice.random() < 0.45 else _ipv6(dice)


def _ipv4(dice: Random) -> bytes:
    protocol = dice.choice(PROTOCOLS) if dice.random() < 0.95 else dice.randrange(256)
    body = _transport(dice, protocol)
    options = dice.randbytes(4 * dice.choice((0, 0, 0, 0, 0, 1, 2, 10)))
    words = 5 + len(options) // 4
    first = _lying(dice, 0x40 | words, 255) if dice.random() < 0.3 else 0x40 | words
    total = _lying(dice, words * 4 + len(body), 65535)
    destination = dice.choice((b"\xc0\0\2\2", b"\xff\xff\xff\xff", b"\xe0\0\0\1", b"\xef\xff\xff\xff", b"\xf0\0\0\0"))
    header = struct.pack(
        "!BBHHHBBH4s4s", first, 0, total, 1, _ipv4_flags(dice), 64, protocol, 0, b"\xc0\0\2\1", destination
    )
    return header + options + body


def _ipv4_flags(dice: Random) -> int:
    kind = dice.random()
    if kind < 0.7:
        return dice.choice((0, 0x4000, 0x8000))
    if kind < 0.82:
        return 0x2000
    return dice.randrange(65536) if kind > 0.95 else dice.choice((0, 0x2000)) + dice.choice((1, 2, 185, 4096, 8191))


def _ipv6(dice: Random) -> bytes:
    last = dice.choice(PROTOCOLS) if dice.random() < 0.95 else dice.randrange(256)
    length = dice.choice((0, 0, 0, 0, 0, 0, 1, 1, 2, 3, dice.randrange(4, 7), 7, 8, 8, 9, dice.randrange(10, 40)))
    kinds = [dice.choice(EXTENSIONS) for _ in range(length)]
    headers = [_extension(dice, kind, after) for kind, after in zip(kinds, [*kinds, last][1:], strict=True)]
    body = b"".join(headers) + _transport(dice, last)
    first = 0x60 if dice.random() < 0.97 else dice.randrange(256)
    destination = dice.choice((b"\x20", b"\xff", b"\xfe", b"\0")) + bytes(15)
    payload_length = _lying(dice, len(body), 65535)
    return struct.pack("!B3xHBB16s16s", first, payload_length, (*kinds, last)[0], 64, bytes(16), destination) + body


def _extension(dice: Random, kind: int, after: int) -> bytes:
    if kind == 44:
        where = dice.random()
        field = (
            dice.choice((0, 0, 0, 2, 6)) if where < 0.6 else 1 if where < 0.85 else dice.choice((8, 9, 0xFFF8, 0xFFF9))
        )
        return struct.pack("!BBHI", after, dice.choice((0, 0xFF)), field, 1)
    units = dice.choice((0, 0, 0, 0, 0, 1, 2, 3))
    stated = units if dice.random() < 0.97 else dice.choice((units + 1, 255, dice.randrange(256)))
    return bytes((after, stated)) + dice.randbytes(units * 8 + 6)


def _transport(dice: Random, protocol: int) -> bytes:
    if protocol == 6:
        body = _tcp(dice)
    elif protocol == 17:
        body = _udp(dice)
    elif protocol in (1, 58):
        kind = dice.choice((0, 1, 2, 3, 8, 11, 128, 129, 130, 133, 134, 135, 136, 143, 255))
        body = bytes((kind, 0)) + dice.randbytes(6) + _some_content(dice)
    else:
        body = _some_content(dice)
    return body[: dice.choice(TINY_LENGTHS)] if dice.random() < 0.1 else body


def _tcp(dice: Random) -> bytes:
    words = dice.choice((5, 5, 5, 5, 6, 8, 10, 15))
    offset = _lying(dice, words, 15)
    flags = dice.choice((0x02, 0x12, 0x10, 0x18, 0x11, 0x01, 0x04, 0x14, 0x03, 0x06, 0x29, 0x00, dice.randrange(256)))
    header = struct.pack("!HHIIBBHHH", dice.choice(PORTS), dice.choice(PORTS), 1, 1, offset << 4, flags, 512, 0, 0)
    return header + dice.randbytes(words * 4 - 20) + _some_content(dice)


def _udp(dice: Random) -> bytes:
    content = _some_content(dice)
    length = _lying(dice, 8 + len(content), 65535) if dice.random() < 0.9 else dice.choice((0, 1, 7, 8, 9))
    return struct.pack("!HHHH", dice.choice(PORTS), dice.choice(PORTS), length, 0) + content
