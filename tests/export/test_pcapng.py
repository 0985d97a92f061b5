"""Packets without their payload, and the sentences of a capture file. The files are read by tshark in tests/cli."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.packet import Packet, Raw

from bpftop.export.pcapng.blocks import comment_of, left_out_sentence, without_payload
from bpftop.model.captured_packet import CaptureCounts, CapturedPacket

SECRET = b"secret" * 4
KEPT = {
    "TCP with options": IP() / TCP(options=[("MSS", 1460), ("Timestamp", (1, 2))]),
    "UDP": IP() / UDP(),
    "UDP behind options": IP(options=b"\x01" * 8) / UDP(),
    "UDP over IPv6": IPv6() / UDP(),
    "behind a hop-by-hop header": IPv6() / IPv6ExtHdrHopByHop() / TCP(),
    "ICMP": IP() / ICMP(),
    "a first fragment": IP(flags="MF") / UDP(),
    "a later fragment": IP(frag=100, proto=17),
    "a later fragment of IPv6": IPv6() / IPv6ExtHdrFragment(nh=17, offset=100),
    "an unknown protocol": IP(proto=200),
    "GRE": IP() / GRE(),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("below", [None, Ether(), Ether() / Dot1Q(vlan=7), Ether() / Dot1Q() / Dot1Q()], ids=repr)
def test_headers_stay_and_payload_is_zeros(name: str, below: Packet | None) -> None:
    packet = KEPT[name] if below is None else below / KEPT[name]
    headers, whole = len(bytes(packet)), bytes(packet / Raw(SECRET))
    kept = without_payload(whole, is_ip=below is None)
    assert kept == whole[:headers] + bytes(len(SECRET))


def test_arp_is_kept_and_its_padding_is_not() -> None:
    frame = bytes(Ether() / ARP() / Raw(SECRET))
    assert without_payload(frame, is_ip=False) == frame[:42] + bytes(len(SECRET))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_keep_their_length(content: bytes, is_ip: bool) -> None:
    kept = without_payload(content, is_ip=is_ip)
    assert len(kept) == len(content)
    end = len(kept.rstrip(b"\0"))
    assert content.startswith(kept[:end])


def test_sentences() -> None:
    assert left_out_sentence(CaptureCounts(5)) == "5 packets matched, none was left out"
    assert left_out_sentence(CaptureCounts(9, 2, 1)) == (
        "9 packets matched, 3 were left out: 2 for the limit of packets per second, "
        "1 because they were not read in time"
    )
    dropped = CapturedPacket(0, "eth0", "rx", 1, b"", 0, segments=3, reason="NO_SOCKET", function="udp_rcv+0x1")
    assert comment_of(dropped) == "dropped: NO_SOCKET in udp_rcv+0x1, CPU 1; super-frame of 3 packets on the wire"


@pytest.mark.parametrize(
    ("reason", "l4_proto", "stage"),
    [
        ("NO_SOCKET", 17, "stage UDP no port, "), ("NO_SOCKET", 6, "stage TCP resets sent, "), ("NO_SOCKET", 132, ""),
        ("SOCKET_RCVBUFF", 6, "stage TCP sockets, "), ("CPU_BACKLOG", 17, "stage backlog, "),
        ("TCP_LISTEN_OVERFLOW", 6, "stage listen, "), ("NETFILTER_DROP", 17, "stage conntrack or firewall, "),
        ("NOT_SPECIFIED", 17, ""),
    ],
)  # fmt: skip
def test_the_comment_names_the_stage(reason: str, l4_proto: int, stage: str) -> None:
    """Stages are rows of the path: UDP no port, for a datagram that finds no socket."""
    header = bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, l4_proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    dropped = CapturedPacket(0, "eth0", "rx", 1, header + bytes(8), 28, is_ip=True, reason=reason)
    assert comment_of(dropped) == f"dropped: {reason}, {stage}CPU 1"
