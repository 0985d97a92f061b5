"""What measuring adds is measured; its limit is the bench's, where nothing else runs."""

from __future__ import annotations

import pytest

from bpftop.measure.maps import overhead


@pytest.mark.bpf
def test_overhead_of_each_operation() -> None:
    found = overhead.measure()
    assert [each.operation for each in found] == ["lookup", "update_existing", "get_next_key", "lookup_batch of 256"]
    for each in found:
        assert 1 < each.bare_ns < 100_000
        assert -30 < each.added_pct < 30
