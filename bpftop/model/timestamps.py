"""Timestamps in UTC, from nanoseconds since 1970."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def rfc3339(wall_ns: int) -> str:
    """Return ``2026-01-31T12:00:00.123Z``."""
    return f"{_moment(wall_ns):%Y-%m-%dT%H:%M:%S}.{wall_ns // 10**6 % 1000:03d}Z"


def rfc3339_seconds(wall_ns: int) -> str:
    """Return ``2026-01-31T12:00:00Z``."""
    return f"{_moment(wall_ns):%Y-%m-%dT%H:%M:%SZ}"


def file_stamp(wall_ns: int) -> str:
    """Return ``20260131T120000Z``, for the name of a file."""
    return f"{_moment(wall_ns):%Y%m%dT%H%M%SZ}"


def clock_time(wall_ns: int) -> str:
    """Return ``12:00:00Z``."""
    return f"{_moment(wall_ns):%H:%M:%SZ}"


def _moment(wall_ns: int) -> datetime:
    return _EPOCH + timedelta(seconds=wall_ns // 10**9)
