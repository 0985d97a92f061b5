"""Bars of measured times that end in whiskers: from the 10th to the 90th percentile, with the median between."""

from __future__ import annotations

from bpftop.measure.statistics import Summary

LEFT, MEDIAN, RIGHT = "├", "┼", "┤"


def whiskers(summary: Summary, longest_ns: float, width: int) -> str:
    """Return a bar on a scale from 0 to ``longest_ns``: full until p10, then a whisker to p90, with a cross at p50.

    ``█████├─┼──┤``; where all three fall into one cell the bar ends in the cross.
    """
    if longest_ns <= 0 or width < 1:
        return ""
    low, middle, high = (
        min(width - 1, int(ns / longest_ns * width)) for ns in (summary.p10_ns, summary.p50_ns, summary.p90_ns)
    )
    text = "█" * low + LEFT + "─" * (high - low - 1) + RIGHT if high > low else "█" * low + MEDIAN
    return text[:middle] + MEDIAN + text[middle + 1 :]
