"""Cost of naming the processes behind flows: 50 rows on a machine of 2 000 sockets and 500 processes."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from statistics import median

from bpftop.collect.sockets import flow_names
from bpftop.collect.sockets.flow_names import FlowNames
from bpftop.kernel.netns import moved, unshare_network
from bpftop.model.sample import Key, reading_key
from tests.bench.figures import Figure
from tests.samples import packed

SOCKETS, PROCESSES, TICKS = 2000, 500, 30
LIMIT_MS = 15.0
TCP = 6


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    say(f"names: {SOCKETS} sockets, {PROCESSES} processes")
    with ExitStack() as stack:
        stack.enter_context(moved(unshare_network))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for _ in range(PROCESSES):
            sleeper = stack.enter_context(subprocess.Popen(["sleep", "600"]))
            stack.callback(sleeper.kill)
        keys = _connections(stack)
        names = stack.enter_context(closing(FlowNames()))
        first = _tick_ms(names, keys[: flow_names.ROWS_MOST])
        steady = [_tick_ms(names, keys[: flow_names.ROWS_MOST]) for _ in range(TICKS)]
        moving = []
        for turn in range(TICKS):  # a tick in which one of the sockets is new
            with suppress(StopIteration):
                keys = [next(_new_connection(stack)), *keys[:-1]]
            moving.append(_tick_ms(names, keys[: flow_names.ROWS_MOST]))
            time.sleep(0.05 if turn else 0)
    how = f"CPU time, {flow_names.ROWS_MOST} rows, median of {TICKS}"
    yield Figure("names", "the first tick, which walks /proc once", first, "ms", None, how)
    yield Figure("names", "a tick of the same flows", median(steady), "ms", LIMIT_MS, how)
    yield Figure("names", "ticks with a new socket each, mean", sum(moving) / len(moving), "ms", LIMIT_MS, how)


def _connections(stack: ExitStack) -> list[Key]:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=SOCKETS))
    keys: list[Key] = []
    for _ in range(SOCKETS // 2):
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        stack.enter_context(server.accept()[0])
        keys.append(_key(client))
    return keys


def _new_connection(stack: ExitStack) -> Iterator[Key]:
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    yield _key(stack.enter_context(socket.create_connection(server.getsockname())))


def _key(client: socket.socket) -> Key:
    local, remote = client.getsockname(), client.getpeername()
    return "lo", "tx", local[0], remote[0], local[1], remote[1], TCP


def _tick_ms(names: FlowNames, keys: list[Key]) -> float:
    flows = packed("flows", tuple(keys), [1, 1] * len(keys))
    begin_ns = time.thread_time_ns()
    names.readings("lo", "tx", {reading_key("flows", "lo", "tx"): flows})
    return (time.thread_time_ns() - begin_ns) / 1e6
