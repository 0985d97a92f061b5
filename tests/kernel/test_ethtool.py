"""Answers of drivers that no test machine has, given as bytes."""

from __future__ import annotations

import struct

import pytest

from bpftop.kernel.net import ethtool
from bpftop.kernel.net.ethtool import Driver, Ethtool


class Scripted(Ethtool):
    """Ethtool that answers each command with given bytes, padded with zeros to the size of the request."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        super().__init__(-1)
        self._answers = answers

    def _call(self, name: str, question: bytes) -> bytes:
        (command,) = struct.unpack_from("=I", question)
        answer = self._answers[command]
        assert len(answer) <= len(question), "the kernel would write beyond the room"
        return answer.ljust(len(question), b"\0")


def count_of(string_set: int, count: int) -> bytes:
    return struct.pack("=IIQI", ethtool.ETHTOOL_GSSET_INFO, 0, 1 << string_set, count)


def strings(string_set: int, *names: bytes) -> bytes:
    return struct.pack("=III", ethtool.ETHTOOL_GSTRINGS, string_set, len(names)) + b"".join(
        name.ljust(ethtool.ETH_GSTRING_LEN, b"\0") for name in names
    )


def test_driver_with_firmware() -> None:
    answer = struct.pack(
        "=I32s32s32s32s", ethtool.ETHTOOL_GDRVINFO, b"ice", b"6.1", b"4.20 0x8001 1.3", b"0000:17:00.0"
    )
    driver = Scripted({ethtool.ETHTOOL_GDRVINFO: answer}).driver("eth0")
    assert driver == Driver("ice", "0000:17:00.0", "4.20 0x8001 1.3")


def test_missing_rings_and_channels_are_left_out() -> None:
    """struct ethtool_ringparam has four maxima (rx, mini, jumbo, tx), then four current values."""
    rings = struct.pack("=9I", ethtool.ETHTOOL_GRINGPARAM, 8192, 0, 0, 4096, 1024, 0, 0, 512)
    channels = struct.pack("=9I", ethtool.ETHTOOL_GCHANNELS, 0, 0, 1, 63, 0, 0, 1, 16)
    driver = Scripted({ethtool.ETHTOOL_GRINGPARAM: rings, ethtool.ETHTOOL_GCHANNELS: channels})
    assert driver.rings("eth0") == {"rx": 1024, "rx_max": 8192, "tx": 512, "tx_max": 4096}
    assert driver.channels("eth0") == {"other": 1, "other_max": 1, "combined": 16, "combined_max": 63}


def test_coalescing_has_the_names_of_ethtool() -> None:
    """The answer has the fields of struct ethtool_coalesce."""
    device = Scripted({ethtool.ETHTOOL_GCOALESCE: struct.pack("=23I", ethtool.ETHTOOL_GCOALESCE, *range(1, 23))})
    words = device.coalescing("eth0")
    assert list(words.values()) == list(range(1, 23))
    assert (words["rx-usecs"], words["rx-frames"], words["tx-usecs"], words["tx-frames"]) == (1, 2, 5, 6)
    assert (words["adaptive-rx"], words["adaptive-tx"], words["sample-interval"]) == (10, 11, 22)


def test_the_indirection_table() -> None:
    answer = struct.pack("=II", ethtool.ETHTOOL_GRXFHINDIR, 4)

    class Table(Scripted):
        def _call(self, name: str, question: bytes) -> bytes:
            return answer if len(question) == 8 else answer + struct.pack("=4I", 0, 1, 2, 1)

    assert Table({}).indirection("eth0") == (0, 1, 2, 1)


def test_counters() -> None:
    driver = Scripted(
        {
            ethtool.ETHTOOL_GSSET_INFO: count_of(ethtool.ETH_SS_STATS, 2),
            ethtool.ETHTOOL_GSTRINGS: strings(ethtool.ETH_SS_STATS, b"rx_missed", b"tx_\xff"),
            ethtool.ETHTOOL_GSTATS: struct.pack("=II2Q", ethtool.ETHTOOL_GSTATS, 2, 7, 1 << 63),
        }
    )
    assert driver.counter_names("eth0") == ("rx_missed", "tx_\ufffd")
    assert driver.counter_values("eth0", 2) == (7, 1 << 63)
    assert driver.counter_values("eth0", 3) is None


@pytest.mark.parametrize("count_now", [0, 3])
def test_counters_that_change_between_two_calls(count_now: int) -> None:
    """Older kernels write all counters, for which the buffer has room; newer kernels write none."""
    values = struct.pack(f"=II{count_now}Q", ethtool.ETHTOOL_GSTATS, count_now, *range(count_now))
    driver = Scripted({ethtool.ETHTOOL_GSSET_INFO: count_of(ethtool.ETH_SS_STATS, 2), ethtool.ETHTOOL_GSTATS: values})
    assert driver.counter_values("eth0", 2) is None


def test_missing_string_set_is_empty() -> None:
    nothing = struct.pack("=IIQI", ethtool.ETHTOOL_GSSET_INFO, 0, 0, 77)  # its bit is cleared, the rest is old
    driver = Scripted({ethtool.ETHTOOL_GSSET_INFO: nothing, ethtool.ETHTOOL_GSTRINGS: strings(ethtool.ETH_SS_STATS)})
    assert driver.counter_names("eth0") == ()


def test_features_that_are_on() -> None:
    names = [f"feature-{bit:02}".encode() for bit in range(40)]
    blocks = (*(0xFFFFFFFF, 0, 0b101, 0), *(0xFF, 0, 0b10, 0))  # available, requested, active, never changed
    driver = Scripted(
        {
            ethtool.ETHTOOL_GSSET_INFO: count_of(ethtool.ETH_SS_FEATURES, 40),
            ethtool.ETHTOOL_GSTRINGS: strings(ethtool.ETH_SS_FEATURES, *names),
            ethtool.ETHTOOL_GFEATURES: struct.pack("=II8I", ethtool.ETHTOOL_GFEATURES, 2, *blocks),
        }
    )
    assert driver.active_features("eth0") == ("feature-00", "feature-02", "feature-33")
