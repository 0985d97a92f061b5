"""Only cells that differ from what the terminal shows are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bpftop.tui.terminal.shown_cells import MERGE_GAP, ShownCells

PIECES = st.lists(st.tuples(st.text("ab 網x", max_size=8), st.sampled_from("RG")), max_size=6)


def written(cells: ShownCells[str], text: str, y: int = 0, x: int = 0) -> list[tuple[int, str]]:
    return [(begin, "".join(c for c, _ in run)) for begin, run in cells.write(y, x, [(text, "R")])]


def test_unknown_cells_are_written_and_equal_ones_are_not() -> None:
    cells: ShownCells[str] = ShownCells()
    assert written(cells, "abc") == [(0, "abc")]
    assert written(cells, "abc") == []
    assert written(cells, "abd") == [(2, "d")]
    assert written(cells, "d", x=2) == []
    assert list(cells.write(0, 2, [("d", "G")])) == [(2, [("d", "G")])]
    cells.forget()
    assert written(cells, "abd") == [(0, "abd")]


def test_a_small_gap_is_bridged_and_a_large_one_skipped() -> None:
    cells: ShownCells[str] = ShownCells()
    written(cells, "." * 40)
    near, far = f"x{'.' * MERGE_GAP}x", f"x{'.' * (MERGE_GAP + 1)}x"
    assert written(cells, near) == [(0, near)]
    cells.forget()
    written(cells, "." * 40)
    assert written(cells, far) == [(0, "x"), (MERGE_GAP + 2, "x")]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10), PIECES), max_size=8))
def test_the_terminal_has_what_was_written_last(updates: list[tuple[int, int, list[tuple[str, str]]]]) -> None:
    cells: ShownCells[str] = ShownCells()
    terminal: dict[tuple[int, int], tuple[str, str]] = {}
    wanted: dict[tuple[int, int], tuple[str, str]] = {}
    for y, x, pieces in updates:
        for begin, run in cells.write(y, x, pieces):
            terminal.update({(y, begin + i): cell for i, cell in enumerate(run)})
        at = x
        for text, look in pieces:
            for character in text:
                wanted[y, at] = (character, look)
                at += 1
                if character == "網":
                    wanted[y, at] = ("", look)
                    at += 1
    assert terminal == wanted
