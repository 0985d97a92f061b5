"""Overhead of the profile. `make bench` checks its limit, on an idle machine."""

from __future__ import annotations

import pytest

from bpftop.measure.maps import overhead


@pytest.mark.bpf
def test_overhead_of_each_operation() -> None:
    found = overhead.measure()
    assert [each.operation for each in found] == ["lookup", "update_existing", "get_next_key", "lookup_batch of 256"]
    for each in found:
        assert each.bare_ns > 1
        assert each.added_pct > -100
