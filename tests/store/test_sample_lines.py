"""Samples as JSON lines: written and read back; a bad line is refused with a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from bpftop.model.sample import Sample
from bpftop.store.encoding.sample_lines import BadLine, LineReader, sample_line
from tests.store.made_up_machine import Machine
from tests.store.strategies import samples


@given(samples())
def test_line_holds_the_whole_sample(sample: Sample) -> None:
    line = sample_line(sample)
    assert line.isascii()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert LineReader().read(line.encode()) == sample


def test_line_holds_every_family() -> None:
    sample = Machine(cpus=3, flows=True).sample(0)
    assert LineReader().read(sample_line(sample).encode()) == sample


def test_unchanged_parts_are_the_same_objects() -> None:
    """Rows are paired faster if their keys are the same object, as in a live session."""
    reader, machine = LineReader(), Machine(cpus=2)
    first, second = (reader.read(sample_line(sample).encode()) for sample in machine.samples(2))
    assert first.interfaces is second.interfaces
    assert all(first.readings[name].keys is second.readings[name].keys for name in first.readings)


def test_cells_beside_sums_come_back() -> None:
    sample = Machine(cpus=2).sample(0)
    whole = sample.readings["protocols/eth0/rx"]
    thin = replace(whole, values=whole.values[::2], cells=replace(whole, previous=whole))
    thin_sample = replace(sample, readings={"protocols/eth0/rx": thin})
    assert LineReader().read(sample_line(thin_sample).encode()) == thin_sample


def line(**changes: Any) -> str:
    whole = json.loads(sample_line(Machine(cpus=2).sample(0)))
    return json.dumps({**whole, **changes})


def reading(**changes: Any) -> str:
    whole = json.loads(line())
    whole["readings"] = {"softnet": {**whole["readings"]["softnet"], **changes}}
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is no JSON"),
        (line()[:-40], "it is no JSON"),
        (line()[40:], "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ('{"schema": NaN}', "NaN is no number"),
        ("7", "its schema is not bpftop.sample/1"),
        ('{"schema": "bpftop.snapshot/1"}', "its schema is not bpftop.sample/1"),
        ('{"schema": "bpftop.sample/1"}', "it has no possible_cpus"),
        (line(possible_cpus=0), "possible_cpus is 0"),
        (line(possible_cpus=True), "possible_cpus is True"),
        (line(seq="7"), "seq is '7' and no int"),
        (line(readings=[]), r"readings is \[\] and no dict"),
        (line(online_cpus=[0, "a"]), "online_cpus is 'a' and no int"),
        (line(interfaces=[{"label": "eth0"}]), "interfaces lacks a field"),
        (line(interfaces=[{"label": "e", "name": "e", "ifindex": 1, "new": 1}]), "a field 'new' that this version"),
        (line(interfaces=[{"label": "e", "name": "e", "ifindex": 1, "state": "odd"}]), "interfaces.state is 'odd'"),
        (line(unavailable={"nic": 1}), "unavailable is 1 and no str"),
        (reading(family="tomorrow"), "a family that this version does not know: 'tomorrow'"),
        (reading(values=[1]), "softnet has 1 values for 2 rows"),
        (reading(values=[-1]), "softnet has a value that is no count"),
        (reading(values=[1.5]), "softnet has a value that is no count"),
        (reading(values={}), "softnet has 0 values"),
        (reading(keys=[[0], [0]]), "row keys that are not those of softnet"),
        (reading(keys=[[0, 1], [1, 1]]), "row keys that are not those of softnet"),
        (reading(keys=[[None], [1]]), "a row key that is neither numbers nor words"),
        (reading(keys=[0, 1]), "softnet is 0 and no list"),
        (line(wall_ns=1 << 63), "wall_ns is out of range"),
        (line(mono_ns=-1), "mono_ns is out of range"),
        (reading(read_ns=10**30), "softnet.read_ns is out of range"),
        (reading(keys=[["a"], [1]]), "softnet has a cpu that is no number"),
        (reading(keys=[[-1], [1]]), "softnet has a cpu that is no number"),
        (reading(missing=[99]), "softnet misses a cell that it does not have"),
    ],
)
def test_bad_line_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadLine, match=why):
        LineReader().read(text.encode())


def test_line_without_kernel_release() -> None:
    sample = Machine(cpus=1).sample(0)
    whole = json.loads(sample_line(sample))
    assert whole.pop("kernel") == sample.kernel
    assert LineReader().read(json.dumps(whole).encode()) == replace(sample, kernel="")


def test_truncated_line_is_refused() -> None:
    whole = sample_line(Machine(cpus=1, protocols=1).sample(0)).rstrip()
    for length in range(0, len(whole), 97):
        with pytest.raises(BadLine):
            LineReader().read(whole[:length].encode())
