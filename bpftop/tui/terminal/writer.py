"""Terminal output with a tenth of Textual's bytes: only changed cells, and only changes of style between them.

Textual 8.2 writes a changed span from the left edge of its widget, and every piece of text with its whole style and a
reset: 27 kB a tick for a 160x50 screen in which every row changes, which is slow over ssh. The classes replaced here
are private to Textual; with a version that lacks them, Textual writes its own output.

This is also the only place that knows what the terminal can show: fewer colours, no colours, ASCII alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

from bpftop.render.ascii import ascii_text
from bpftop.tui.terminal.byte_budget import ByteBudget
from bpftop.tui.terminal.late_cells import LateCells
from bpftop.tui.terminal.line_speed import LineSpeed
from bpftop.tui.terminal.shown_cells import ShownCells
from bpftop.tui.terminal.traits import TerminalTraits, slow_traits

if TYPE_CHECKING:
    from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
    from textual.strip import Strip
else:
    try:
        from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
    except ImportError:
        ChopsUpdate = LayoutUpdate = None
        CompositorUpdate = object

Piece = tuple[str, "Style | None"]
Row = tuple[int, int, Iterable[Piece]]
"""Line and column of the first cell, and the pieces from there on."""

_ATTRIBUTES = (("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("reverse", "7"))
CellLook = tuple[tuple[str, ...], str, str]
"""SGR codes: attributes, colour of the text, colour of the ground."""

_PLAIN: CellLook = ((), "39", "49")
_BLANK = (" ", _PLAIN)
_CHARACTER, _LOOK = itemgetter(0), itemgetter(1)
"""The look after a reset."""
_SYSTEMS = {
    8: ColorSystem.STANDARD,
    16: ColorSystem.STANDARD,
    256: ColorSystem.EIGHT_BIT,
    1 << 24: ColorSystem.TRUECOLOR,
}


class TerminalWriter:
    """Turns Textual's updates into smaller updates for one terminal, and counts the bytes.

    Args:
        traits: What the terminal can show.
    """

    def __init__(self, traits: TerminalTraits) -> None:
        self.full_traits = traits
        self.traits = traits
        """The traits that are used now: fewer than the terminal has while its line is slow."""
        self.written_bytes = 0
        self.shown: ShownCells[CellLook] = ShownCells()
        self.late: LateCells[CellLook] = LateCells()
        self.line = LineSpeed()
        self.budget = ByteBudget(traits.bytes_per_sec)

    def forget(self) -> None:
        """Take all cells for unknown: the terminal was cleared, resized, or written to by another program."""
        self.shown.forget()
        self.late.forget()

    @property
    def is_behind(self) -> bool:
        """True if a tick would only wait behind bytes and cells that the line has yet to carry."""
        return self.line.is_behind or (bool(self.late) and self.line.limit() is not None)

    def follow_line(self) -> bool:
        """Choose the traits for the speed of the line. Return True if they have changed: all must be drawn again."""
        traits = slow_traits(self.full_traits) if self.line.is_slow else self.full_traits
        if traits == self.traits:
            return False
        self.traits = traits
        self.budget = ByteBudget(traits.bytes_per_sec)
        self.late.forget()
        return True

    def smaller_update(self, update: Any) -> Any:
        """Return an update that writes the same cells with fewer bytes; the update itself if its type is unknown."""
        if ChopsUpdate is not None and type(update) is ChopsUpdate:
            rows = [(y, first, _within(update.chops[y], first, last)) for y, first, last in update.spans]
            return SmallerUpdate(rows, self)
        if LayoutUpdate is not None and type(update) is LayoutUpdate:
            region = update.region
            return SmallerUpdate(
                [(y, region.x, _all(strips)) for y, strips in enumerate(update.strips, region.y)], self
            )
        return update


class SmallerUpdate(CompositorUpdate):
    """Rows of pieces, each written at its position."""

    def __init__(self, rows: Iterable[Row], writer: TerminalWriter) -> None:
        self._rows, self._writer = rows, writer

    def crop(self, width: int, height: int) -> None:
        """Leave out the cells beyond a terminal that has become smaller than the screen.

        The terminal would show them in its last row and column, where other cells are taken for shown then.
        """
        self._rows = [
            (y, x, _first_cells(pieces, width - x)) for y, x, pieces in self._rows if y < height and x < width
        ]

    def render_segments(self, console: Console) -> str:
        writer, traits = self._writer, self._writer.traits
        width = console.width  # once: rich asks the terminal each time
        limit = writer.line.limit()
        out: list[str] = []
        pen = _PLAIN
        if limit is None and not writer.late:
            for y, x, pieces in self._rows:
                pen = _write_row(y, x, _looks(pieces, traits), writer.shown, width, pen, out)
        else:
            for y, x, pieces in self._rows:
                writer.late.put(y, x, _looks(pieces, traits))
            late = writer.late.take()
            while (limit is None or sum(map(len, out)) < limit) and (row := next(late, None)) is not None:
                pen = _write_row(*row, writer.shown, width, pen, out)
        if out:
            out.append("\x1b[0m")
        written = "".join(out)
        size = len(written) if written.isascii() else len(written.encode(errors="replace"))
        writer.written_bytes += size
        writer.budget.spend(size)
        return written + writer.line.wrote(size)


def _write_row(
    y: int,
    x: int,
    looks: Iterable[tuple[str, CellLook]],
    shown: ShownCells[CellLook],
    width: int,
    pen: CellLook,
    out: list[str],
) -> CellLook:
    """Append what changes the cells of a row from column ``x`` on, and return the look that is set at its end."""
    at: int | None = None  # column of the cursor, once it is in this line
    for begin, cells in list(shown.write(y, x, looks)):  # the whole row is known from here on
        out.append(f"\x1b[{y + 1};{begin + 1}H" if at is None else f"\x1b[{begin - at}C")
        at = begin + len(cells)
        rest = _blank_end(cells) if cells[-1] == _BLANK else len(cells)
        if rest < len(cells) and not shown.is_filled(y, at, width, _BLANK):
            rest = len(cells)
        for look, characters in groupby(cells[:rest], _LOOK):
            if look != pen:
                out.append(transition(pen, look))
                pen = look
            out.extend(map(_CHARACTER, characters))
        if rest < len(cells):
            out.append(f"{transition(pen, _PLAIN)}\x1b[K")
            return _PLAIN
    return pen


def _looks(pieces: Iterable[Piece], traits: TerminalTraits) -> list[tuple[str, CellLook]]:
    """Return the pieces as the terminal can show them."""
    if traits.ascii_only:
        return [(ascii_text(text), look_of(style, traits.colours)) for text, style in pieces]
    return [(text, look_of(style, traits.colours)) for text, style in pieces]


def _blank_end(cells: Sequence[tuple[str, CellLook]]) -> int:
    """Return the index from which all cells are blanks on the terminal's own ground, if they are worth 3 bytes."""
    end = len(cells)
    while end and cells[end - 1] == _BLANK:
        end -= 1
    return end if len(cells) - end > 4 else len(cells)


