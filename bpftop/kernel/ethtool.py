"""Driver, speed and offloads of a device through SIOCETHTOOL. Formats: include/uapi/linux/ethtool.h.

Reading needs no capability.
"""

from __future__ import annotations

import fcntl
import os
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 0x03
ETHTOOL_GSTRINGS = 0x1B
ETHTOOL_GSSET_INFO = 0x37
ETHTOOL_GFEATURES = 0x3A
ETHTOOL_SFEATURES = 0x3B
ETHTOOL_GLINKSETTINGS = 0x4C
ETH_SS_FEATURES = 4
ETH_GSTRING_LEN = 32
SPEED_UNKNOWN = 0xFFFFFFFF

_DRVINFO_BYTES = 196
_LINK_SETTINGS_BYTES = 48
_MASK_WORDS_OFFSET = 15  # link_mode_masks_nwords


@dataclass(frozen=True)
class Driver:
    """``bus`` is the driver's own word: a PCI address, or anything ("tap", "N/A")."""

    name: str
    bus: str


class Ethtool:
    """``fileno`` is any socket of the namespace. Devices go by name, for the ioctl knows no index."""

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno

    def driver(self, name: str) -> Driver | None:
        """None where the device has no driver to name (EOPNOTSUPP: lo)."""
        try:
            answer = self._call(name, struct.pack("=I", ETHTOOL_GDRVINFO).ljust(_DRVINFO_BYTES, b"\0"))
        except OSError:
            return None
        return Driver(_text(answer[4:36]), _text(answer[100:132]))

    def speed_bits_per_sec(self, name: str) -> int | None:
        """What the driver claims; None where it claims nothing. veth and tun claim 10 Gb/s that mean nothing."""
        try:
            answer = self._call(name, struct.pack("=I", ETHTOOL_GLINKSETTINGS).ljust(_LINK_SETTINGS_BYTES, b"\0"))
            # The first call only tells how many words the masks have, negated (Linux 4.6).
            words = -struct.unpack_from("=b", answer, _MASK_WORDS_OFFSET)[0]
            if words <= 0:
                return None
            question = bytearray(_LINK_SETTINGS_BYTES + 12 * words)
            struct.pack_into("=I", question, 0, ETHTOOL_GLINKSETTINGS)
            question[_MASK_WORDS_OFFSET] = words
            (speed,) = struct.unpack_from("=I", self._call(name, bytes(question)), 4)
        except OSError:
            return None
        return None if speed in (0, SPEED_UNKNOWN) else speed * 1_000_000

    def requested_offloads(self, name: str, among: Iterable[str]) -> frozenset[str]:
        """Those of ``among`` (ethtool -k names, as "rx-lro") that somebody wants on and that are not fixed."""
        bits, features = self._features(name)
        known = [offload for offload in among if offload in bits]
        return frozenset(known_one for known_one in known if _requested(features, bits[known_one]))

    def request_offloads(self, name: str, offloads: Iterable[str]) -> None:
        """Switch these on. Needs CAP_NET_ADMIN. OSError: EPERM, or the driver's own."""
        bits, features = self._features(name)
        blocks = [0] * (len(features) // 2)  # per 32 bits two words: which to change, and to what
        for word, bit in (divmod(bits[offload], 32) for offload in offloads):
            blocks[2 * word] |= 1 << bit
            blocks[2 * word + 1] |= 1 << bit
        self._call(name, struct.pack(f"=II{len(blocks)}I", ETHTOOL_SFEATURES, len(blocks) // 2, *blocks))

    def _features(self, name: str) -> tuple[dict[str, int], tuple[int, ...]]:
        """Feature name -> bit, and per 32 bits four words: available, requested, active, never changed."""
        answer = self._call(name, struct.pack("=IIQI", ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_FEATURES, 0))
        (count,) = struct.unpack_from("=I", answer, 16)
        question = struct.pack("=III", ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count) + bytes(count * ETH_GSTRING_LEN)
        strings = self._call(name, question)[12:]
        names = {_text(strings[i * ETH_GSTRING_LEN : (i + 1) * ETH_GSTRING_LEN]): i for i in range(count)}
        words = 4 * ((count + 31) // 32)
        features = self._call(name, struct.pack("=II", ETHTOOL_GFEATURES, words // 4) + bytes(4 * words))
        return names, struct.unpack_from(f"={words}I", features, 8)

    def _call(self, name: str, question: bytes) -> bytes:
        buffer = array("B", question)
        fcntl.ioctl(self._fileno, SIOCETHTOOL, struct.pack("16sP", os.fsencode(name), buffer.buffer_info()[0]))
        return buffer.tobytes()


def _requested(features: tuple[int, ...], position: int) -> bool:
    word, bit = divmod(position, 32)
    return bool(features[4 * word + 1] >> bit & 1)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")
