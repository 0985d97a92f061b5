"""The sampling_thread: samples in, snapshots out, in a thread that ends whatever happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator

import pytest

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample
from bpftop.model.snapshot import Snapshot
from bpftop.tui.messages import SnapshotArrived
from bpftop.tui.sampling_thread import SamplingThread
from tests.tui.conftest import Stage, perform
from tests.tui.fake_source import FakeSource
from tests.waiting import first_rates, until


class Failing(FakeSource):
    """Takes ``count`` samples and fails."""

    error: Exception = BpftopError("no interface eth0; there is eth1")

    def samples(self) -> Generator[Sample, None, None]:
        yield from super().samples()
        raise self.error


def test_the_first_snapshot_with_rates() -> None:
    sampling_thread = SamplingThread(FakeSource(count=5))
    sampling_thread.start()
    snapshot = first_rates(sampling_thread)
    assert snapshot is not None
    assert snapshot.total.rx.totals.packets_per_sec is not None
    until(lambda: sampling_thread.ended, "the source has ended")
    sampling_thread.stop()
    assert sampling_thread.error is None
    assert len(sampling_thread.history) == 5


def test_why_a_source_failed() -> None:
    sampling_thread = SamplingThread(Failing(count=0))
    sampling_thread.start()
    with pytest.raises(BpftopError, match="no interface eth0; there is eth1"):
        first_rates(sampling_thread)
    sampling_thread.stop()


def test_a_bug_in_sampling_becomes_a_sentence() -> None:
    source = Failing(count=0)
    source.error = ZeroDivisionError("division by zero")
    sampling_thread = SamplingThread(source)
    sampling_thread.start()
    with pytest.raises(BpftopError, match=r"a fault in bpftop \(ZeroDivisionError: division by zero\)"):
        first_rates(sampling_thread)
    assert isinstance(sampling_thread.error, BpftopError)
    assert isinstance(sampling_thread.error.__cause__, ZeroDivisionError)


def test_a_listener_hears_what_was_there_before_and_the_end() -> None:
    sampling_thread = SamplingThread(FakeSource(count=3))
    sampling_thread.start()
    until(lambda: sampling_thread.ended, "the source has ended")
    heard: list[Snapshot | None] = []
    sampling_thread.listen(heard.append)
    assert [snapshot and snapshot.seq for snapshot in heard] == [2, None]
    sampling_thread.listen(None)


def test_a_source_that_fails_while_shown_ends_the_app() -> None:
    async def scenario(stage: Stage) -> None:
        stage.sampling_thread.error = BpftopError("eth0 is gone")
        stage.app.post_message(SnapshotArrived())
        await stage.pilot.pause()
        assert stage.app.return_code == 1

    perform(scenario)


def test_a_blocked_screen_queues_one_message_and_skips_ahead() -> None:
    assert SnapshotArrived().can_replace(SnapshotArrived())

    async def scenario(stage: Stage) -> None:
        drawn: list[int] = []
        show = stage.app.show

        def counted() -> None:
            drawn.append(1)
            show()

        stage.app.show = counted  # type: ignore[method-assign]
        assert stage.source.gate is not None
        stage.source.gate.release(200)
        while (
            stage.sampling_thread.latest is None or stage.sampling_thread.latest.seq < 269
        ):  # the loop has no turn while they come in
            pass
        assert stage.app._message_queue.qsize() <= 2
        await stage.pilot.pause()
        assert " live" in stage.line(1)
        assert stage.app.snapshot is stage.sampling_thread.latest
        assert len(drawn) < 20

    perform(scenario)


def test_the_sampling_thread_needs_no_textual_the_app_no_tls() -> None:
    program = (
        "import sys, bpftop.tui.sampling_thread, bpftop.tui.themes, bpftop.tui.actions\n"
        "print({'rich', 'textual', 'asyncio', 'yaml', 'psutil'} & set(sys.modules))\n"
        "import bpftop.tui.app\n"
        "late = {'bpftop.tui.panes.cpus', 'bpftop.tui.screens.help', 'bpftop.tui.widgets.picture'}\n"
        "late |= {'bpftop.measure', 'bpftop.tui.measurements.measurement'}\n"
        "print((late | {'ssl', 'yaml', 'psutil'}) & set(sys.modules))\n"
        "import ssl"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\nset()\n"
    assert done.stderr == ""
