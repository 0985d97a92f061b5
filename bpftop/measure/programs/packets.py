"""Reader of the option --packet: hexadecimal digits, or a capture file in the classic pcap format."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from bpftop.errors import BpftopError, UsageError

FRAMES_MOST = 16
"""Number of frames to use from the begin of a capture: each frame is measured on its own."""

_ETHERNET_BYTES = 14
_LINKTYPE_ETHERNET = 1

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html: magic, two u16 version, two unused, snaplen, link type
_FILE_HEADER_BYTES = 24
_RECORD_HEADER_BYTES = 16
_MAGICS = (0xA1B2C3D4, 0xA1B23C4D)  # times in microseconds, in nanoseconds
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_RECORD_BYTES_MOST = 1 << 18  # libpcap's own limit (MAXIMUM_SNAPLEN)


def packets(text: str) -> Mapping[str, bytes]:
    """Return name -> frame. ``text``: path of a pcap file, or hex digits (blanks, colons, a leading 0x allowed).

    Raises UsageError if the text is neither, BpftopError for an unusable file.
    """
    if os.path.exists(text):
        return _capture(Path(text))
    digits = re.sub(r"[\s:]", "", text).removeprefix("0x")
    wrong = re.search(r"[^0-9a-fA-F]", digits)
    if wrong or not digits:
        what = f"{wrong[0]!r} is no hex digit" if wrong else "it is empty"
        raise UsageError(
            f"--packet {text}: there is no such file, and as hex digits {what}; give a pcap file or a frame in hex"
        )
    if len(digits) % 2:
        raise UsageError(f"--packet: {len(digits)} hex digits are no whole bytes; give two for each")
    return {"packet": _long_enough(bytes.fromhex(digits), "the packet")}


def _capture(path: Path) -> Mapping[str, bytes]:
    if path.exists() and not path.is_file():  # opening a FIFO would block, also for signals
        raise BpftopError(f"cannot read {path}: it is no regular file; name a pcap file")
    try:
        with path.open("rb") as capture:
            content = capture.read((FRAMES_MOST + 1) * (_RECORD_BYTES_MOST + _RECORD_HEADER_BYTES))
    except OSError as error:
        raise BpftopError(f"cannot read {path}: {error.strerror}; name a pcap file") from error
    frames = {f"frame {number}": frame for number, frame in enumerate(_records(path, content), 1)}
    if not frames:
        raise BpftopError(f"{path} holds no packets; capture some with `tcpdump -w`")
    return frames


def _records(path: Path, content: bytes) -> Iterator[bytes]:
    order = _byte_order(path, content)
    at = _FILE_HEADER_BYTES
    for number in range(1, FRAMES_MOST + 1):
        if at == len(content):
            return
        if at + _RECORD_HEADER_BYTES > len(content):
            raise BpftopError(f"{path} ends within the header of frame {number}; capture it again")
        captured = struct.unpack_from(f"{order}8xI", content, at)[0]
        at += _RECORD_HEADER_BYTES
        if captured > _RECORD_BYTES_MOST or at + captured > len(content):
            raise BpftopError(
                f"{path} ends within frame {number}, of {captured} bytes; it is damaged: capture it again"
            )
        yield _long_enough(content[at : at + captured], f"frame {number} of {path}")
        at += captured


def _byte_order(path: Path, content: bytes) -> str:
    """Check the file header, and return ``<`` or ``>``."""
    if content.startswith(_PCAPNG):
        raise BpftopError(
            f"{path} is a pcapng file, which bpftop does not read; convert it: `editcap -F pcap {path} NEW`"
        )
    if len(content) >= _FILE_HEADER_BYTES:
        for order in "<>":
            magic, link_type = struct.unpack_from(f"{order}I16xI", content)
            link_type &= 0xFFFF  # the upper bits: length of the FCS
            if magic in _MAGICS and link_type != _LINKTYPE_ETHERNET:
                raise BpftopError(f"{path} holds frames of link type {link_type}, and only Ethernet (1) can be run")
            if magic in _MAGICS:
                return order
    raise BpftopError(f"{path} is no pcap file; write one with `tcpdump -w`, or give the frame in hex")


def _long_enough(frame: bytes, what: str) -> bytes:
    if len(frame) < _ETHERNET_BYTES:
        raise BpftopError(
            f"{what} has {len(frame)} bytes; a test-run wants the {_ETHERNET_BYTES} of an Ethernet header"
        )
    return frame
