"""Facts of a device from its driver, by SIOCETHTOOL: driver, speed, offloads, rings, counters.

Formats: include/uapi/linux/ethtool.h. Reading needs no capability.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence

from bpftop.fields import frozen
from bpftop.kernel.net.names import name_bytes

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
_COUNT_MAX = 1 << 16  # ice with 256 queues has some 3 000 counters
_LINK_SETTINGS_BYTES = 48
_MASK_WORDS_OFFSET = 15  # link_mode_masks_nwords
_FEATURE_REQUESTED, _FEATURE_ACTIVE = 1, 2  # index in the four words: available, requested, active, never changed
# struct ethtool_ringparam and ethtool_channels: four maxima, then the four current values
_RINGS = ("rx", "rx_mini", "rx_jumbo", "tx")
_CHANNELS = ("rx", "tx", "other", "combined")
# fields of struct ethtool_coalesce, by their names in ethtool -c
_COALESCE = (
    *("rx-usecs", "rx-frames", "rx-usecs-irq", "rx-frames-irq", "tx-usecs", "tx-frames", "tx-usecs-irq"),
    *("tx-frames-irq", "stats-block-usecs", "adaptive-rx", "adaptive-tx", "pkt-rate-low", "rx-usecs-low"),
    *("rx-frames-low", "tx-usecs-low", "tx-frames-low", "pkt-rate-high", "rx-usecs-high", "rx-frames-high"),
    *("tx-usecs-high", "tx-frames-high", "sample-interval"),
)


@frozen
class Driver:
    """A driver. ``bus`` is any text of the driver: a PCI address, "tap", "N/A". ``firmware`` may be empty."""

    name: str
    bus: str
    firmware: str = ""


class Ethtool:
    """Requests to the drivers of one network namespace; any thread may send them.

    ``fileno`` is any socket of the namespace. Devices are identified by name, because the ioctl takes no ifindex.
    Unless a method says otherwise, it raises OSError: EOPNOTSUPP if the driver lacks the function, ENODEV if there is
    no such device.
    """

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno

    def driver(self, name: str) -> Driver | None:
        """Return the driver of a device; None if the device names none (EOPNOTSUPP: lo)."""
        try:
            answer = self._call(name, struct.pack("=I", ETHTOOL_GDRVINFO).ljust(_DRVINFO_BYTES, b"\0"))
        except OSError:
            return None
        return Driver(_text(answer[4:36]), _text(answer[100:132]), _text(answer[68:100]))

    def speed_bits_per_sec(self, name: str) -> int | None:
        """Return the speed that the driver reports, or None. veth and tun report 10 Gb/s, which mean nothing."""
        try:
            answer = self._call(name, struct.pack("=I", ETHTOOL_GLINKSETTINGS).ljust(_LINK_SETTINGS_BYTES, b"\0"))
            # The first call returns only the number of words of the masks, negated (Linux 4.6).
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
        """Return the offloads of ``among`` ("rx-lro") that are requested, not fixed and readable."""
        try:
            bits, features = self._features(name)
        except OSError:
            return frozenset()
        known = [offload for offload in among if offload in bits]
        return frozenset(offload for offload in known if _is_set(features, bits[offload], _FEATURE_REQUESTED))

    def request_offloads(self, name: str, offloads: Iterable[str]) -> None:
        """Switch those offloads on that the kernel knows.

        Raises OSError: EPERM without CAP_NET_ADMIN, ENODEV, or the driver's errno.
        """
        bits, features = self._features(name)
        offloads = [offload for offload in offloads if offload in bits]
        blocks = [0] * (len(features) // 2)  # per 32 bits two words: which to change, and to what
        for word, bit in (divmod(bits[offload], 32) for offload in offloads):
            blocks[2 * word] |= 1 << bit
            blocks[2 * word + 1] |= 1 << bit
        self._call(name, struct.pack(f"=II{len(blocks)}I", ETHTOOL_SFEATURES, len(blocks) // 2, *blocks))

    def active_features(self, name: str) -> tuple[str, ...]:
        """Return the features that are on, by their names of ethtool -k, sorted."""
        bits, features = self._features(name)
        return tuple(sorted(feature for feature, bit in bits.items() if _is_set(features, bit, _FEATURE_ACTIVE)))

    def rings(self, name: str) -> dict[str, int]:
        """Return the sizes of the RX and TX rings, and their maxima as ``rx_max`` and so on (ethtool -g)."""
        return self._current_and_max(name, ETHTOOL_GRINGPARAM, _RINGS)

    def channels(self, name: str) -> dict[str, int]:
        """Return the RX, TX, other and combined channels, and their maxima as ``rx_max`` and so on (ethtool -l)."""
        return self._current_and_max(name, ETHTOOL_GCHANNELS, _CHANNELS)

    def coalescing(self, name: str) -> dict[str, int]:
        """Return the settings of interrupt coalescing, by their names in ethtool -c."""
        layout = struct.Struct(f"=I{len(_COALESCE)}I")
        answer = self._call(name, struct.pack("=I", ETHTOOL_GCOALESCE).ljust(layout.size, b"\0"))
        return dict(zip(_COALESCE, layout.unpack(answer)[1:], strict=True))

    def indirection(self, name: str) -> tuple[int, ...]:
        """Return the RX queue of every entry of the RSS indirection table (ethtool -x)."""
        # For size 0, the kernel returns the size of the table (net/ethtool/ioctl.c: ethtool_get_rxfh_indir).
        (size,) = struct.unpack_from("=I", self._call(name, struct.pack("=II", ETHTOOL_GRXFHINDIR, 0)), 4)
        _check_count(name, size, "entries in its indirection table")
        question = struct.pack("=II", ETHTOOL_GRXFHINDIR, size) + bytes(4 * size)
        return struct.unpack_from(f"={size}I", self._call(name, question), 8)

    def counter_names(self, name: str) -> tuple[str, ...]:
        """Return the driver's names of its counters (ethtool -S), in the order of ``counter_values``; often none."""
        return tuple(self._strings(name, ETH_SS_STATS))

    def counter_values(self, name: str, count: int) -> Sequence[int] | None:
        """Return the driver's counters, or None if their number is no longer ``count``: then the names changed too.

        If the number differs, older kernels write all counters, newer kernels none. Therefore the number is read first,
        and the buffer has room for twice as many, for a driver that adds queues between the two calls.
        """
        if self._count(name, ETH_SS_STATS) != count:
            return None
        room = 2 * count + 64
        answer = self._call(name, struct.pack("=II", ETHTOOL_GSTATS, count) + bytes(8 * room))
        (written,) = struct.unpack_from("=I", answer, 4)
        return struct.unpack_from(f"={count}Q", answer, 8) if written == count else None

    def _current_and_max(self, name: str, command: int, words: tuple[str, ...]) -> dict[str, int]:
        """Return WORD -> current value and WORD_max -> maximum; words with a maximum of 0 are left out."""
        answer = struct.unpack("=9I", self._call(name, struct.pack("=I32x", command)))
        values: dict[str, int] = {}
        for word, maximum, current in zip(words, answer[1:5], answer[5:9], strict=True):
            if maximum:
                values[word], values[f"{word}_max"] = current, maximum
        return values

    def _features(self, name: str) -> tuple[Mapping[str, int], tuple[int, ...]]:
        """Return the bit of each feature, and per 32 bits four words: available, requested, active, never changed."""
        strings = self._strings(name, ETH_SS_FEATURES)  # bits without a feature all have an empty name
        names = {feature: bit for bit, feature in enumerate(strings)}
        words = 4 * ((len(strings) + 31) // 32)
        features = self._call(name, struct.pack("=II", ETHTOOL_GFEATURES, words // 4) + bytes(4 * words))
        return names, struct.unpack_from(f"={words}I", features, 8)

    def _strings(self, name: str, string_set: int) -> list[str]:
        count = self._count(name, string_set)
        # The driver may have more strings by now, and the kernel writes all of them.
        room = 2 * count + 64
        question = struct.pack("=III", ETHTOOL_GSTRINGS, string_set, count) + bytes(room * ETH_GSTRING_LEN)
        answer = self._call(name, question)
        (written,) = struct.unpack_from("=I", answer, 8)
        starts = range(12, 12 + min(written, room) * ETH_GSTRING_LEN, ETH_GSTRING_LEN)
        return [_text(answer[start : start + ETH_GSTRING_LEN]) for start in starts]

    def _count(self, name: str, string_set: int) -> int:
        answer = self._call(name, struct.pack("=IIQI", ETHTOOL_GSSET_INFO, 0, 1 << string_set, 0))
        mask, count = struct.unpack_from("=QI", answer, 8)
        _check_count(name, count, "strings")
        return int(count) if mask else 0  # the kernel clears the bit of a set that the driver lacks

    def _call(self, name: str, question: bytes) -> bytes:
        buffer = array("B", question)
        fcntl.ioctl(self._fileno, SIOCETHTOOL, struct.pack("16sP", name_bytes(name), buffer.buffer_info()[0]))
        return buffer.tobytes()


def _check_count(name: str, count: int, what: str) -> None:
    """Raise OSError for a number that no driver has, before memory is taken for it."""
    if count > _COUNT_MAX:
        raise OSError(errno.EOVERFLOW, f"{name} claims to have {count} {what}")


def _is_set(features: tuple[int, ...], position: int, which: int) -> bool:
    word, bit = divmod(position, 32)
    return bool(features[4 * word + which] >> bit & 1)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode(errors="replace")
