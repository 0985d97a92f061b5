"""The pane Path, the line LOST, and the kernel counters in the pane of CPUs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.geometry import Size

from bpftop.history.history import History
from bpftop.model.device import DeviceFacts, Irq, Queue
from bpftop.model.sample import BEING_LOADED, EVERYTHING_ELSE, NOT_READ_YET, Hook, Sample
from bpftop.tui.moment import Choices, Frame, Moment, Place
from bpftop.tui.panes.path import PathTable
from bpftop.tui.widgets.line import text
from bpftop.tui.widgets.loss_line import loss_lines
from tests.model.signals import pushed
from tests.samples import ETH0, links, reading, sample, softnet
from tests.tui.conftest import Same, Stage, perform
from tests.tui.fake_source import FakeSource, interface

SIZES = [(80, 24), (160, 50), (50, 10), (300, 80)]


@pytest.mark.parametrize("size", SIZES)
def test_path(same: Same, size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3")
        drawn = stage.text().splitlines()
        assert len(drawn) == size[1]
        assert max(map(len, drawn)) <= size[0]
        same(f"path-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_a_stage_that_is_selected_says_what_its_counter_means(same: Same, size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3", "slash", *"ring", "enter", "j", "m")
        await stage.tick(3)
        assert "Frames dropped at a full ring" in stage.text()
        assert "µs at this rate." in " ".join(stage.text().split())
        same(f"path-selected-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size)


def test_a_stage_that_cannot_be_read_says_why() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3", "slash", *"conntrack", "enter", "j")
        assert stage.row("conntrack").split()[1:5] == ["◂", "-", "-", "unknown"]
        assert "No such file" in " ".join(stage.text().split())

    perform(scenario)


def test_marks_filters_sorting_and_copying() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3")
        assert "since mark" not in stage.text()
        await stage.press("m")
        await stage.tick(5)
        at = stage.row("Stage").index("since mark")
        assert stage.row("listen")[at : at + 10].split() == ["4.20", "k"]
        await stage.press("m", "s")
        rows = stage.text().splitlines()
        heading = next(i for i, row in enumerate(rows) if row.startswith("Stage"))
        assert rows[heading + 1].startswith(("device drops", "backlog"))
        await stage.press("s", "s", "slash", *"rcvbuf", "enter", "j", "y")
        assert "filter: rcvbuf" in stage.text()
        assert stage.row("UDP sockets").split()[2:6] == ["◂", "0", "12", "360"]
        assert "SOCKET_RCVBUFF" in stage.text()
        copied = stage.app.clipboard
        assert copied.splitlines()[1].startswith("UDP sockets")
        assert "receive buffer" in copied

    perform(scenario, size=(100, 30))


def test_scrolling_reaches_drop_reasons_and_sockets() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3", "G")
        screen = stage.text()
        assert "rx_crc_errors" in screen
        assert "A loss counter by the driver's own name" in screen
        await stage.press("k", "k")
        assert "0.0.0.0:443 nginx" in stage.text()
        assert "129 of 128" in stage.text()
        await stage.press("question_mark")
        for _ in range(12):
            if "Columns of Path" in stage.text():
                break
            await stage.press("pagedown")
        else:
            pytest.fail("the help says nothing of the path")

    perform(scenario)


def moment(*samples: Sample) -> Moment:
    history = pushed(*samples)
    snapshot = history.at(-1)
    return Moment(snapshot, history, Choices(), Frame(Place("path")), newest_ns=snapshot.mono_ns)


def drawn(one: Moment, width: int, height: int) -> list[str]:
    """Return the lines of the table of a moment, without an app."""
    return [text(spans).rstrip() for spans in SizedTable(width, height).draw(one, width, height)]


def keys(one: Moment, height: int) -> list[str]:
    return list(SizedTable(80, height).rows(one).keys)


class SizedTable(PathTable):
    """A table of a size, without an app that gives it one."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self._fixed = Size(width, height)

    @property
    def size(self) -> Size:
        return self._fixed


def test_no_losses_are_shown_with_the_unread_stages() -> None:
    first = moment(sample(0, links(0)))
    assert [text(spans).split("   ")[0] for spans in loss_lines(first, 80, 2)][1] == "REFUSED  not known yet"
    assert text(loss_lines(first, 80, 2)[0]).startswith("LOST  not known yet · ")
    both = sample(0, links(0)), sample(1, links(1))
    quiet = moment(*both)
    assert text(loss_lines(quiet, 80, 2)[0]).rstrip() == "LOST  nothing  ·  13 not readable"
    begun = moment(*(replace(one, unavailable={EVERYTHING_ELSE: NOT_READ_YET}) for one in both))
    assert text(loss_lines(begun, 80, 2)[0]).rstrip() == "LOST  nothing  ·  13 not read yet"
    loading = {"qdiscs": f"queueing disciplines: {BEING_LOADED}"}
    once = moment(both[0], sample(1, links(1), softnet(1, {0: 0})))
    for partly in (moment(*(replace(one, unavailable=loading) for one in both)), once):
        assert text(loss_lines(partly, 80, 2)[0]).rstrip() == "LOST  nothing  ·  12 not readable · 1 not read yet"
    everything = FakeSource(2)
    history = History()
    for one, _ in zip(everything.samples(), range(3), strict=False):
        history.push(one)
    snapshot = history.at(-1)
    lost, others = (text(spans) for spans in loss_lines(Moment(snapshot, history), 80, 2))
    assert lost.startswith("LOST  2.1 k/s  backlog 1.2 k · ")
    assert lost.endswith("  peak 2.1 k/s 03:12:45Z")
    assert "ELSEWHERE  nothing" in others


