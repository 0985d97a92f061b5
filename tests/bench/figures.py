"""Measured numbers with their limits, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A number, and how it was measured, in words (``how``).

    ``limit`` is the most that ``measured`` may be, and ``least`` the least. Without both it is for information.
    """

    suite: str
    title: str
    measured: float
    unit: str
    limit: float | None = None
    how: str = ""
    least: float | None = None

    @property
    def limited(self) -> bool:
        return self.limit is not None or self.least is not None

    @property
    def over(self) -> bool:
        """Return True if the number is beyond a limit."""
        too_much = self.limit is not None and self.measured > self.limit
        return too_much or (self.least is not None and self.measured < self.least)

    @property
    def verdict(self) -> str:
        return "" if not self.limited else "OVER" if self.over else "ok"

    @property
    def limit_text(self) -> str:
        """Return the limit with its unit; of two limits, both."""
        limits = [number(each) for each in (self.least, self.limit) if each is not None]
        return f"{' to '.join(limits)} {self.unit}".rstrip() if limits else ""

    def as_json(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "title": self.title,
            "measured": self.measured,
            "unit": self.unit,
            "limit": self.limit,
            "least": self.least,
            "verdict": self.verdict or None,
            "how": self.how,
        }


def number(value: float) -> str:
    """Write a number with at least three digits, so that it can be compared with its limit."""
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}".replace(",", " ")
    if abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def table(figures: Sequence[Figure]) -> str:
    """Write all figures as one table, with a blank line between suites."""
    head = ("figure", "measured", "limit", "verdict", "how")
    rows = [
        (
            figure.title,
            f"{number(figure.measured)} {figure.unit}".rstrip(),
            figure.limit_text,
            figure.verdict,
            figure.how,
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    lines = [_line(head, widths), "─" * (sum(widths) + 2 * len(widths) + 12)]
    for before, figure, row in zip((None, *figures), figures, rows, strict=False):
        if before is not None and before.suite != figure.suite:
            lines.append("")
        lines.append(_line(row, widths))
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    title, measured, limit, verdict, how = cells
    return (
        f"{title:<{widths[0]}}  {measured:>{widths[1]}}  {limit:>{widths[2]}}  {verdict:<{widths[3]}}  {how}".rstrip()
    )


def summary(figures: Iterable[Figure]) -> str:
    """Write one line: how many figures have a limit, and which are beyond it."""
    limited = [figure for figure in figures if figure.limited]
    if not limited:
        return "no figure with a limit was measured"
    over = [figure.title for figure in limited if figure.over]
    if over:
        return f"{len(over)} of {len(limited)} figures over their limit: {', '.join(over)}"
    return f"all {len(limited)} figures within their limits"
