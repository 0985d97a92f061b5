"""Counts of the programs: named frames cell by cell, random frames against the reference parser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from bpftop.hooks.steps import ProgramName
from tests.bpf import frames as named
from tests.bpf import reference, strategies
from tests.bpf.frame import LINEAR_BYTES, Frame, tc_test_run_refuses
from tests.bpf.harness import Bench

pytestmark = pytest.mark.bpf

BATCHES, BATCH = 200, 100  # 20 000 frames per property test


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[tuple[str, str, str], Bench]]:
    made: dict[tuple[str, str, str], Bench] = {}
    yield made
    for bench in made.values():
        bench.counter.close()


def bench_for(benches: dict[tuple[str, str, str], Bench], program: ProgramName, frame: Frame) -> Bench:
    key = (program, frame.direction, frame.link)
    if key not in benches:
        benches[key] = Bench(program, frame.direction, frame.link)
    return benches[key]


def can_run(program: ProgramName, frame: Frame) -> bool:
    """Frames that BPF_PROG_TEST_RUN refuses are tested live or not at all; frame.py has the limits."""
    if program == "count_tc":
        return not frame.live_only and frame.link == "ethernet" and not tc_test_run_refuses(frame.wire, frame.skb)
    if frame.skb is not None or len(frame.wire) < strategies.SHORTEST:
        return False
    return not frame.live_only or (program == "count_xdp_frags" and len(frame.wire) > LINEAR_BYTES)


PROGRAMS: tuple[ProgramName, ...] = ("count_xdp", "count_xdp_frags", "count_tc")
CASES = [
    pytest.param(program, frame, id=f"{program}-{frame.name}")
    for program in PROGRAMS
    for frame in named.ALL
    if can_run(program, frame)
]


@pytest.mark.parametrize(("program", "frame"), CASES)
def test_named_frame_changes_exactly_its_cells(
    benches: dict[tuple[str, str, str], Bench], program: ProgramName, frame: Frame
) -> None:
    assert bench_for(benches, program, frame).run(frame.wire, frame.skb) == frame.expect


def test_each_program_has_at_least_60_named_frames() -> None:
    programs = [str(case.values[0]) for case in CASES]
    assert all(programs.count(program) >= 60 for program in PROGRAMS)


@pytest.mark.parametrize("direction", ["rx", "tx"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_random_frames_match_the_reference(program: ProgramName, direction: reference.Direction) -> None:
    refused = 0
    with Bench(program, direction) as bench:

        def differs(frame: bytes) -> bool:
            return not refuses(frame) and bench.run(frame) != reference.count(frame, direction=direction)

        def refuses(frame: bytes) -> bool:
            return program == "count_tc" and tc_test_run_refuses(frame)

        @settings(max_examples=BATCHES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(strategies.batches(BATCH))
        def run(batch: strategies.Batch) -> None:
            nonlocal refused
            for frame in batch.frames():
                refused += refuses(frame)
                if differs(frame):
                    report(bench, strategies.smallest(frame, differs), direction)

        run()
    assert refused < BATCHES * BATCH / 5


@pytest.mark.parametrize("direction", ["rx", "tx"])
def test_random_super_frames_match_the_reference(direction: reference.Direction) -> None:
    with Bench("count_tc", direction) as bench:

        @settings(max_examples=BATCHES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(strategies.batches(BATCH))
        def run(batch: strategies.Batch) -> None:
            for frame, skb in batch.skbs(direction):
                if not tc_test_run_refuses(frame, skb):
                    assert bench.run(frame, skb) == reference.count(frame, direction=direction, skb=skb), (
                        frame.hex(),
                        skb,
                    )

        run()


@pytest.mark.parametrize("program", ["count_xdp", "count_xdp_frags"])
def test_random_packets_without_l2_header(program: ProgramName) -> None:
    with Bench(program, "rx", "ip") as bench:

        @settings(max_examples=BATCHES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(strategies.batches(BATCH, link="ip"))
        def run(batch: strategies.Batch) -> None:
            for frame in batch.frames():
                if len(frame) >= strategies.SHORTEST:
                    assert bench.run(frame) == reference.count(frame, link="ip"), frame.hex()

        run()


def report(bench: Bench, frame: bytes, direction: reference.Direction) -> None:
    """Fail with the smallest frame whose counts still differ."""
    pytest.fail(f"{frame.hex()}: BPF {bench.run(frame)}, reference {reference.count(frame, direction=direction)}")
