"""Terminal output with a tenth of Textual's bytes: only changed cells, and only changes of style between them.

Textual 8.2 writes a changed span from the left edge of its widget, and every piece of text with its whole style and a
reset: 27 kB a tick for a 160x50 screen in which every row changes, which is slow over ssh. The classes replaced here
are private to Textual; with a version that lacks them, Textual writes its own output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

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
_PLAIN = ((), "39", "49")


def smaller_update(update: Any) -> Any:
    """Return an update that writes the same cells with fewer bytes; the update itself if its type is unknown."""
    if ChopsUpdate is not None and type(update) is ChopsUpdate:
        return SmallerUpdate([(y, first, _within(update.chops[y], first, last)) for y, first, last in update.spans])
    if LayoutUpdate is not None and type(update) is LayoutUpdate:
        region = update.region
        return SmallerUpdate([(y, region.x, _all(strips)) for y, strips in enumerate(update.strips, region.y)])
    return update


class SmallerUpdate(CompositorUpdate):
    """Rows of pieces, each written at its position."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows

    def render_segments(self, console: Console) -> str:
        system = console._color_system or ColorSystem.TRUECOLOR
        pen: Style | None = None
        out: list[str] = []
        for y, x, pieces in self._rows:
            out.append(f"\x1b[{y + 1};{x + 1}H")
            for text, style in pieces:
                if style is not pen:
                    out.append(transition(pen, style, system))
                    pen = style
                out.append(text)
        out.append("\x1b[0m")
        return "".join(out)


def _all(strips: Iterable[Strip | None]) -> Iterator[Piece]:
    for strip in strips:
        if strip is not None:
            for text, style, _ in strip:
                yield text, style


def _within(line: Any, first: int, last: int) -> Iterator[Piece]:
    """Yield the cells from ``first`` to ``last``. Every character is one cell wide, see ``line.clean``."""
    for left, strip in line.items():
        x = left
        for text, style, _ in strip or ():
            end = x + len(text)
            if end > first and x < last:
                yield text[max(0, first - x) : last - x], style
            x = end


@lru_cache(maxsize=4096)
def transition(before: Style | None, after: Style | None, system: ColorSystem) -> str:
    """Return the escape sequence from one style to another. None: the style after a reset."""
    old, new = _codes(before, system), _codes(after, system)
    codes: list[str] = []
    if not set(old[0]) <= set(new[0]):  # only a reset ends an attribute
        codes.append("0")
        old = _PLAIN
    codes += [code for code in new[0] if code not in old[0]]
    codes += [code for was, code in zip(old[1:], new[1:], strict=True) if code != was]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


@lru_cache(maxsize=1024)
def _codes(style: Style | None, system: ColorSystem) -> tuple[tuple[str, ...], str, str]:
    """Return SGR codes: attributes, foreground, background."""
    if style is None:
        return _PLAIN
    attributes = tuple(code for name, code in _ATTRIBUTES if getattr(style, name))
    colour = ";".join(style.color.downgrade(system).get_ansi_codes(True)) if style.color else "39"
    ground = ";".join(style.bgcolor.downgrade(system).get_ansi_codes(False)) if style.bgcolor else "49"
    return attributes, colour, ground
