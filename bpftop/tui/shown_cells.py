"""Keep the cells that the terminal shows, so that only cells that differ are written.

Textual paints the whole screen at each change of the layout; opening a pane did so several times, 13 kB at 80x24.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from rich.cells import get_character_cell_size

Look = TypeVar("Look", bound=Hashable)
"""Colours and attributes of a cell; cells with one character and equal looks are the same on the terminal."""

MERGE_GAP = 6
"""Equal cells between two runs that are written rather than skipped: moving the cursor takes 4 to 8 bytes."""


class ShownCells(Generic[Look]):
    """The cells of a terminal. A cell that was never written is unknown, and differs from every other cell."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[int, tuple[str, Look]]] = {}

    def forget(self) -> None:
        """Take all cells for unknown: the terminal was cleared, resized, or written to by another program."""
        self._rows.clear()

    def is_filled(self, y: int, x: int, end: int, cell: tuple[str, Look]) -> bool:
        """Return True if all cells of a row from column ``x`` to before ``end`` are known to be equal to ``cell``."""
        row = self._rows.get(y, {})
        return all(row.get(column) == cell for column in range(x, end))

    def write(self, y: int, x: int, pieces: Iterable[tuple[str, Look]]) -> Iterator[tuple[int, list[tuple[str, Look]]]]:
        """Take over a row from column ``x`` on, and yield the runs of cells that differ.

        Args:
            y: Number of the line.
            x: Column of the first cell.
            pieces: Texts and their looks.

        Yields:
            Column of the first cell, and the cells of the run. A character of two cells is followed by an empty text.
        """
        row = self._rows.setdefault(y, {})
        run: list[tuple[str, Look]] = []
        begin, last = x, x - 1  # of the run; column of the last cell that differs
        for cell in _cells(pieces):
            if row.get(x) != cell:
                row[x] = cell
                if not run:
                    begin = x
                last = x
            if run or last == x:
                run.append(cell)
            if run and x - last > MERGE_GAP:
                yield begin, run[: last + 1 - begin]
                run = []
            x += 1
        if run:
            yield begin, run[: last + 1 - begin]


def _cells(pieces: Iterable[tuple[str, Look]]) -> Iterator[tuple[str, Look]]:
    """Yield the cells of some texts."""
    for text, look in pieces:
        if text.isascii():
            for character in text:
                yield character, look
        else:
            for character in text:
                yield character, look
                if get_character_cell_size(character) == 2:
                    yield "", look
