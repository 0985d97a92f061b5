"""A device as its driver tells it through SIOCETHTOOL: driver, speed, offloads, rings, counters.

Formats: include/uapi/linux/ethtool.h. Reading needs no capability.
"""

from __future__ import annotations

import fcntl
import os
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 0x03
ETHTOOL_GCOALESCE = 0x0E
ETHTOOL_GRINGPARAM = 0x10
ETHTOOL_GSTRINGS = 0x1B
ETHTOOL_GSTATS = 0x1D
ETHTOOL_GSSET_INFO = 0x37
ETHTOOL_GFEATURES = 0x3A
ETHTOOL_SFEATURES = 0x3B
ETHTOOL_GRXFHINDIR = 0x38
ETHTOOL_GCHANNELS = 0x3C
ETHTOOL_GLINKSETTINGS = 0x4C
ETH_SS_STATS = 1
ETH_SS_FEATURES = 4
ETH_GSTRING_LEN = 32
SPEED_UNKNOWN = 0xFFFFFFFF

_DRVINFO_BYTES = 196
_LINK_SETTINGS_BYTES = 48
_MASK_WORDS_OFFSET = 15  # link_mode_masks_nwords
_FEATURE_REQUESTED, _FEATURE_ACTIVE = 1, 2  # of the four words: available, requested, active, never changed
# struct ethtool_ringparam and ethtool_channels: four maxima, then what is set now, in the same order
_RINGS = ("rx", "rx_mini", "rx_jumbo", "tx")
_CHANNELS = ("rx", "tx", "other", "combined")
# struct ethtool_coalesce, by the words of ethtool -c
_COALESCE = (
    *("rx-usecs", "rx-frames", "rx-usecs-irq", "rx-frames-irq", "tx-usecs", "tx-frames", "tx-usecs-irq"),
    *("tx-frames-irq", "stats-block-usecs", "adaptive-rx", "adaptive-tx", "pkt-rate-low", "rx-usecs-low"),
    *("rx-frames-low", "tx-usecs-low", "tx-frames-low", "pkt-rate-high", "rx-usecs-high", "rx-frames-high"),
    *("tx-usecs-high", "tx-frames-high", "sample-interval"),
)


@dataclass(frozen=True)
class Driver:
    """``bus`` is the driver's own word: a PCI address, or anything ("tap", "N/A"). ``firmware`` may be empty."""

    name: str
    bus: str
    firmware: str = ""


