"""The reference parser, checked with the named frames and with invariants of every frame."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bpf import frames, reference, strategies
from tests.bpf.frame import BROADCAST, LINEAR_BYTES, Frame, ether, ip4, udp4
from tests.bpf.reference import Counts, Skb

TRUNCATED, MALFORMED = 262, 263
QUICK = settings(max_examples=40, deadline=None)


def sum_of(counts: Counts, counter: str) -> tuple[int, int]:
    """Return the packets and bytes of all cells of one counter."""
    cells = [counted for cell, counted in counts.items() if cell[0] == counter]
    return sum(packets for packets, _ in cells), sum(length_bytes for _, length_bytes in cells)


def cell(counts: Counts, *key: str | int) -> tuple[int, int]:
    return counts.get(key, (0, 0))


def protocol(counts: Counts) -> int:
    ((_, number),) = [key for key in counts if key[0] == "protocol"]
    assert isinstance(number, int)
    return number


@pytest.mark.parametrize("frame", frames.ALL, ids=lambda frame: frame.name)
def test_named_frame(frame: Frame) -> None:
    counts = reference.count(frame.wire, direction=frame.direction, link=frame.link, skb=frame.skb)
    assert counts == frame.expect, frame.wire.hex()


def test_names_differ() -> None:
    twice = [name for name, times in Counter(frame.name for frame in frames.ALL).items() if times > 1]
    assert not twice


def test_live_only_frames_cannot_be_test_run() -> None:
    for frame in frames.ALL:
        tag_beside = frame.skb is not None and frame.skb.vlan_present
        assert frame.live_only == (tag_beside or not 14 <= len(frame.wire) <= LINEAR_BYTES), frame.name


@pytest.mark.parametrize("frame", frames.RX, ids=lambda frame: frame.name)
def test_tc_without_super_frame_counts_as_xdp(frame: Frame) -> None:
    assert reference.count(frame.wire, skb=Skb(gso_segs=7, wire_len=9000)) == frame.expect


def test_add_sums_cells() -> None:
    frame = bytes(ether(BROADCAST) / udp4(53, 123))
    total: Counts = {}
    reference.add(total, reference.count(frame))
    reference.add(total, reference.count(frame, direction="tx"))
    reference.add(total, {("icmp", 8): (0, 0)})
    assert total == {
        ("protocol", 17): (2, 84),
        ("joint", "ipv4", "broadcast", "<=64"): (2, 84),
        ("udp_port", 53): (1, 42),
        ("udp_port", 123): (1, 42),
    }


def check_sums(frame: bytes, counts: Counts) -> None:
    """Check the invariants of every frame in section "Cells" of docs/counting.md."""
    number = protocol(counts)
    everything = counts["protocol", number]
    assert everything[0] >= 1, frame.hex()
    assert sum_of(counts, "joint") == everything, frame.hex()
    assert sum_of(counts, "tcp_flags") == cell(counts, "protocol", 6), frame.hex()
    for counter, owner in (("udp_port", 17), ("icmp", 1), ("icmpv6", 58)):
        assert sum_of(counts, counter) in ((0, 0), cell(counts, "protocol", owner)), frame.hex()
    for counter in ("fragment", "vlan"):
        assert sum_of(counts, counter) in ((0, 0), everything), frame.hex()
    assert not (number >= 256 and sum_of(counts, "fragment")[0]), frame.hex()
    assert len({key[1:3] for key in counts if key[0] == "joint"}) == 1, frame.hex()
    for key, (packets, length_bytes) in counts.items():
        assert packets > 0, (key, frame.hex())
        assert length_bytes >= 0, (key, frame.hex())


def batch_counts(batch: strategies.Batch) -> Iterator[tuple[bytes, Counts]]:
    for frame in batch.frames():
        yield frame, reference.count(frame, link=batch.link)


@QUICK
@given(st.one_of(strategies.batches(), strategies.batches(link="ip")))
def test_sums_agree(batch: strategies.Batch) -> None:
    for frame, counts in batch_counts(batch):
        assert strategies.SHORTEST <= len(frame) <= strategies.LONGEST
        assert sum_of(counts, "protocol") == (1, len(frame)), frame.hex()
        check_sums(frame, counts)


@settings(max_examples=200, deadline=None)
@given(strategies.frames())
def test_sums_agree_for_drawn_frames(frame: bytes) -> None:
    check_sums(frame, reference.count(frame))


@QUICK
@given(strategies.batches(), st.sampled_from(("rx", "tx")), st.booleans())
def test_sums_agree_for_super_frames(batch: strategies.Batch, direction: reference.Direction, tags: bool) -> None:
    for frame, skb in batch.skbs(direction, tags=tags):
        counts = reference.count(frame, direction=direction, skb=skb)
        check_sums(frame, counts)
        packets, length_bytes = sum_of(counts, "protocol")
        assert packets == (skb.gso_segs if skb.gso_size and skb.gso_segs else packets), (frame.hex(), skb)
        assert length_bytes >= len(frame) + 4 * packets * skb.vlan_present, (frame.hex(), skb)


@settings(max_examples=100, deadline=None)
@given(strategies.skbs(100, "tx"))
def test_drawn_skbs_are_in_bounds(skb: Skb) -> None:
    assert 0 <= skb.gso_size <= 65535
    assert 0 <= skb.gso_segs <= 65535
    assert skb.wire_len is None or 100 <= skb.wire_len <= 65536


@QUICK
@given(strategies.batches())
def test_direction_changes_only_the_port(batch: strategies.Batch) -> None:
    for frame, received in batch_counts(batch):
        sent = reference.count(frame, direction="tx")
        without_port = [{key: at for key, at in counts.items() if key[0] != "udp_port"} for counts in (received, sent)]
        assert without_port[0] == without_port[1], frame.hex()


@QUICK
@given(strategies.batches())
def test_a_tag_changes_only_tag_and_length(batch: strategies.Batch) -> None:
    for frame, plain in batch_counts(batch):
        tags = 1 if ("vlan", 1) in plain else 2 if ("vlan", 2) in plain else 0
        if tags == 2 or frame[12:14] in (b"\x81\x00", b"\x88\xa8"):
            continue
        tagged = reference.count(frame[:12] + b"\x81\x00\x20\x0a" + frame[12:])
        beside = reference.count(frame, skb=Skb(vlan_present=True))
        assert tagged == beside, frame.hex()
        assert cell(tagged, "vlan", tags + 1) == (1, len(frame) + 4), frame.hex()
        assert protocol(tagged) == protocol(plain), frame.hex()


@QUICK
@given(strategies.batches(link="ip"))
def test_packet_without_l2_header_counts_the_same(batch: strategies.Batch) -> None:
    for packet, counts in batch_counts(batch):
        ethertype = {4: 0x0800, 6: 0x86DD}.get(packet[0] >> 4)
        if ethertype is None:
            assert protocol(counts) == MALFORMED, packet.hex()
            continue
        framed = reference.count(bytes(ether(ethertype=ethertype)) + packet)
        ignored = ("joint",)
        assert {key for key in framed if key[0] not in ignored} == {key for key in counts if key[0] not in ignored}


@QUICK
@given(strategies.batches(50), st.integers(1, 60))
def test_padding_is_not_read(batch: strategies.Batch, more: int) -> None:
    """Bytes behind the datagram change lengths only, unless they complete a truncated frame."""
    for frame, counts in batch_counts(batch):
        if protocol(counts) == TRUNCATED:
            continue
        padded = reference.count(frame + b"\xff" * more)
        assert {key for key in padded if key[0] != "joint"} == {key for key in counts if key[0] != "joint"}, frame.hex()


@QUICK
@given(strategies.batches(50))
def test_every_cut_of_a_packet_is_truncated(batch: strategies.Batch) -> None:
    """A datagram that lacks any byte is truncated."""
    for packet in batch.frames():
        datagram = bytes(ip4(proto=17)) + packet
        wire = bytes(ether(ethertype=0x0800)) + datagram[:2] + len(datagram).to_bytes(2, "big") + datagram[4:]
        for length in (14, 33, 34, 41, len(wire) - 1):
            counts = reference.count(wire[:length])
            assert protocol(counts) == TRUNCATED, wire[:length].hex()


def test_smallest_keeps_the_difference() -> None:
    frame = strategies.Batch(1, 1).frames()[0] + b"\x13" * 100
    smallest_frame = strategies.smallest(frame, lambda candidate: b"\x13" in candidate)
    assert smallest_frame.count(b"\x13") == 1
    assert len(smallest_frame) == strategies.SHORTEST
    assert not smallest_frame.replace(b"\x13", b"").strip(b"\0")
