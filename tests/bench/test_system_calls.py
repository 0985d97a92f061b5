"""System calls of a tick stay within their bounds. Calls are counted per tick, so a busy machine changes nothing."""

from __future__ import annotations

import pytest

from tests.bench.system_calls import LIMIT_SCREEN, LIMIT_WATCH, SETTLING_TICKS, TICKS, calls_per_tick, counted

TICK = [
    "7 sendto(3, [{nlmsg_len=36, nlmsg_type=RTM_GETQDISC, nlmsg_flags=NLM_F_REQUEST}], 36, 0, NULL, 0) = 36",
    "7 pread64(16, <unfinished ...>",
    "8  epoll_wait(70, [], 1, 0) = 0",
    '7 <... pread64 resumed>"cpu  1", 32768, 0) = 8',
]


def test_each_call_is_counted_once() -> None:
    calls = calls_per_tick(TICK * (SETTLING_TICKS + TICKS + 1))
    assert calls.of_ticks == [{"sendto": 1, "pread64": 1, "epoll_wait": 1}] * TICKS
    assert calls.per_tick == 3


@pytest.mark.bpf
@pytest.mark.timeout(300)
def test_tick_stays_within_its_system_calls() -> None:
    watch, screen = counted()
    assert watch.per_tick <= LIMIT_WATCH, watch.words()
    assert screen.per_tick <= LIMIT_SCREEN, screen.words()
