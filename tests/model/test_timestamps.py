"""Timestamps in UTC."""

from __future__ import annotations

from bpftop.model.timestamps import clock_time, file_stamp, rfc3339, rfc3339_seconds


def test_every_form_of_a_moment() -> None:
    wall_ns = 1_764_126_765_999_999_999
    assert rfc3339(wall_ns) == "2025-11-26T03:12:45.999Z"
    assert rfc3339_seconds(wall_ns) == "2025-11-26T03:12:45Z"
    assert file_stamp(wall_ns) == "20251126T031245Z"
    assert clock_time(wall_ns) == "03:12:45Z"


def test_any_63_bit_number_is_a_timestamp() -> None:
    assert (rfc3339(0), rfc3339((1 << 63) - 1)) == ("1970-01-01T00:00:00.000Z", "2262-04-11T23:47:16.854Z")
