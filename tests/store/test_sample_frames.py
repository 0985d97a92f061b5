"""Frames: any sequence of samples is decoded as it was encoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.model.sample import Reading, Sample
from bpftop.store.encoding.sample_frames import BadFrame, Decoder, Encoder, SampleFrame, Stamp, wrapped_sums
from tests.samples import packed, reading
from tests.store.made_up_machine import Machine
from tests.store.strategies import samples


def stamp(sample: Sample) -> Stamp:
    return Stamp(sample.seq, sample.wall_ns, sample.mono_ns)


@given(st.lists(samples(cpus=2), min_size=1, max_size=4), st.sets(st.integers(0, 3)))
def test_samples_come_back(run: list[Sample], keys: set[int]) -> None:
    encoder, decoder = Encoder(), Decoder()
    for number, sample in enumerate(run):
        if number in keys:
            encoder.reset()
        frame = encoder.encode(sample)
        assert frame.key == (number in keys or number == 0)
        assert decoder.decode(stamp(sample), frame) == sample


def test_every_family_comes_back() -> None:
    encoder, decoder = Encoder(), Decoder()
    before: Sample | None = None
    for sample in Machine(cpus=5, flows=True).samples(4):
        frame = encoder.encode(sample)
        back = decoder.decode(stamp(sample), frame)
        assert back == sample
        if before is not None:
            assert back.interfaces is before.interfaces
        before = back


def test_unchanged_sample_takes_little_room() -> None:
    sample = Machine(cpus=16).sample(0)
    encoder = Encoder()
    first = encoder.encode(sample)
    assert first.key
    assert first.size > 5000
    second = encoder.encode(sample)
    assert second.structure is None
    assert second.size < 250


def test_a_long_structure_costs_only_what_has_changed() -> None:
    """Text that is beyond the window of deflate is found, too."""
    bare = Machine(cpus=1).sample(0)
    names = sorted(f"{n * 7919 % 6007} flow {n * 104729 % 9973}" for n in range(6000))

    def with_row(name: str) -> Sample:
        rows = tuple(("eth0", "rx", "source", row) for row in (*names[:3000], name, *names[3000:]))
        return replace(bare, readings={"flow_groups/eth0/rx": packed("flow_groups", rows, [0, 0] * len(rows), 0.0)})

    encoder, decoder = Encoder(), Decoder()
    for name in ("one", "another", "a third", "the last"):
        made = with_row(name)
        frame = encoder.encode(made)
        assert decoder.decode(stamp(made), frame) == made
        if not frame.key:
            assert frame.structure is not None
            assert len(frame.structure) < 60


def test_a_structure_that_refers_to_too_much_is_damaged() -> None:
    machine, encoder, decoder = Machine(cpus=1, protocols=1, flows=True), Encoder(), Decoder()
    first, second = machine.samples(2)
    decoder.decode(stamp(first), encoder.encode(first))
    frame = encoder.encode(second)
    assert frame.structure is not None
    with pytest.raises(BadFrame, match="more than there is"):
        decoder.decode(stamp(second), frame._replace(structure=b"\0\xff\xff\xff" + frame.structure[4:]))


def test_frames_without_cells_have_sums_and_last_cells() -> None:
    machine, encoder, decoder = Machine(cpus=4), Encoder(), Decoder()
    made = list(machine.samples(5))
    name = "protocols/eth0/rx"
    read = [
        decoder.decode(stamp(sample), encoder.encode(sample, cells=number in (0, 3))).readings
        for number, sample in enumerate(made)
    ]
    first, third = made[0].readings[name], made[3].readings[name]
    assert read[0][name] == first
    assert read[3][name] == third
    for number in (1, 2, 4):
        thin = read[number][name]
        whole = made[number].readings[name]
        assert thin.totals == whole.totals
        assert (thin.read_ns, thin.epoch, thin.keys) == (whole.read_ns, whole.epoch, whole.keys)
    assert read[2][name].cells == first
    assert read[4][name].cells == replace(third, previous=first)
    others = [name for name in made[2].readings if not name.startswith("protocols")]
    assert all(read[2][name] == made[2].readings[name] for name in others)


def test_frames_without_cells_have_the_last_flows() -> None:
    machine, encoder, decoder = Machine(cpus=2, flows=True), Encoder(), Decoder()
    made = list(machine.samples(5))
    made[3] = replace(made[3], readings={n: r for n, r in made[3].readings.items() if not r.family.startswith("flow")})

    def flows(sample: Sample) -> dict[str, Reading]:
        return {name: reading for name, reading in sample.readings.items() if reading.family.startswith("flow")}

    frames = [encoder.encode(sample, cells=number in (0, 2)) for number, sample in enumerate(made)]
    read = [decoder.decode(stamp(sample), frame) for sample, frame in zip(made, frames, strict=True)]
    assert [flows(sample) for sample in read[:3]] == [flows(made[0]), flows(made[0]), flows(made[2])]
    assert flows(read[3]) == {}  # no one counted them: that is not the same as left out
    assert flows(made[0]) != flows(made[2]) != {}
    assert frames[1].size < frames[2].size


def test_sum_is_missing_if_all_its_cells_are() -> None:
    sample = Machine(cpus=2, protocols=2).sample(0)
    name = "protocols/eth0/rx"
    holed = {name: replace(sample.readings[name], missing=frozenset({1, 4, 5}))}
    encoder, decoder = Encoder(), Decoder()
    decoder.decode(stamp(sample), encoder.encode(replace(sample, readings=holed)))
    thin = decoder.decode(stamp(sample), encoder.encode(replace(sample, readings=holed), cells=False)).readings[name]
    assert thin.missing == {2}
    assert thin.totals == holed[name].totals


def test_sums_wrap_as_counters_do() -> None:

    full = reading("protocols", {("eth0", "rx", 6): [(1 << 64) - 1, 3, 1, 2]})
    assert list(wrapped_sums(full)) == [2, 3]


def test_damaged_frame_is_a_sentence() -> None:
    machine, encoder = Machine(cpus=2), Encoder()
    first, second = machine.sample(0), machine.sample(1)
    key, frame = encoder.encode(first), encoder.encode(second)
    assert key.structure is not None
    assert key.cells is not None
    cases = {
        "refers to a frame": [frame],
        "damaged": [key, frame._replace(body=frame.body[:-9])],
        "bytes of numbers": [key, frame._replace(body=key.cells)],
        "structure": [key._replace(structure=Encoder().encode(first).body)],
        "cut short": [key._replace(structure=key.structure[:-20])],
    }
    for why, frames in cases.items():
        decoder = Decoder()
        for whole in frames[:-1]:
            decoder.decode(stamp(first), whole)
        with pytest.raises(BadFrame, match=f"{why}|damaged"):
            decoder.decode(stamp(first), frames[-1])


@given(st.binary(max_size=60), st.integers(0, 10_000), st.sampled_from(["structure", "body", "cells"]))
def test_any_damage_raises_bad_frame_at_most(rubbish: bytes, at: int, part: str) -> None:
    sample = MACHINE.sample(0)
    frame = Encoder().encode(sample)
    whole: bytes = getattr(frame, part)
    at %= len(whole)
    changed: SampleFrame = frame._replace(**{part: whole[:at] + rubbish + whole[at + len(rubbish) :]})  # type: ignore[arg-type]
    with suppress(BadFrame):
        Decoder().decode(stamp(sample), changed)


MACHINE = Machine(cpus=2, protocols=3)
