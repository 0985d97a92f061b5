"""BPF programs and maps in live samples: only while they are watched, at every tick then, with run statistics."""

from __future__ import annotations

from contextlib import closing

import pytest

from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.kernel.bpf.object import BpfObject
from bpftop.model.derive import derive_snapshot
from bpftop.render.bpf.loaded_maps import recorded_map_lines
from bpftop.render.bpf.loaded_programs import recorded_program_lines

pytestmark = pytest.mark.bpf
RUNS = 1000


def test_programs_are_read_while_they_are_watched() -> None:
    source = LiveSource(["lo"], LiveOptions(AttachRequest("none"), interval_s=0.1, drops=False))
    with closing(BpfObject("counter", "count_tc")) as counter:
        samples = source.samples()
        try:
            assert "bpf_programs" not in next(samples).readings
            source.watch_bpf(True)
            first = next(each for each in samples if "bpf_programs" in each.readings)
            counter.program.test_run(bytes(64), RUNS)
            read_ns = first.readings["bpf_programs"].read_ns
            second = next(each for each in samples if each.readings["bpf_programs"].read_ns != read_ns)
            source.watch_bpf(False)
            assert any("bpf_programs" not in each.readings for each in samples)
        finally:
            source.close()
            samples.close()
        snapshot = derive_snapshot(first, second)
        (line,) = [each for each in recorded_program_lines(snapshot) if each.prog_id == counter.program.prog_id]
        assert (line.type, line.name) == ("sched_cls", "count_tc")
        assert line.rates.runs_per_sec is not None
        assert line.rates.runs_per_sec > 0
        assert line.rates.cpu_pct is not None
        assert any(each.name == "counters" for each in recorded_map_lines(snapshot))
