"""Frames that a person names, and frames of the bench itself."""

from __future__ import annotations

import struct
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers import inet, inet6  # noqa: F401 they teach Ether its payloads
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from bpftop.errors import BpftopError, UsageError
from bpftop.kernel.measure.frames import DEFAULT_FRAMES, FRAME_BYTES, FRAMES, burst
from bpftop.measure.programs.packets import FRAMES_MOST, packets

TCP, ARP = FRAMES["TCP"], FRAMES["ARP"]


def pcap(*frames: bytes, order: str = "<", magic: int = 0xA1B2C3D4, link_type: int = 1) -> bytes:
    """Return a capture file, by its specification (draft-ietf-opsawg-pcap)."""
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    records = (struct.pack(f"{order}IIII", 1, 2, len(frame), len(frame) + 7) + frame for frame in frames)
    return head + b"".join(records)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D], ids=["us", "ns"])
def test_captures_of_both_byte_orders(tmp_path: Path, order: str, magic: int) -> None:
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(TCP, ARP, order=order, magic=magic))
    assert packets(str(path)) == {"frame 1": TCP, "frame 2": ARP}


def test_a_capture_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcap"
    wrpcap(str(path), [Ether(FRAMES[name]) for name in DEFAULT_FRAMES])
    assert list(packets(str(path)).values()) == [FRAMES[name] for name in DEFAULT_FRAMES]


def test_a_long_capture_is_used_in_part(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(*[TCP] * (FRAMES_MOST + 5)))
    assert len(packets(str(path))) == FRAMES_MOST


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pcap file"),
        (b"\x7fELF" + bytes(60), "no pcap file"),
        (pcap(TCP)[:20], "no pcap file"),
        (pcap(), "holds no packets"),
        (pcap(TCP)[:-1], "ends within frame 1"),
        (pcap(TCP, TCP)[: -FRAME_BYTES - 4], "ends within the header of frame 2"),
        (pcap(TCP)[:32] + struct.pack("<I", 1 << 31) + bytes(60), "ends within frame 1"),
        (pcap(TCP, link_type=113), "link type 113"),
        (pcap(TCP[:13]), "frame 1 of .* has 13 bytes"),
        (b"\x0a\x0d\x0d\x0a" + bytes(60), "pcapng.*editcap"),
    ],
)
def test_bad_captures_are_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    with pytest.raises(BpftopError, match=message) as caught:
        packets(str(path))
    assert "\n" not in str(caught.value)


def test_a_capture_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BpftopError, match="no regular file"):
        packets(str(tmp_path))


@given(st.binary())
def test_no_capture_file_ends_in_another_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pcap"
    path.write_bytes(pcap(TCP)[:24] + content)
    with suppress(BpftopError):
        assert all(len(frame) >= 14 for frame in packets(str(path)).values())


def test_hex_digits() -> None:
    assert packets(ARP.hex()) == {"packet": ARP}
    assert packets("0x" + ARP.hex(":")) == {"packet": ARP}
    assert packets(f"{ARP.hex(' ').upper()}\n") == {"packet": ARP}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("00 0g", "'g' is no hex digit"),
        ("/no/such.pcap", "there is no such file"),
        ("000", "3 hex"),
    ],
)
def test_bad_hex_is_bad_usage(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        packets(text)


def test_a_short_packet() -> None:
    with pytest.raises(BpftopError, match="has 2 bytes"):
        packets("0800")


@pytest.mark.parametrize("name", FRAMES)
def test_frames_match_their_names_and_checksums(name: str) -> None:
    frame = FRAMES[name]
    assert len(frame) == FRAME_BYTES
    parsed = Ether(frame)
    layers = [layer.__name__ for layer in parsed.layers()]
    wanted = {"SYN": "TCP", "DNS": "UDP", "VLAN": "Dot1Q", "ICMPv6": "ICMPv6EchoRequest"}.get(name, name)
    assert wanted in layers
    again: Any = parsed.copy()
    for layer in ("IP", "TCP", "UDP", "ICMP", "ICMPv6EchoRequest"):
        if layer in layers:
            again.getlayer(layer).delfieldval("cksum" if layer.startswith("ICMPv6") else "chksum")
    assert bytes(again) == frame


def test_a_burst_is_mostly_tcp_and_always_the_same() -> None:
    frames = [burst()[at : at + FRAME_BYTES] for at in range(0, len(burst()), FRAME_BYTES)]
    occurrences = Counter(frames)
    assert len(frames) == 32
    assert occurrences[TCP] + occurrences[FRAMES["SYN"]] == 18
    assert set(occurrences) <= set(FRAMES.values())
    assert burst() == burst()
