"""The profile of a BPF program in words; that the numbers are right is proved in a guest of tests/qemu."""

from __future__ import annotations

from contextlib import closing

import pytest

from bpftop.errors import BpftopError
from bpftop.kernel.bpf.object import BpfObject
from bpftop.measure.programs.program_profile import ProgramProfile, profile_program
from bpftop.render.bpf.program_profile import profile_text


def test_means_of_a_run() -> None:
    counts = {"cycles": 4000.0, "instructions": 9000.0, "cache misses": 5.0}
    assert profile_text(ProgramProfile(10, counts, 1.0, 1.0)) == (
        "400 cycles, 900 instructions, 0.5 cache misses, 2.25 instructions a cycle: means of 10 runs in 1 s, with "
        "a part of the measuring itself"
    )
    assert profile_text(ProgramProfile(10, counts, 0.5, 1.0)).endswith(
        "; estimated from 50% of the time, as the PMU had more to count"
    )
    assert profile_text(ProgramProfile(0, counts, 1.0, 2.0)) == "the program did not run within 2 s"


@pytest.mark.bpf
def test_a_profile_or_a_reason() -> None:
    """On a machine without a PMU, or whose kernel refuses trampolines, the reason has the errno and its words."""
    with closing(BpfObject("counter", "count_xdp")) as loaded:
        said = profiled(loaded.program.prog_id)
    assert "the program did not run" in said or "this machine has no PMU" in said or "EPERM (Operation not" in said


def profiled(prog_id: int) -> str:
    try:
        return profile_text(profile_program(prog_id, 0.01))
    except BpftopError as error:
        return str(error)
