"""The live screen on a made-up source of any number of CPUs, with minutes of history behind it; or that source alone.

``python -m tests.bench.made_up --cpus 512 --past 600`` is what the bench runs on a pseudo-terminal. With ``--alone``
the samples are made and thrown away: what that takes belongs to the source and not to the screen.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import bpftop
import bpftop.collect.live  # what the real source keeps in memory belongs to what is measured
from bpftop.model.sample import Key, Sample
from tests.tui.fake import FakeSource


@dataclass
class Seasoned(FakeSource):
    """A FakeSource whose first ``past`` ticks come at once, as if it had been running for as long."""

    past: int = 0
    _keys: dict[tuple[str, tuple[Key, ...]], tuple[Key, ...]] = field(default_factory=dict)

    def samples(self) -> Generator[Sample, None, None]:
        for tick in range(self.past):
            yield self.sample(tick, self._offset_s(tick))
        begin_s, tick = time.monotonic(), self.past
        while not self.closed.wait(max(0.0, begin_s + (tick - self.past) * self.interval_s - time.monotonic())):
            yield self.sample(tick, self._offset_s(tick))
            tick += 1

    def sample(self, tick: int, offset_s: float) -> Sample:
        """With the same ``keys`` object for as long as the rows stay the same, as a real collector gives them."""
        made = super().sample(tick, offset_s)
        readings = {
            name: replace(reading, keys=self._keys.setdefault((name, reading.keys), reading.keys))
            for name, reading in made.readings.items()
        }
        return replace(made, readings=readings)

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
    from bpftop.config import Settings
    from bpftop.tui.themes import find_theme

    theme = find_theme("dark", [Path(bpftop.__file__).parent / "themes"])
    show(source, Settings(), theme)


if __name__ == "__main__":
    main()
