"""The counting programs with a table of flows, which the screen puts in place of the others while somebody looks."""

from __future__ import annotations

from contextlib import closing

from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.hooks.steps import ProgramName
from bpftop.model.sample import Direction, Key
from tests.qemu.guest.bpftop import HAS_FRAGS
from tests.qemu.guest.wire import KINDS

FRAMES = 10
UDP_FLOW: Key = ("v0", "198.18.0.1", "198.18.0.2", 5000, 5001, 17)


def are_kept() -> str:
    programs: list[tuple[ProgramName, Direction]] = [("count_xdp", "rx"), ("count_tc", "rx"), ("count_tc", "tx")]
    if HAS_FRAGS:
        programs.append(("count_xdp_frags", "rx"))
    for program, direction in programs:
        with (
            closing(PacketCounter(program, direction)) as counter,
            closing(FlowCounter(counter, FlowRequest())) as flows,
        ):
            flows.program.test_run(KINDS[1].frame, FRAMES)
            reading = flows.read("v0")[f"flows/v0/{direction}"]
            expected = {(*UDP_FLOW[:1], direction, *UDP_FLOW[1:]): (FRAMES, FRAMES * len(KINDS[1].frame))}
            assert reading.totals == expected, (program, reading)
            counted = counter.read("v0", 1)[f"protocols/v0/{direction}"].totals
            assert counted["v0", direction, 17] == (FRAMES, FRAMES * len(KINDS[1].frame)), (program, counted)
    return ", ".join(program for program, _ in programs)
