"""The number of entries of maps: the kernel's counters of hash maps of any size, and walks over the keys of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from bpftop.collect.inventory.entry_counter import EntryCounter
from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_map import BpfMap
from bpftop.kernel.bpf.map_entries import count_entries
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.model.bpf.family_rows import inventory_rows
from bpftop.model.bpf.inventory import BpfInventory, Entries, KnownMap, growth
from bpftop.model.derive import derive_snapshot
from bpftop.render.bpf.loaded_maps import LOADED_MAP_COLUMNS, loaded_map_line, recorded_map_lines
from tests.samples import reading, sample
from tests.waiting import LIMIT_S

HASH_OF_MAPS = 13
LARGE = 300_000
"""A walk over so many keys takes 300 ms: far more than a map may take."""


@pytest.fixture
def counter() -> Iterator[EntryCounter]:
    with closing(EntryCounter()) as opened:
        yield opened


def known(made: BpfMap) -> KnownMap:
    info = made.info()
    kind = inventory.map_type_names()[info.type]
    return KnownMap(info.map_id, kind, info.name, info.key_bytes, info.value_bytes, info.max_entries, info.flags)


@pytest.mark.bpf
@pytest.mark.parametrize(
    ("kind", "flags"),
    [(bpf_map.HASH, 0), (bpf_map.HASH, bpf_map.NO_PREALLOC), (bpf_map.PERCPU_HASH, 0), (bpf_map.LRU_HASH, 0),
     (bpf_map.LRU_HASH, bpf_map.NO_COMMON_LRU), (bpf_map.LRU_PERCPU_HASH, 0), (bpf_map.LPM_TRIE, bpf_map.NO_PREALLOC)],
)  # fmt: skip
def test_entries_are_counted_exactly(counter: EntryCounter, kind: int, flags: int) -> None:
    trie = kind == bpf_map.LPM_TRIE
    with bpf_map.create(kind, 8 if trie else 4, 8, 4096, flags) as made:
        which, value = known(made), bytes(8 * (possible_cpus() if kind in bpf_map.PER_CPU else 1))
        prefix = (32).to_bytes(4, "little") if trie else b""
        keys = [prefix + number.to_bytes(4, "big") for number in range(900)]
        for key in (*keys, *keys[:50]):  # 50 of them are written twice
            made.update(key, value)
        assert counter.count([which])[which.map_id].used == 900
        for key in keys[:300]:
            made.delete(key)
        entries = counter.count([which])[which.map_id]
        assert (entries.used, entries.complete) == (600, True)


@pytest.mark.bpf
def test_a_large_hash_map_is_counted_to_its_end(counter: EntryCounter) -> None:
    with bpf_map.create(bpf_map.HASH, 4, 4, 2 * LARGE) as made:
        for number in range(LARGE):
            made.update(number.to_bytes(4, "little"), bytes(4))
        entries = counter.count([known(made)])[made.info().map_id]
    assert (entries.used, entries.complete) == (LARGE, True)


@pytest.mark.bpf
def test_walks_end_together_and_counters_are_read_anyway(
    counter: EntryCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bpftop.collect.inventory.entry_counter._ALL_LIMIT_S", 0.0)
    with (
        bpf_map.create(bpf_map.HASH, 4, 4, 8) as hash_map,
        bpf_map.create(bpf_map.LPM_TRIE, 8, 4, 8, bpf_map.NO_PREALLOC) as trie,
    ):
        assert counter.count(map(known, (trie, hash_map))).keys() == {hash_map.info().map_id}


@pytest.mark.bpf
@pytest.mark.parametrize(("kind", "value_bytes"), [(14, 4), (15, 4), (16, 4), (17, 4), (20, 8), (2, 8)])
def test_keys_that_always_exist_do_not_fill_a_map(counter: EntryCounter, kind: int, value_bytes: int) -> None:
    """Devmaps, sockmaps, CPU maps, XSK maps, socket arrays: get_next_key returns every index, used or not."""
    with bpf_map.create(kind, 4, value_bytes, 16) as made:
        assert count_entries(made, LIMIT_S) == (16, True)
        which = known(made)
        line = loaded_map_line(which, counter.count([which])[which.map_id])
    assert (line.used_text, line.share) == ("array", None)


def test_maps_that_evict_are_never_full() -> None:
    def full_in(kind: str) -> tuple[float | None, float | None]:
        kept = KnownMap(9, kind, "conns", 4, 8, 100, 0)
        before, now = (
            BpfInventory(0, 0, {}, {}, {9: kept}, {9: Entries(10 * (1 + second), True, second * 10**9)})
            for second in (0, 1)
        )
        return growth(before, now, 9)

    assert full_in("hash") == (10.0, 8.0)
    assert full_in("lru_hash") == (10.0, None)


def test_a_map_that_was_counted_in_part_has_at_least_so_many() -> None:
    kept = KnownMap(9, "lpm_trie", "routes", 8, 8, 100_000, 0)
    now = BpfInventory(0, 0, {}, {}, {9: kept}, {9: Entries(45_000, False, 0)})
    rows = inventory_rows(now)
    assert rows["bpf_maps"][("9", "lpm_trie", "routes", "")][0] is None
    before, after = (
        sample(second, *(reading(family, rows[family], second) for family in ("bpf_maps", "bpf_maps_in_part")))
        for second in (1.0, 2.0)
    )
    snapshot = derive_snapshot(before, after)
    (line,) = recorded_map_lines(snapshot, lambda map_id: 10.0)
    cells = {column.id: column.cell(line, 14).strip() for column in LOADED_MAP_COLUMNS}
    assert (cells["used"], cells["share"], cells["growth"], cells["full_in"]) == (">45.0 k", "> 45 %", "-", "-")
    assert line.used_then is None