def test_a_narrow_loss_line_keeps_the_largest_stages() -> None:
    samples = [sample(i, links(i, rx_crc_errors=9 * i, tx_dropped=2 * i), softnet(i, {0: 1200 * i})) for i in range(3)]
    one = moment(*samples)
    lost, others = (text(spans) for spans in loss_lines(one, 160, 2))
    assert lost.split(" · ")[:2] == ["LOST     11/s  wire 9 eth0", "TX drops 2 eth0"]
    assert lost.endswith("  peak 11/s 00:00:01Z  22 in 5 min")
    assert others.split("   ")[0] == "REFUSED  not known"
    assert "ELSEWHERE ON THIS HOST  1.2 k/s  backlog 1.2 k" in others
    lost, others = (text(spans) for spans in loss_lines(one, 64, 2))
    assert "wire 9 · TX drops 2 · " in lost
    assert others.rstrip().endswith("ELSEWHERE  1.2 k/s")
    _, others = (text(spans) for spans in loss_lines(one, 80, 2))
    assert others.endswith("ELSEWHERE  1.2 k/s  backlog 1.2 k")
    lost, _ = (text(spans) for spans in loss_lines(one, 50, 2))
    assert "wire 9" in lost
    assert "TX" not in lost
    assert "1 more" in lost


def test_quiet_rows_that_are_no_loss_fold_away_on_low_screens() -> None:
    one = moment(*(sample(i, links(i, rx_dropped=i, rx_nohandler=0)) for i in range(3)))
    assert "device" in keys(one, 17)
    assert "nohandler" not in keys(one, 17)
    assert "nohandler" in keys(one, 50)


def test_stages_with_losses_come_first_in_the_order_of_the_path() -> None:
    losing = [sample(i, links(i, tx_dropped=i), softnet(i, {0: 9 * i})) for i in range(3)]
    assert keys(moment(*losing), 50)[:3] == ["backlog", "tx_drops", "wire"]


def test_missing_drop_reasons_are_explained_once() -> None:
    why = {"drops": "drop reasons: this kernel has no BTF"}
    shown = drawn(moment(sample(0, unavailable=why), sample(1, unavailable=why)), 80, 59)
    assert [one.rstrip("│┃ ") for one in shown if "no BTF" in one] == [
        "Drop reasons of the kernel: this kernel has no BTF"
    ]


def test_the_reason_for_missing_drop_reasons_is_shown_whole() -> None:
    why = {"drops": f"drop reasons: EPERM, {'so it goes on and on; ' * 6}give it CAP_BPF"}
    shown = drawn(moment(sample(0, unavailable=why), sample(1, unavailable=why)), 80, 60)
    assert max(map(len, shown)) <= 80
    assert "Drop reasons of the kernel: EPERM, so it goes on" in " ".join(shown)
    assert "give it CAP_BPF" in " ".join(shown)


@pytest.mark.parametrize(("hook", "behind"), [(Hook("xdp", "native"), "NIC ring"), (Hook("tcx"), "backlog")])
def test_the_program_row_stands_at_its_place_in_the_path(hook: Hook, behind: str) -> None:
    eth0 = replace(ETH0, hooks={"rx": hook})
    one = moment(*(sample(second, links(second), interfaces=(eth0,)) for second in (0, 1)))
    shown = drawn(one, 80, 24)
    at = next(i for i, row in enumerate(shown) if row.startswith("seen by"))
    assert shown[at - 1].startswith(behind)


@pytest.mark.parametrize(("hook", "since_start"), [(Hook("tcx"), "110 k"), (Hook(), "-")])
def test_device_counters_are_not_counts_since_the_start(hook: Hook, since_start: str) -> None:
    eth0 = replace(ETH0, hooks={"rx": hook})

    def at(second: float) -> Sample:
        packets = 109_000 + int(1000 * second)
        counted = [] if hook.hook == "none" else [reading("protocols", {("eth0", "rx", 6): [packets, 0]}, second)]
        return sample(second, links(second, rx_packets=packets), *counted, interfaces=(eth0,))

    row = next(one for one in drawn(moment(at(0), at(1)), 80, 24) if one.startswith(("seen by", "received")))
    assert f"1.00 k {since_start:>11}" in row


def test_enter_shows_a_stage_over_time() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("3", "g", "enter")
        assert "Path › backlog" in stage.line(0)
        shown = stage.text()
        assert "peak 1.2 k/s at 03:12:" in shown
        assert "since start 81.7 k" in shown
        assert " -10 min " in shown
        await stage.press("escape")
        assert "▸" in stage.text() or "◂" in stage.text()

    perform(scenario, size=(100, 40))


def test_cpus_sort_by_what_the_signals_say_and_name_queues() -> None:
    facts = DeviceFacts(queues=(Queue("rx", 0, ()),), irqs=(Irq(24, "eth0", (0, 1), (3,)),))

    async def scenario(stage: Stage) -> None:
        await stage.press("2")
        assert "IRQ  1 RX queue, IRQ 24 on CPU 3, RPS off" in stage.text()
        await stage.press("s", "s", "s", "s")
        assert "▼softirq" in stage.text()
        rows = stage.text().splitlines()
        heading = next(i for i, row in enumerate(rows) if "▼softirq" in row)
        assert rows[heading + 1].split()[0] == "3"
        assert "98 %" in rows[heading + 1]

    perform(scenario, interfaces=(interface("eth0", 2, facts=facts),), size=(100, 30))


def test_without_a_program_cpus_still_show_what_the_signals_say() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("2")
        row = stage.row("    3 ")
        assert row.split()[:3] == ["3", "-", "-"]
        assert "98 %" in row
        await stage.press("w")
        assert "A cell per CPU" in stage.text()

    perform(scenario, interfaces=(interface("eth0", 2, hooks={}),), size=(100, 30))
