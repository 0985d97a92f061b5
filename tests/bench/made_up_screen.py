"""The live screen on a made-up source of any number of CPUs, with minutes of history behind it; or that source alone.

``python -m tests.bench.made_up_screen --cpus 512 --past 600`` is what the bench runs on a pseudo-terminal. With
``--alone`` the samples are made and thrown away: what that takes belongs to the source and not to the screen.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator
from dataclasses import dataclass

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.host import OwnCostCollector
from bpftop.collect.live import TRIM_TICKS, LiveSource
from bpftop.kernel.bpf.kernel_btf import trim_memory
from bpftop.model.sample import Sample
from tests.bench.drains import both_directions
from tests.tui.fake_source import FakeSource, setup_without_file


@dataclass
class Seasoned(FakeSource):
    """A FakeSource whose first ``past`` ticks come at once, as if it had been running for as long."""

    past: int = 0

    def samples(self) -> Generator[Sample, None, None]:
        for tick in range(self.past):
            yield self.sample(tick, self._offset_s(tick))
        begin_s, tick = time.monotonic(), self.past
        while not self.closed.wait(max(0.0, begin_s + (tick - self.past) * self.interval_s - time.monotonic())):
            yield self.sample(tick, self._offset_s(tick))
            tick += 1
            if tick % TRIM_TICKS == 0:  # as a live source does
                trim_memory()

    def _offset_s(self, tick: int) -> float:
        return 0.1 + (tick - 1) * self.interval_s if tick else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpus", type=int, default=128)
    parser.add_argument("--past", type=int, default=0, metavar="TICKS")
    parser.add_argument("--alone", action="store_true")
    arguments = parser.parse_args()
    source = Seasoned(arguments.cpus, paced=True, past=arguments.past)
    if arguments.alone:
        print("made-up samples", flush=True)
        for _ in source.samples():
            pass
        return

    from bpftop.cli.screen import show

    held = _as_live(arguments.cpus)
    show(source, setup_without_file())
    del held


def _as_live(cpus: int) -> list[object]:
    """Return the objects that a live source keeps in memory besides its samples: code, programs and buffers."""
    own = OwnCostCollector()
    drains = both_directions(cpus)
    for drain in drains:
        drain.read()
    return [LiveSource, own, PacketCounter("count_xdp", "rx"), PacketCounter("count_tc", "tx"), *drains]


if __name__ == "__main__":
    main()
