"""Received load decides about native XDP: at the start, and by a retreat to TCX while the device is watched."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.devices.load_meter import LoadMeter, SoftirqShares
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.collect.sockets.owners import PROC
from bpftop.hooks.attach_facts import AttachRequest, LinkLayer, Load, LoadLimits
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.netns import enter
from bpftop.model.sample import Direction
from tests.bpf.devices import Lab
from tests.bpf.watching import OUT_OF_REACH, Watch, watching
from tests.waiting import until

pytestmark = pytest.mark.bpf

PEER_TSO = "switches the peer's TSO off while attached"


def flood_until(lab: Lab, watch: Watch, hooks: tuple[str, str]) -> None:
    """Send at least 4 MB/s until the attachment changes."""

    def changed() -> bool:
        lab.send_far("v1", 60, size=1514)
        watch.step()
        return watch.hooks == hooks

    until(changed, f"{hooks} under load")


def test_retreat_under_load(lab: Lab) -> None:
    lab.veth()
    with watching("v0", terminal=True, limit=1e6, window_ns=20_000_000) as watch:
        assert watch.hooks == ("xdp native", "tcx")
        epoch = watch.attachment.epoch
        assert "tcp-segmentation-offload: off" in features(lab)
        flood_until(lab, watch, ("tcx", "tcx"))
        assert "tcp-segmentation-offload: on" in features(lab)
        assert watch.attachment.epoch == epoch + 1
        (notice,) = watch.notices
        assert notice.startswith("v0 receives ")
        assert notice.endswith(f"packets/s: went from native XDP, which {PEER_TSO}, to TCX.")
        assert watch.now.offer == f"native XDP, exact (this driver {PEER_TSO})"
        counted = watch.packets("rx")
        lab.send_far("v1", 5)
        assert watch.packets("rx") == (counted or 0) + 5
        # The consent holds at any load.
        watch.attachment.accept_offer()
        watch.step()
        assert watch.hooks == ("xdp native", "tcx")
        assert watch.notices == ()
        for _ in range(5):
            lab.send_far("v1", 60, size=1514)
            time.sleep(0.025)
            watch.step()
        assert watch.hooks == ("xdp native", "tcx")


class BusyCpus(SoftirqShares):
    """Softirq shares of 80 % on every CPU."""

    def __init__(self) -> None:
        super().__init__(PROC)

    def shares(self, now_ns: int) -> dict[int, float]:
        return dict.fromkeys(range(4096), 0.8)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (LoadLimits(OUT_OF_REACH, 1_000, OUT_OF_REACH), "k packets/s"),
        (LoadLimits(OUT_OF_REACH, OUT_OF_REACH, 0.5), "its CPU at 80 % softirq"),
    ],
)
def test_retreat_by_packets_and_by_softirq(lab: Lab, limits: LoadLimits, reason: str) -> None:
    lab.veth()
    with watching("v0", limit=limits, window_ns=20_000_000, softirq=BusyCpus()) as watch:
        epoch = watch.attachment.epoch

        def changed() -> bool:
            lab.send_far("v1", 300)
            watch.packets("rx")
            return watch.step().hooks["rx"].hook == "tcx"

        until(changed, "the retreat")
        assert watch.attachment.epoch == epoch + 1
        assert reason in watch.notices[0]


STAT = """cpu  {} 0 0 0 0 0 0 0 0 0
cpu0 10 0 {} 100 0 0 {} 0 0 0
cpu2 0 0 0 {} 0 0 0 0 0 0
intr 1 2
"""


def test_softirq_shares_over_windows(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    shares = SoftirqShares(tmp_path, 1_000)
    stat.write_text(STAT.format(0, 5, 50, 70))
    assert shares.shares(0) == {}
    stat.write_text(STAT.format(0, 45, 110, 170))
    assert shares.shares(999) == {}  # inside the window
    assert shares.shares(1_000) == {0: 0.6, 2: 0.0}
    assert shares.shares(1_500) == {0: 0.6, 2: 0.0}
    stat.write_text("cpu 1\ncpu0 broken\n")
    assert shares.shares(2_000) == {}
    shares.close()
    assert SoftirqShares(tmp_path / "missing").shares(3_000) == {}


def test_retreat_between_distant_ticks(lab: Lab) -> None:
    """A load that begins within an interval of an hour ends native XDP, although no tick is due."""
    lab.veth()
    source = LiveSource(
        ["v0"], LiveOptions(AttachRequest(limits=LoadLimits(1e6)), interval_s=3600.0, first_gap_s=0.1, drops=False)
    )
    samples = source.samples()
    hooks = [next(samples).interfaces[0].hooks["rx"] for _ in range(2)]
    assert [hook.mode for hook in hooks] == ["native", "native"]
    stop, retreated = threading.Event(), threading.Event()

    def flood() -> None:
        enter(lab.far)
        while not stop.wait(0.001):
            lab.send("v1", 60, size=1514)

    def end() -> None:
        enter(lab.near)
        try:
            with closing(Netdev()) as netdev:
                until(lambda: netdev.find("v0").xdp == {}, "the retreat")
            retreated.set()
        finally:
            source.close()

    threads = [threading.Thread(target=flood), threading.Thread(target=end)]
    for thread in threads:
        thread.start()
    try:
        list(samples)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert retreated.is_set()


def test_load_over_windows() -> None:
    load = LoadMeter(1_000)
    assert load.update(0, 500, 5) is None  # no earlier reading
    assert load.update(999, 10_000, 99) is None  # inside the window
    assert load.update(1_000, 1_500, 7) == Load(8_000 * 1_000_000, 2 * 1_000_000)
    assert load.update(3_000, 1_500, 7) == Load(0, 0)
    assert load.update(4_000, 100, 8) is None  # a counter went backwards
    assert load.update(5_000, 200, 18) == Load(800 * 1_000_000, 10 * 1_000_000)
    load.restart()
    assert load.update(9_000, 300, 20) is None


def features(lab: Lab) -> str:
    with lab.inside(lab.far):
        return lab.run("ethtool", "-k", "v1")


def test_no_retreat_for_sent_traffic(lab: Lab) -> None:
    """Native XDP switches off the TSO of the peer, so it slows only received traffic (sent: 45 of 47 Gb/s)."""
    lab.veth()
    with watching("v0", limit=1e6, window_ns=20_000_000) as watch:
        for _ in range(5):
            lab.send("v0", 60, size=1514)
            time.sleep(0.025)
            watch.step()
        assert watch.hooks == ("xdp native", "tcx")


def test_load_at_the_start(lab: Lab) -> None:
    """With a limit of 0, even an idle device is over the limit."""
    lab.veth()
    with watching("v0", terminal=True, limit=0) as watch:
        assert watch.hooks == ("tcx", "tcx")
        assert watch.now.offer == f"native XDP, exact (this driver {PEER_TSO})"
        (notice,) = watch.notices
        assert notice.endswith(f"packets/s, so it is counted by TCX: native XDP {PEER_TSO}.")
    with watching("v0", limit=0) as watch:
        assert watch.now.offer is None
        assert watch.notices[0].endswith("; --xdp agrees to that.")
    with watching("v0", "native", may_disturb_device=True, limit=0) as watch:
        assert watch.hooks == ("xdp native", "tcx")


def test_programs_are_loaded_once_while_the_load_is_measured(lab: Lab) -> None:
    made: list[tuple[ProgramName, Direction]] = []

    def noted(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        made.append((program, direction))
        return PacketCounter(program, direction, layer)

    lab.veth()
    with watching("v0", make_counter=noted) as watch:
        assert watch.hooks == ("xdp native", "tcx")
    assert sorted(made) == [("count_tc", "tx"), ("count_xdp_frags", "rx")]
