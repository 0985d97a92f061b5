"""A counter that is loaded in a thread of its own."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from bpftop.collect.attach.head_start import HeadStart
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.kernel.bpf.program import program_info
from bpftop.kernel.return_code import KernelError
from tests.bpf.watching import is_loaded

pytestmark = pytest.mark.bpf


def refused() -> PacketCounter:
    raise KernelError("cannot load the BPF program count_tc: EPERM (Operation not permitted)", 1)


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_counter_that_nobody_takes_is_unloaded() -> None:
    made: list[int] = []

    def noted() -> PacketCounter:
        counter = PacketCounter("count_tc", "tx")
        made.append(counter.program.prog_id)
        return counter

    HeadStart(noted).close()
    assert [is_loaded(prog_id) for prog_id in made] == [False]


def test_error_of_a_loading_is_raised_by_take() -> None:
    loading = HeadStart(refused)
    with pytest.raises(KernelError, match="EPERM"):
        loading.take()
    HeadStart(refused).close()


def test_nobody_asks_for_the_error_of_a_loading_that_is_closed() -> None:
    """An import without a free file fails so; the error stood in place of the error of the command line."""

    def no_module() -> PacketCounter:
        raise ImportError("no module")

    HeadStart(no_module).close()


def test_without_a_thread_take_loads_the_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    loading = HeadStart(lambda: PacketCounter("count_tc", "tx"))
    with closing(loading.take()) as counter:
        assert program_info(counter.program.prog_id).name == "count_tc"
    loading.close()
