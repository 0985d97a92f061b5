"""`bpftop capture`: packets dropped or on an interface, or a sentence where this kernel has no place to copy."""

from __future__ import annotations

import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from tests.qemu.guest.bpftop import COMMAND, HAS_TCX
from tests.qemu.guest.losses import HAS_REASONS
from tests.qemu.guest.wire import FAR, KINDS, NEAR, send, veth

PACKETS = 20
PAUSE_S = 0.02
"""Both CPUs of a guest share one: without a pause, sending takes as much of it as the start of bpftop."""
ENHANCED_PACKET_BLOCK = 6
CLOSED_PORT = 9


def are_captured() -> str:
    with tempfile.TemporaryDirectory() as folder, veth():
        dropped = _captured(Path(folder, "drops.pcapng"), HAS_REASONS, "5.17", "lo", "--drops", "--reason", "NO_SOCKET")
        seen = _captured(Path(folder, "seen.pcapng"), HAS_TCX, "6.6", NEAR, "--protocol", "udp")
    return f"dropped: {dropped}; of an interface: {seen}"


def _captured(path: Path, possible: bool, since: str, *words: str) -> str:
    """Return how many packets the file has, or the sentence that says why there can be none."""
    command = [*COMMAND, "capture", *words, "-o", str(path), "--count", str(PACKETS)]
    capture = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while capture.poll() is None:  # until it is attached nothing is captured
        _drop_a_datagram()
        send(FAR, KINDS[1:2])
        time.sleep(PAUSE_S)
    _, said = capture.communicate()
    if not possible:
        assert capture.returncode == 1, said
        assert said.startswith("bpftop: "), said
        assert f"Linux {since}" in said, said
        assert not path.exists()
        return said.strip()
    assert capture.returncode == 0, said
    blocks = _block_types(path.read_bytes())
    assert blocks.count(ENHANCED_PACKET_BLOCK) == PACKETS, blocks
    return f"{PACKETS} packets"


def _drop_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(bytes(100), ("127.0.0.1", CLOSED_PORT))


def _block_types(pcapng: bytes) -> list[int]:
    types = []
    while pcapng:
        kind, size = struct.unpack_from("=II", pcapng)
        types.append(kind)
        pcapng = pcapng[size:]
    return types
