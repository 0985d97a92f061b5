"""Overhead of the profile. `make bench` checks its limit, on an idle machine."""

from __future__ import annotations

import pytest

from bpftop.measure.maps import overhead


@pytest.mark.bpf
def test_overhead_of_each_operation() -> None:
    overheads = overhead.measure()
    assert [each.operation for each in overheads] == [
        "lookup",
        "update_existing",
        "get_next_key",
        "lookup_batch of 256",
    ]
    for each in overheads:
        assert 1 < each.bare_ns < 100_000
        assert -30 < each.added_pct < 30
