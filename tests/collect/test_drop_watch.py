"""The latest dropped packets, kept while somebody looks at them: real drops on a veth pair."""

from __future__ import annotations

from contextlib import closing

import pytest

from bpftop.collect.capture import drop_watch
from bpftop.collect.capture.drop_watch import DropWatch
from bpftop.model.packet_filter import PacketFilter
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

DROPPED = PacketFilter(True)


def test_dropped_packets_are_kept_with_their_reason(lab: Lab) -> None:
    lab.veth()
    with closing(DropWatch(["v0"], DROPPED, None)) as watch:

        def dropped() -> bool:
            lab.send_far("v1")
            return bool(watch.latest.packets)

        until(dropped, lambda: watch.latest)
        assert watch.latest.trouble == ""
        assert all(packet.reason for packet in watch.latest.packets)


def test_no_such_interface_is_the_trouble(lab: Lab) -> None:
    with closing(DropWatch(["v9"], DROPPED, None)) as watch:
        until(lambda: watch.latest.trouble, "the trouble")
        assert str(watch.latest.trouble).startswith('No interface named "v9" in this network namespace')


def test_an_error_that_ends_the_thread_is_the_trouble(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(drop_watch, "PacketCapture", without_memory)
    with closing(DropWatch(["lo"], DROPPED, None)) as watch:
        until(lambda: watch.latest.trouble, "the trouble")
    assert watch.latest.trouble == (
        "reading dropped packets ended: the limit of memory (ulimit -v, memory.max of the cgroup) is too low for "
        "bpftop; raise it"
    )
