"""Moments as people type them: ``03:12``, ``2025-11-26T03:12:44Z``, ``-5m``; in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from bpftop.errors import UsageError
from bpftop.model.timestamps import rfc3339_seconds

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?Z?")
_RELATIVE = re.compile(r"([+-])(\d{1,6})([smhd]?)")
SECONDS = {"s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment(text: str, begin_ns: int, end_ns: int, near_ns: int) -> int:
    """Return the wall clock (ns) of a moment of a recording.

    Args:
        text: The moment as typed.
        begin_ns: Begin of the recording.
        end_ns: End of the recording. A relative moment outside of the recording is moved to its begin or end.
        near_ns: Moment that ``-90`` and ``+5m`` count from; a time of day is taken from the day closest to it.

    Raises:
        UsageError: The text is no moment, or a moment outside of the recording.
    """
    text = text.strip()
    if match := _RELATIVE.fullmatch(text):
        steps_ns = int(match[2]) * SECONDS[match[3]] * 10**9
        return max(begin_ns, min(end_ns, near_ns + (steps_ns if match[1] == "+" else -steps_ns)))
    wanted = _clock(text, begin_ns, end_ns, near_ns) if _CLOCK.fullmatch(text) else _date(text)
    if not begin_ns - 60 * 10**9 < wanted <= end_ns + 10**9:
        raise UsageError(
            f"{text} is not within the recording, which lasts from {rfc3339_seconds(begin_ns)} to "
            f"{rfc3339_seconds(end_ns)}{_utc_hint(wanted)}"
        )
    return max(begin_ns, wanted)


def _utc_hint(wanted_ns: int) -> str:
    """Return a hint that times are UTC, for a person whose local time differs."""
    try:
        offset_s = datetime.fromtimestamp(wanted_ns // 10**9).astimezone().utcoffset()
    except (OverflowError, ValueError, OSError):  # a year that nobody's clock has
        return ""
    if not offset_s:
        return ""
    sign, minutes = "+-"[offset_s < timedelta()], abs(offset_s) // timedelta(minutes=1)
    return f"; these times are UTC, and yours is UTC{sign}{minutes // 60}:{minutes % 60:02}"


def _clock(text: str, begin_ns: int, end_ns: int, near_ns: int) -> int:
    match = _CLOCK.fullmatch(text)
    assert match is not None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise UsageError(f"{text} is no time of day; write it as 03:12 or 03:12:44 (UTC)")
    day_ns = 86_400 * 10**9
    of_day_ns = (hour * 3600 + minute * 60 + second) * 10**9
    days = range(begin_ns // day_ns, end_ns // day_ns + 1)
    moments = [day * day_ns + of_day_ns for day in days]
    inside = [m for m in moments if begin_ns - 60 * 10**9 < m <= end_ns + 10**9]
    return min(inside or moments, key=lambda m: abs(m - near_ns))


def _date(text: str) -> int:
    try:
        time = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise UsageError(
            f"{text!r} is no moment; write it as 03:12, 03:12:44, 2025-11-26T03:12:44Z (UTC), -90 or +5m"
        ) from None
    time = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000
