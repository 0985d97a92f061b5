"""All CPUs as a strip of one cell per CPU: 512 CPUs fit on a small screen, and a single busy CPU stands out."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.units import si, spark
from bpftop.render.traffic_rows import CpuTable
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, line
from bpftop.tui.widgets.region import Region

GROUP = 8
"""CPUs between two gaps, for counting by eye."""


class CpuStrip(Region):
    """The CPUs of the selected direction."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        cpus = CpuTable(moment.past)
        return cpu_strip(cpus.visible_cpus, cpus.rates, width, height)


def cpu_strip(cpus: Sequence[int], rates_of_all: Sequence[float | None], width: int, height: int) -> list[Line]:
    """Return the scale, then rows of cells for ``cpus``, each row with the number of its first CPU.

    ``rates_of_all`` are the packets per second of every possible CPU.
    """
    groups = max(1, (width - 6) // (GROUP + 1))
    groups = 1 << (groups.bit_length() - 1)  # a power of two, so that rows begin at round numbers
    per_row = groups * GROUP
    rates = [rates_of_all[cpu] for cpu in cpus]
    highest = max((rate for rate in rates if rate is not None), default=0.0)
    lines = [
        line(
            ("A cell per CPU; the tallest is ", "muted"), si(highest, "pps"), ("  w", "key", "wide"), (" rows", "muted")
        )
    ]
    for start in range(0, len(cpus), per_row):
        row = rates[start : start + per_row]
        cells = [spark(row[i : i + GROUP], len(row[i : i + GROUP]), highest) for i in range(0, len(row), GROUP)]
        lines.append(line((f"{cpus[start]:>5} ", "muted"), (" ".join(cells), "trend")))
    return lines[:height]
