"""The feed: samples in, snapshots out, in a thread that ends whatever happens."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Generator, Sequence

import pytest

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.tui.messages import SnapshotArrived
from bpftop.tui.sampling_thread import SamplingThread
from bpftop.tui.widgets.line import Line
from tests.tui.conftest import Stage, perform
from tests.tui.fake import FakeSource


class Failing(FakeSource):
    """Takes ``count`` samples and fails."""

    error: Exception = BpftopError("no interface eth0; there is eth1")

    def samples(self) -> Generator[Sample, None, None]:
        yield from super().samples()
        raise self.error


def test_the_first_snapshot_with_rates() -> None:
    feed = SamplingThread(FakeSource(count=5))
    feed.start()
    snapshot = feed.wait_ready(10)
    assert snapshot is not None
    assert snapshot.total.rx.totals.packets_per_sec is not None
    while not feed.ended:
        pass
    feed.stop()
    assert feed.error is None
    assert len(feed.history) == 5


def test_not_ready_in_time() -> None:
    source = FakeSource(gate=threading.Semaphore(1))  # one sample has no rates
    feed = SamplingThread(source)
    feed.start()
    assert feed.wait_ready(0.05) is None
    feed.stop()
    assert feed.wait_ready(0) is not None or feed.latest is not None


def test_why_a_source_failed() -> None:
    feed = SamplingThread(Failing(count=0))
    feed.start()
    with pytest.raises(BpftopError, match="no interface eth0; there is eth1"):
        feed.wait_ready(10)
    feed.stop()


def test_a_fault_of_ours_is_a_sentence_too() -> None:
    source = Failing(count=0)
    source.error = ZeroDivisionError("division by zero")
    feed = SamplingThread(source)
    feed.start()
    with pytest.raises(BpftopError, match=r"a fault in bpftop \(ZeroDivisionError: division by zero\)"):
        feed.wait_ready(10)
    assert isinstance(feed.error, BpftopError)
    assert isinstance(feed.error.__cause__, ZeroDivisionError)


def test_a_listener_hears_what_was_there_before_and_the_end() -> None:
    feed = SamplingThread(FakeSource(count=3))
    feed.start()
    while not feed.ended:
        pass
    heard: list[Snapshot | None] = []
    feed.listen(heard.append)
    assert [snapshot and snapshot.seq for snapshot in heard] == [2, None]
    feed.listen(None)


def test_a_source_that_fails_while_shown_ends_the_app() -> None:
    async def scenario(stage: Stage) -> None:
        stage.feed.error = BpftopError("eth0 is gone")
        stage.app.post_message(SnapshotArrived())
        await stage.pilot.pause()
        assert stage.app.return_code == 1

    perform(scenario)


def test_behind_a_screen_that_stands_still_one_tick_waits_and_the_newest_is_shown() -> None:
    assert SnapshotArrived().can_replace(SnapshotArrived())

    async def scenario(stage: Stage) -> None:
        drawn: list[int] = []
        show = stage.app.sheet.show

        def counted(lines: Sequence[Line]) -> None:
            drawn.append(1)
            show(lines)

        stage.app.sheet.show = counted  # type: ignore[method-assign]
        assert stage.source.gate is not None
        stage.source.gate.release(200)
        while stage.feed.latest is None or stage.feed.latest.seq < 269:  # the loop has no turn while they come in
            pass
        assert stage.app._message_queue.qsize() <= 2
        await stage.pilot.pause()
        assert stage.line(0).endswith("live")
        assert stage.app.snapshot is stage.feed.latest
        assert len(drawn) < 20

    perform(scenario)


def test_a_feed_needs_no_textual_and_the_app_no_tls() -> None:
    program = (
        "import sys, bpftop.tui.sampling_thread, bpftop.tui.themes, bpftop.tui.actions\n"
        "print({'rich', 'textual', 'asyncio', 'yaml', 'psutil'} & set(sys.modules))\n"
        "import bpftop.tui.app\n"
        "late = {'bpftop.tui.panes.cpus', 'bpftop.tui.panes.help', 'bpftop.tui.widgets.picture'}\n"
        "late |= {'bpftop.measure', 'bpftop.tui.measurement'}\n"
        "print((late | {'ssl', 'yaml', 'psutil'}) & set(sys.modules))\n"
        "import ssl"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\nset()\n"
    assert done.stderr == ""