def _all(strips: Iterable[Strip | None]) -> Iterator[Piece]:
    for strip in strips:
        if strip is not None:
            for text, style, _ in strip:
                yield text, style


def _within(line: Any, first: int, last: int) -> Iterator[Piece]:
    """Yield the cells from ``first`` to ``last``."""
    for left, strip in line.items():
        x = left
        for text, style, _ in strip or ():
            cells = len(text) if text.isascii() else cell_len(text)
            end = x + cells
            if end > first and x < last:
                begin, stop = max(0, first - x), min(cells, last - x)
                yield (text[begin:stop] if cells == len(text) else _cells(text, begin, stop)), style
            x = end


def _first_cells(pieces: Iterable[Piece], cells: int) -> Iterator[Piece]:
    for text, style in pieces:
        if cells <= 0:
            return
        size = len(text) if text.isascii() else cell_len(text)
        yield (text if size <= cells else _cells(text, 0, cells)), style
        cells -= size


def _cells(text: str, begin: int, stop: int) -> str:
    """Return cells of a text with characters of two cells: a person typed such a text, or searches for it."""
    rest = Segment(text).split_cells(begin)[1] if begin else Segment(text)
    return rest.split_cells(stop - begin)[0].text


@lru_cache(maxsize=4096)
def transition(old: CellLook, new: CellLook) -> str:
    """Return the escape sequence from one look to another."""
    codes: list[str] = []
    if not set(old[0]) <= set(new[0]):  # only a reset ends an attribute
        codes.append("0")
        old = _PLAIN
    codes += [code for code in new[0] if code not in old[0]]
    codes += [code for was, code in zip(old[1:], new[1:], strict=True) if code != was]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


@lru_cache(maxsize=1024)
def look_of(style: Style | None, colours: int) -> CellLook:
    """Return SGR codes: attributes, foreground, background."""
    if style is None:
        return _PLAIN
    attributes = tuple(code for name, code in _ATTRIBUTES if getattr(style, name))
    if not colours:
        return attributes, "39", "49"
    system = _SYSTEMS[colours]
    colour = style.color.downgrade(system).get_ansi_codes(True) if style.color else ("39",)
    ground = style.bgcolor.downgrade(system).get_ansi_codes(False) if style.bgcolor else ("49",)
    if colours == 8:  # 90 to 97 and 100 to 107 are unknown there; bold text is bright on most of these terminals
        if any(int(code) >= 90 for code in colour) and "1" not in attributes:
            attributes = ("1", *attributes)
        colour, ground = (tuple(_not_bright(code) for code in codes) for codes in (colour, ground))
    return attributes, ";".join(colour), ";".join(ground)


def _not_bright(code: str) -> str:
    return str(int(code) - 60) if int(code) >= 90 else code
