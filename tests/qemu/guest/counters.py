"""Counters of the CPU for the runs of a program, by fentry and fexit; guests have no PMU, and count a clock instead."""

from __future__ import annotations

from contextlib import closing

from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.measure.program_counters import PMU_EVENTS, PerfEvent, ProgramCounters
from bpftop.kernel.return_code import KernelError

CLOCK = PerfEvent("CPU clock", 1, 0)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK
UNKNOWN = PerfEvent("not of this kernel", 1, 9999)
RUNS = 5000


def count_each_run() -> str:
    """Each run is counted, with its events; an event that the machine does not have is left out."""
    with closing(BpfObject("counter", "count_xdp")) as loaded:
        program = loaded.program
        try:
            ProgramCounters(program.prog_id)
        except KernelError as error:
            said = str(error)
            assert "no PMU" in said, said
        else:
            raise AssertionError("this guest has a PMU")
        assert PMU_EVENTS[0].name in said, said
        with closing(ProgramCounters(program.prog_id, (CLOCK, UNKNOWN))) as counters:
            assert counters.read()[0] == 0
            program.test_run(bytes(64), RUNS)
            runs, (clock,) = counters.read()
            assert runs == RUNS, runs
            assert (clock.name, clock.share) == ("CPU clock", 1.0), clock
            assert 0 < clock.count / RUNS < 1e9, clock
        program.test_run(bytes(64), RUNS)
    return f"{runs} runs, {clock.count / RUNS:.0f} ns each; {said}"
