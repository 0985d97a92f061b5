"""Entries of real maps for the screen: decoded, bounded, with rates between two readings, and without keys."""

from __future__ import annotations

from contextlib import closing

import pytest

from bpftop.errors import BpftopError
from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_map import BpfMap
from bpftop.kernel.bpf.object import BpfObject
from bpftop.tui.measurements import map_entries
from bpftop.tui.measurements.bpf_object_texts import program_text
from bpftop.tui.measurements.map_entries import ENTRIES_MAX, MapReader

pytestmark = pytest.mark.bpf
RINGBUF = 27


def put(own: BpfMap, key: int, value: int) -> None:
    own.update(key.to_bytes(4, "little"), value.to_bytes(8, "little"))


def test_entries_of_a_hash_without_btf_are_bytes() -> None:
    with bpf_map.create(bpf_map.HASH, 4, 8, 1000) as own:
        put(own, 7, 1)
        read = MapReader()(own.info().map_id)
        assert [(row.key, row.value) for row in read.rows] == [("07 00 00 00", "01 00 00 00 00 00 00 00")]
        assert read.head == "1 entry"
        assert list(read.facts) == ["key 4 B, value 8 B, flags none", "used by no program", "not pinned"]


def test_numbers_have_their_change_between_two_readings() -> None:
    with closing(BpfObject("counter", "count_tc")) as counter:
        prog_id = counter.program.prog_id
        names = {each.map_id: each for each in inventory.maps()}
        (known,) = [names[each] for each in inventory.map_ids_of(prog_id) if names[each].name == "counters"]
        reader, map_id = MapReader(), known.map_id
        assert not any(row.per_sec for row in reader(map_id).rows)
        counter.program.test_run(bytes(64), 100)
        rates = [dict(row.per_sec) for row in reader(map_id).rows]
        assert any(rate > 0 for row in rates for rate in row.values())
        assert len(rates) == known.max_entries


def test_many_or_large_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with bpf_map.create(bpf_map.HASH, 4, 8, 1000) as own:
        for key in range(ENTRIES_MAX + 1):
            put(own, key, key)
        map_id = own.info().map_id
        read = MapReader()(map_id)
        assert (len(read.rows), read.head) == (ENTRIES_MAX, f"the first {ENTRIES_MAX} entries; `bpftop maps {map_id} "
                                               "--search TEXT` searches more")  # fmt: skip
        monkeypatch.setattr(map_entries, "BYTES_MAX", 120)
        assert len(MapReader()(map_id).rows) == 10


def test_a_map_without_keys_and_one_that_is_gone() -> None:
    with bpf_map.create(RINGBUF, 0, 0, 4096) as own:
        map_id = own.info().map_id
        assert MapReader()(map_id).head == "a map of type ringbuf has no keys: its content cannot be listed"
    with pytest.raises(BpftopError, match=f"the BPF map {map_id} is gone"):
        MapReader()(map_id)


def test_the_text_of_a_program() -> None:
    with closing(BpfObject("counter", "count_tc")) as counter:
        prog_id = counter.program.prog_id
        text = program_text(prog_id)
    titles = [line[:13].strip() for line in text[: text.index("")]]
    assert titles == [
        "loaded", "pinned at", "uses maps", "verifier", "functions", "PMU profile", "hot map",
    ]  # fmt: skip
    assert "of the 1.00 M it allows" in text[3]
    assert any(line.endswith("<- hot map counters") for line in text)
    assert any(line.endswith("<- map counter.rodata") for line in text)
    assert any(line.startswith("; ") for line in text)
    with pytest.raises(BpftopError, match="has been unloaded"):
        program_text(prog_id)
