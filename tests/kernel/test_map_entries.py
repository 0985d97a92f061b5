"""Walks over the entries of real maps, which change while they are read."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import BpfMap
from bpftop.kernel.bpf.map_entries import read_entries

pytestmark = pytest.mark.bpf
KEYS = {number.to_bytes(4, "little") for number in range(100)}


class Deleting(BpfMap):
    """A map that loses the entry that was looked up as the 50th."""

    looked_up = 0

    def lookup(self, key: bytes, value_bytes: int) -> bytes | None:
        found = super().lookup(key, value_bytes)
        self.looked_up += 1
        if self.looked_up == 50:
            self.delete(key)
        return found


def test_a_key_deleted_under_the_walk_costs_no_other_entry() -> None:
    with bpf_map.create(bpf_map.HASH, 4, 8, 100) as own, closing(Deleting(os.dup(own.fd))) as deleting:
        for key in KEYS:
            own.update(key, bytes(8))
        read = read_entries(deleting, own.info(), 1000, 10.0)
        assert deleting.looked_up == 100
        assert read.complete
        assert sorted(entry.key for entry in read.entries) == sorted(KEYS)


def test_a_walk_that_begins_anew_keeps_its_bound() -> None:
    with bpf_map.create(bpf_map.HASH, 4, 8, 100) as own, closing(Deleting(os.dup(own.fd))) as deleting:
        for key in KEYS:
            own.update(key, bytes(8))
        read = read_entries(deleting, own.info(), 70, 10.0)
        assert (len({entry.key for entry in read.entries}), len(read.entries), read.complete) == (70, 70, False)
