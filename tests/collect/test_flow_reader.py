"""The reader of tables of flows: what its thread cannot do is said with the reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.flow_reader import FlowReader
from bpftop.model.sample import Reading
from tests.waiting import until

REASON = (
    "reading flows ended: the limit of memory (ulimit -v, memory.max of the cgroup) is too low for bpftop; raise it"
)


class WithoutMemory(FlowCounter):
    """A counter whose table cannot be read: no memory is left."""

    def __init__(self) -> None:
        self.request, self.direction = FlowRequest(), "rx"

    def read(self, label: str) -> dict[str, Reading]:
        raise MemoryError


@pytest.fixture
def reader() -> Iterator[FlowReader]:
    with closing(FlowReader()) as reader:
        yield reader


def test_an_error_that_ends_the_thread_is_the_reason(reader: FlowReader) -> None:
    def schedule() -> None:
        reader.schedule([("v0", WithoutMemory()), ("v1", WithoutMemory())], time.monotonic_ns() + 1_000_000_000)

    schedule()
    until(lambda: reader.newest()[1] == {"flows/v0/rx": REASON, "flows/v1/rx": REASON}, "the reason")
    schedule()
    assert reader.newest() == ({}, {"flows/v0/rx": REASON, "flows/v1/rx": REASON})
    reader.schedule([], time.monotonic_ns())
    assert reader.newest() == ({}, {})
    schedule()
    until(lambda: "flows/v0/rx" in reader.newest()[1], "another thread has tried it")
