"""Every named frame, by what it takes to run it. Frame explains the fields, frames_*.py have the frames themselves."""

from tests.bpf import frames_ipv4, frames_ipv6, frames_link, frames_tc
from tests.bpf.frame import LINEAR_BYTES, Frame, expect, tc_test_run_refuses
from tests.bpf.frames_directions import L3_LINKS, TX

__all__ = ["ALL", "L3_LINKS", "LINEAR_BYTES", "RX", "SUPER_FRAMES", "TX", "Frame", "expect", "tc_test_run_refuses"]

RX: list[Frame] = [*frames_link.FRAMES, *frames_ipv4.FRAMES, *frames_ipv6.FRAMES]
"""Direction rx, Ethernet: for XDP, and for tc with no super-frame."""

SUPER_FRAMES: list[Frame] = frames_tc.FRAMES
"""tc only, each with its Skb: what TEST_RUN takes as the __sk_buff beside the bytes."""

ALL: list[Frame] = [*RX, *TX, *L3_LINKS, *SUPER_FRAMES]
"""TX is direction "tx", L3_LINKS is link "ip"."""
