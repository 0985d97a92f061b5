"""One measured number, and how all of them are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """``limit`` is the most that ``measured`` may be; None: it is there to compare with. ``how`` is for people."""

    suite: str
    title: str
    measured: float
    unit: str
    limit: float | None = None
    how: str = ""

    @property
    def over(self) -> bool:
        return self.limit is not None and self.measured > self.limit

    @property
    def verdict(self) -> str:
        return "" if self.limit is None else "OVER" if self.over else "ok"

    def as_json(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "title": self.title,
            "measured": self.measured,
            "unit": self.unit,
            "limit": self.limit,
            "verdict": self.verdict or None,
            "how": self.how,
        }


def number(value: float) -> str:
    """A number that can be compared with its limit: never rounded to fewer than three digits."""
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}".replace(",", " ")
    if abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def table(figures: Sequence[Figure]) -> str:
    """All figures in one table; a blank line between suites."""
    head = ("figure", "measured", "limit", "verdict", "how")
    rows = [
        (
            figure.title,
            f"{number(figure.measured)} {figure.unit}".rstrip(),
            "" if figure.limit is None else f"{number(figure.limit)} {figure.unit}".rstrip(),
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
    """One line: how many figures have a limit, and which are over it."""
    limited = [figure for figure in figures if figure.limit is not None]
    if not limited:
        return "no figure with a limit was measured"
    over = [figure.title for figure in limited if figure.over]
    if over:
        return f"{len(over)} of {len(limited)} figures over their limit: {', '.join(over)}"
    return f"all {len(limited)} figures within their limits"
