"""Keep the cells that wait for a slow line: newer cells replace older ones, and the top row is written first."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from rich.cells import get_character_cell_size

from bpftop.tui.terminal.shown_cells import cells_of

LateLook = TypeVar("LateLook", bound=Hashable)


class LateCells(Generic[LateLook]):
    """Cells that the terminal is to show and that are not written yet."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[int, tuple[str, LateLook]]] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def forget(self) -> None:
        """Drop all cells: they are drawn again from elsewhere."""
        self._rows.clear()

    def put(self, y: int, x: int, pieces: Iterable[tuple[str, LateLook]]) -> None:
        """Add a row from column ``x`` on, in place of older cells."""
        if cells := cells_of(pieces):
            self._rows.setdefault(y, {}).update(enumerate(cells, x))

    def take(self) -> Iterator[tuple[int, int, list[tuple[str, LateLook]]]]:
        """Yield line, first column and pieces of each run of cells, and forget the run; the topmost line is first."""
        while self._rows:
            y = min(self._rows)
            row = self._rows[y]
            x = end = min(row)
            pieces: list[tuple[str, LateLook]] = []
            left = ""
            while end in row:
                character, look = row.pop(end)
                if _is_wide(character) and row.get(end + 1, (None,))[0] != "":
                    character = " "  # its right half is replaced
                elif not character and not _is_wide(left):
                    character = " "  # its left half is replaced
                left = character
                if character:
                    pieces.append((character, look))
                end += 1
            if not row:
                del self._rows[y]
            yield y, x, pieces


def _is_wide(character: str) -> bool:
    return not character.isascii() and get_character_cell_size(character) == 2
