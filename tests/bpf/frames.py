"""All named frames, grouped by the programs that can run them. frame.py explains the fields."""

from tests.bpf import frames_ipv4, frames_ipv6, frames_link, frames_tc
from tests.bpf.frame import LINEAR_BYTES, Frame, expect, tc_test_run_refuses
from tests.bpf.frames_directions import L3_LINKS, TX

__all__ = ["ALL", "L3_LINKS", "LINEAR_BYTES", "RX", "SUPER_FRAMES", "TX", "Frame", "expect", "tc_test_run_refuses"]

RX: list[Frame] = [*frames_link.FRAMES, *frames_ipv4.FRAMES, *frames_ipv6.FRAMES]
"""Direction rx, Ethernet: for XDP, and for tc with no super-frame."""

SUPER_FRAMES: list[Frame] = frames_tc.FRAMES
"""Frames for tc only, each with its Skb, the __sk_buff of the test-run."""

ALL: list[Frame] = [*RX, *TX, *L3_LINKS, *SUPER_FRAMES]
"""TX is direction "tx", L3_LINKS is link "ip"."""
