"""The sender accounts for every frame, checked with the counters of the kernel."""

import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from tests.bpf.sender import send_exactly, times_sent
from tests.demo.traces import rx_and_tx_packets
from tests.waiting import until

pytestmark = pytest.mark.bpf

HEADER = WATCHED.mac_bytes + GENERATOR.mac_bytes + b"\x88\xb5"  # the ethertype for local experiments (IEEE 802)
FRAMES = [HEADER + bytes(length - len(HEADER)) for length in (14, 60, 590, 1514)]


def received(lab: Lab) -> int:
    return lab.call_in(WATCHED, lambda: rx_and_tx_packets("demo0"))[0]


def test_times_sent() -> None:
    assert times_sent(10, 4) == [3, 3, 2, 2]
    assert times_sent(3, 4) == [1, 1, 1, 0]


@pytest.mark.parametrize("total", [1, 255, 1_000_003])
def test_all_accepted_frames_arrive(total: int) -> None:
    with Lab(quiet=True) as lab:
        sent = lab.call_in(GENERATOR, lambda: send_exactly("demo1", FRAMES, total))
        assert (sent.accepted, sent.lost) == (total, 0)
        until(lambda: received(lab) == total, lambda: received(lab))
        sizes = zip(times_sent(total, len(FRAMES)), FRAMES, strict=True)
        assert sent.accepted_bytes == sum(times * len(frame) for times, frame in sizes)


def test_a_refused_frame_is_sent_again() -> None:
    with Lab(quiet=True) as lab:
        narrow = ["tbf", "rate", "200mbit", "burst", "16kb", "limit", "64kb"]
        assert lab.run_in(GENERATOR, ["tc", "qdisc", "add", "dev", "demo1", "root", *narrow]).returncode == 0
        sent = lab.call_in(GENERATOR, lambda: send_exactly("demo1", FRAMES, 10_000))
        assert sent.refused > 0
        until(lambda: received(lab) == 10_000, lambda: received(lab))


def test_an_interface_that_is_down_is_an_error() -> None:
    with Lab(quiet=True) as lab:
        lab.run_in(GENERATOR, ["ip", "link", "set", "demo1", "down"])
        with pytest.raises(OSError, match="down"):
            lab.call_in(GENERATOR, lambda: send_exactly("demo1", FRAMES, 10))
