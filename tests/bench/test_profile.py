"""Overhead of the profile. `make bench` checks its limits."""

from __future__ import annotations

import pytest

from tests.bench.profile import overheads


@pytest.mark.bpf
def test_overhead_of_each_operation() -> None:
    measured = overheads(rounds=20)
    operations = [each.operation for each in measured]
    assert operations == ["lookup", "update_existing", "get_next_key", "lookup_batch of 256"]
    for each in measured:
        assert each.bare_ns > 1
        assert 0.1 < each.ratio < 10
