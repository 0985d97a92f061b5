"""All CPUs at once: a cell per CPU, so that 512 of them fit on a small screen and a lonely busy one is seen."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.units import si, spark
from bpftop.tui.widgets.line import Line, line

GROUP = 8
"""CPUs between two gaps, for counting by eye."""


def heat_lines(shown: Sequence[int], every: Sequence[float | None], width: int, height: int) -> list[Line]:
    """Rows of cells, each with the number of its first CPU, and what the tallest cell stands for."""
    groups = max(1, (width - 6) // (GROUP + 1))
    groups = 1 << (groups.bit_length() - 1)  # a power of two, so that rows begin at round numbers
    each = groups * GROUP
    rates = [every[cpu] for cpu in shown]
    top = max((rate for rate in rates if rate is not None), default=0.0)
    lines = [line(("A cell per CPU; the tallest is ", "muted"), si(top, "pps"), ("  w: rows", "key"))]
    for start in range(0, len(shown), each):
        part = rates[start : start + each]
        cells = [spark(part[i : i + GROUP], len(part[i : i + GROUP]), top) for i in range(0, len(part), GROUP)]
        lines.append(line((f"{shown[start]:>5} ", "muted"), (" ".join(cells), "trend")))
    return lines[:height]