class Ethtool:
    """``fileno`` is any socket of the namespace. Devices go by name, for the ioctl knows no index.

    Any thread may use it. The methods that do not say otherwise raise OSError: EOPNOTSUPP where the driver has no such
    thing, ENODEV where there is no such device (any more).
    """

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno

    def driver(self, name: str) -> Driver | None:
        """None where the device has no driver to name (EOPNOTSUPP: lo)."""
        try:
            answer = self._call(name, struct.pack("=I", ETHTOOL_GDRVINFO).ljust(_DRVINFO_BYTES, b"\0"))
        except OSError:
            return None
        return Driver(_text(answer[4:36]), _text(answer[100:132]), _text(answer[68:100]))

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
        return frozenset(known_one for known_one in known if _is_set(features, bits[known_one], _FEATURE_REQUESTED))

    def request_offloads(self, name: str, offloads: Iterable[str]) -> None:
        """Switch these on. Needs CAP_NET_ADMIN. OSError: EPERM, or the driver's own."""
        bits, features = self._features(name)
        blocks = [0] * (len(features) // 2)  # per 32 bits two words: which to change, and to what
        for word, bit in (divmod(bits[offload], 32) for offload in offloads):
            blocks[2 * word] |= 1 << bit
            blocks[2 * word + 1] |= 1 << bit
        self._call(name, struct.pack(f"=II{len(blocks)}I", ETHTOOL_SFEATURES, len(blocks) // 2, *blocks))

    def active_features(self, name: str) -> tuple[str, ...]:
        """The names of ethtool -k that are on, in their alphabetical order."""
        bits, features = self._features(name)
        return tuple(sorted(feature for feature, bit in bits.items() if _is_set(features, bit, _FEATURE_ACTIVE)))

    def rings(self, name: str) -> dict[str, int]:
        """Entries of the RX and TX rings now, and at most under ``rx_max`` and so on (ethtool -g)."""
        return self._maxima(name, ETHTOOL_GRINGPARAM, _RINGS)

    def channels(self, name: str) -> dict[str, int]:
        """RX, TX, other and combined channels now, and at most under ``rx_max`` and so on (ethtool -l)."""
        return self._maxima(name, ETHTOOL_GCHANNELS, _CHANNELS)

    def coalescing(self, name: str) -> dict[str, int]:
        """Interrupt coalescing by the words of ethtool -c."""
        layout = struct.Struct(f"=I{len(_COALESCE)}I")
        answer = self._call(name, struct.pack("=I", ETHTOOL_GCOALESCE).ljust(layout.size, b"\0"))
        return dict(zip(_COALESCE, layout.unpack(answer)[1:], strict=True))

    def indirection(self, name: str) -> tuple[int, ...]:
        """The RX queue of every entry of the RSS indirection table (ethtool -x)."""
        # Asked with size 0, the kernel tells the size (net/ethtool/ioctl.c: ethtool_get_rxfh_indir).
        (size,) = struct.unpack_from("=I", self._call(name, struct.pack("=II", ETHTOOL_GRXFHINDIR, 0)), 4)
        question = struct.pack("=II", ETHTOOL_GRXFHINDIR, size) + bytes(4 * size)
        return struct.unpack_from(f"={size}I", self._call(name, question), 8)

    def counter_names(self, name: str) -> tuple[str, ...]:
        """The driver's own names for its counters (ethtool -S), in the order of ``counter_values``; often none."""
        return tuple(self._strings(name, ETH_SS_STATS))

    def counter_values(self, name: str, count: int) -> Sequence[int] | None:
        """The driver's counters, u64 each. None: there are no longer ``count`` of them, the names changed too.

        Older kernels fill in what there is now, not what was asked for, newer ones nothing where that differs; so the
        number is asked for first, and there is room for twice as much (a driver that adds queues between the calls).
        """
        if self._count(name, ETH_SS_STATS) != count:
            return None
        room = 2 * count + 64
        answer = self._call(name, struct.pack("=II", ETHTOOL_GSTATS, count) + bytes(8 * room))
        (found,) = struct.unpack_from("=I", answer, 4)
        return struct.unpack_from(f"={count}Q", answer, 8) if found == count else None

    def _maxima(self, name: str, command: int, words: tuple[str, ...]) -> dict[str, int]:
        """Word -> now, and word_max -> at most; what the driver does not have at all is left out."""
        answer = struct.unpack("=9I", self._call(name, struct.pack("=I32x", command)))
        found: dict[str, int] = {}
        for word, most, now in zip(words, answer[1:5], answer[5:9], strict=True):
            if most:
                found[word], found[f"{word}_max"] = now, most
        return found

    def _features(self, name: str) -> tuple[Mapping[str, int], tuple[int, ...]]:
        """Feature name -> bit, and per 32 bits four words: available, requested, active, never changed."""
        names = {feature: bit for bit, feature in enumerate(self._strings(name, ETH_SS_FEATURES))}
        words = 4 * ((len(names) + 31) // 32)
        features = self._call(name, struct.pack("=II", ETHTOOL_GFEATURES, words // 4) + bytes(4 * words))
        return names, struct.unpack_from(f"={words}I", features, 8)

    def _strings(self, name: str, string_set: int) -> list[str]:
        count = self._count(name, string_set)
        # The driver may have more by now; the kernel writes them all.
        room = 2 * count + 64
        question = struct.pack("=III", ETHTOOL_GSTRINGS, string_set, count) + bytes(room * ETH_GSTRING_LEN)
        answer = self._call(name, question)
        (found,) = struct.unpack_from("=I", answer, 8)
        starts = range(12, 12 + min(found, room) * ETH_GSTRING_LEN, ETH_GSTRING_LEN)
        return [_text(answer[start : start + ETH_GSTRING_LEN]) for start in starts]

    def _count(self, name: str, string_set: int) -> int:
        answer = self._call(name, struct.pack("=IIQI", ETHTOOL_GSSET_INFO, 0, 1 << string_set, 0))
        mask, count = struct.unpack_from("=QI", answer, 8)
        return int(count) if mask else 0  # a set that the driver does not have is cleared from the mask

    def _call(self, name: str, question: bytes) -> bytes:
        buffer = array("B", question)
        fcntl.ioctl(self._fileno, SIOCETHTOOL, struct.pack("16sP", os.fsencode(name), buffer.buffer_info()[0]))
        return buffer.tobytes()


def _is_set(features: tuple[int, ...], position: int, which: int) -> bool:
    word, bit = divmod(position, 32)
    return bool(features[4 * word + which] >> bit & 1)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")
