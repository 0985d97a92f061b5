"""Keep the cells that the terminal shows, so that only cells that differ are written.

Textual paints the whole screen at each change of the layout; opening a pane did so several times, 13 kB at 80x24.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import compress, repeat
from operator import ne
from typing import Generic, TypeVar

from rich.cells import get_character_cell_size

Look = TypeVar("Look", bound=Hashable)
"""Colours and attributes of a cell; cells with one character and equal looks are the same on the terminal."""

MERGE_GAP = 6
"""Equal cells between two runs that are written rather than skipped: moving the cursor takes 4 to 8 bytes."""

_MOST_KNOWN = 4096


class ShownCells(Generic[Look]):
    """The cells of a terminal. A cell that was never written is unknown, and differs from every other cell."""

    def __init__(self) -> None:
        self._rows: dict[int, list[tuple[str, Look] | None]] = {}
        self._known: dict[tuple[str, Look], tuple[str, Look]] = {}
        """One object for equal cells: a screen of 160x50 has 8 000 of 64 bytes, mostly some hundred."""

    def forget(self) -> None:
        """Take all cells for unknown: the terminal was cleared, resized, or written to by another program."""
        self._rows.clear()
        self._known.clear()

    def is_filled(self, y: int, x: int, end: int, cell: tuple[str, Look]) -> bool:
        """Return True if all cells of a row from column ``x`` to before ``end`` are known to be equal to ``cell``."""
        return self._rows.get(y, [])[x:end] == [cell] * (end - x)

    def write(self, y: int, x: int, pieces: Iterable[tuple[str, Look]]) -> Iterator[tuple[int, list[tuple[str, Look]]]]:
        """Take over a row from column ``x`` on, and yield the runs of cells that differ.

        Args:
            y: Number of the line.
            x: Column of the first cell.
            pieces: Texts and their looks.

        Yields:
            Column of the first cell, and the cells of the run. A character of two cells is followed by an empty text.
        """
        cells = cells_of(pieces)
        end = x + len(cells)
        row = self._rows.setdefault(y, [])
        row += [None] * (end - len(row))
        differs = list(compress(range(len(cells)), map(ne, row[x:end], cells)))  # no step of Python for equal cells
        if not differs:
            return
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        for at in differs:
            row[x + at] = self._known.setdefault(cells[at], cells[at])
        begin = last = differs[0]
        for at in differs:
            if at - last > MERGE_GAP + 1:
                yield x + begin, cells[begin : last + 1]
                begin = at
            last = at
        yield x + begin, cells[begin : last + 1]


def cells_of(pieces: Iterable[tuple[str, Look]]) -> list[tuple[str, Look]]:
    """Return the cells of some texts."""
    cells: list[tuple[str, Look]] = []
    for text, look in pieces:
        if text.isascii() or 2 not in map(get_character_cell_size, text):
            cells += zip(text, repeat(look))
            continue
        for character in text:
            cells.append((character, look))
            if get_character_cell_size(character) == 2:
                cells.append(("", look))
    return cells
