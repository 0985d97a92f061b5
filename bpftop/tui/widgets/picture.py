"""The screen as an SVG picture.

Block characters become rectangles and every word has its own position, so the picture looks the same with any font.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from rich.style import Style
from textual.strip import Strip

from bpftop.tui.themes import Theme

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18.0, 10.0
FONT_SIZE = 14

_LOWER = "▁▂▃▄▅▆▇█"
_LEFT = "▏▎▍▌▋▊▉"
_BLOCKS = f"{_LOWER}{_LEFT}▀"
_PIECES = re.compile(rf"[{_BLOCKS}]|─+|[^\s{_BLOCKS}─]+(?: [^\s{_BLOCKS}─]+)*")
# xterm's colours: an SVG cannot refer to the colours of the terminal
_NAMED = {
    "default": "#d0d0d0", "black": "#000000", "red": "#cd0000", "green": "#00cd00", "yellow": "#cdcd00",
    "blue": "#0000ee", "magenta": "#cd00cd", "cyan": "#00cdcd", "white": "#e5e5e5", "bright_black": "#7f7f7f",
    "bright_red": "#ff0000", "bright_green": "#00ff00", "bright_yellow": "#ffff00", "bright_blue": "#5c5cff",
    "bright_magenta": "#ff00ff", "bright_cyan": "#00ffff", "bright_white": "#ffffff",
}  # fmt: skip


def picture(strips: Sequence[Strip], width: int, theme: Theme) -> str:
    """Return the strips of a screen, ``width`` cells wide, as an SVG document."""
    across, down = width * CELL_WIDTH + 2 * MARGIN, len(strips) * CELL_HEIGHT + 2 * MARGIN
    background = theme.colours["background"]
    ground = "#101010" if background == "default" else background
    body = [part for y, strip in enumerate(strips) for part in _line(y, strip, ground, theme.colours["bar"])]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:g} {down:g}" width="{across:g}"'
            f' height="{down:g}">',
            f'<rect width="100%" height="100%" rx="6" fill="{ground}"/>',
            f'<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="{FONT_SIZE}">',
            *body,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _line(y: int, strip: Strip, ground: str, bar: str) -> Iterator[str]:
    x, top = 0, MARGIN + y * CELL_HEIGHT
    for segment in strip:
        style = segment.style or Style()
        front, behind = _colours(style, ground)
        if behind != ground:
            yield _rect(x, segment.cell_length, top, CELL_HEIGHT, behind)
        is_bar = style.color is not None and style.color.name == bar
        for match in _PIECES.finditer(segment.text):
            yield from _piece(match[0], x + match.start(), top, front, bool(style.bold), is_bar)
        x += segment.cell_length


def _piece(text: str, x: int, top: float, fill: str, bold: bool, is_bar: bool) -> Iterator[str]:
    if text[0] in _LOWER and not (is_bar and text[0] == "█"):
        height = CELL_HEIGHT * (_LOWER.index(text[0]) + 1) / 8
        yield _rect(x, 1, top + CELL_HEIGHT - height, height, fill)
    elif text[0] == "▀":
        yield _rect(x, 1, top, CELL_HEIGHT / 2, fill)
    elif text[0] in _LEFT or text[0] == "█":
        yield _rect(x, (f"{_LEFT}█".index(text[0]) + 1) / 8, top + 2, CELL_HEIGHT - 4, fill)
    elif text[0] == "─":
        yield _rect(x, len(text), top + CELL_HEIGHT / 2, 1, fill)
    else:
        left, length = MARGIN + x * CELL_WIDTH, len(text) * CELL_WIDTH
        weight = ' font-weight="bold"' if bold else ""
        yield (
            f'<text x="{left:.1f}" y="{top + CELL_HEIGHT - 5:.1f}" textLength="{length:.1f}" fill="{fill}"{weight}'
            f' xml:space="preserve">{escape(text)}</text>'
        )


def _rect(x: float, cells: float, top: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{MARGIN + x * CELL_WIDTH:.1f}" y="{top:.1f}" width="{cells * CELL_WIDTH:.1f}" height="{height:.1f}"'
        f' fill="{fill}"/>'
    )


def _colours(style: Style, ground: str) -> tuple[str, str]:
    """Return the colours of the text and of the ground behind it."""
    front = _NAMED["default"] if style.color is None else _colour(style.color.name, _NAMED["default"])
    behind = ground if style.bgcolor is None else _colour(style.bgcolor.name, ground)
    return (behind, front) if style.reverse else (front, behind)


def _colour(name: str, default: str) -> str:
    return name if name.startswith("#") else _NAMED.get(name, default) if name != "default" else default
