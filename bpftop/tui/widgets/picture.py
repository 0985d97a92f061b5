"""The screen as an SVG picture.

Block characters become rectangles and every word has its own position, so the picture looks the same with any font.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from bpftop.tui.themes import BOLD, Theme
from bpftop.tui.widgets.line import Line

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18.0, 10.0
FONT_SIZE = 14

_LOWER = "▁▂▃▄▅▆▇█"
_LEFT = "▏▎▍▌▋▊▉█"
_PIECES = re.compile(rf"[{_LOWER}{_LEFT}]|─+|[^\s{_LOWER}{_LEFT}─]+(?: [^\s{_LOWER}{_LEFT}─]+)*")
# xterm's colours: an SVG cannot refer to the colours of the terminal
_NAMED = {
    "default": "#d0d0d0", "black": "#000000", "red": "#cd0000", "green": "#00cd00", "yellow": "#cdcd00",
    "blue": "#0000ee", "magenta": "#cd00cd", "cyan": "#00cdcd", "white": "#e5e5e5", "bright_black": "#7f7f7f",
    "bright_red": "#ff0000", "bright_green": "#00ff00", "bright_yellow": "#ffff00", "bright_blue": "#5c5cff",
    "bright_magenta": "#ff00ff", "bright_cyan": "#00ffff", "bright_white": "#ffffff",
}  # fmt: skip


def picture(lines: Sequence[Line], width: int, theme: Theme) -> str:
    """Return lines of ``width`` cells as an SVG document."""
    across, down = width * CELL_WIDTH + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    ground = "#101010" if theme.colours["background"] == "default" else theme.colours["background"]
    body = [part for y, spans in enumerate(lines) for part in _line(y, spans, theme)]
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


def _line(y: int, spans: Line, theme: Theme) -> Iterator[str]:
    x, top = 0, MARGIN + y * CELL_HEIGHT
    for text, role in spans:
        name, selected = role.removesuffix("!"), role.endswith("!")
        fill = _colour(theme.colours[name])
        if selected:
            yield _rect(x, len(text), top, CELL_HEIGHT, _colour(theme.colours["cursor"], "#404040"))
        for match in _PIECES.finditer(text):
            yield from _piece(match[0], x + match.start(), top, name, fill)
        x += len(text)


def _piece(text: str, x: int, top: float, role: str, fill: str) -> Iterator[str]:
    if text[0] in _LOWER and role != "bar":
        height = CELL_HEIGHT * (_LOWER.index(text[0]) + 1) / 8
        yield _rect(x, 1, top + CELL_HEIGHT - height, height, fill)
    elif text[0] in _LEFT:
        yield _rect(x, (_LEFT.index(text[0]) + 1) / 8, top + 2, CELL_HEIGHT - 4, fill)
    elif text[0] == "─":
        yield _rect(x, len(text), top + CELL_HEIGHT / 2, 1, fill)
    else:
        left, length = MARGIN + x * CELL_WIDTH, len(text) * CELL_WIDTH
        weight = ' font-weight="bold"' if role in BOLD else ""
        yield (
            f'<text x="{left:.1f}" y="{top + CELL_HEIGHT - 5:.1f}" textLength="{length:.1f}" fill="{fill}"{weight}'
            f' xml:space="preserve">{escape(text)}</text>'
        )


def _rect(x: float, cells: float, top: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{MARGIN + x * CELL_WIDTH:.1f}" y="{top:.1f}" width="{cells * CELL_WIDTH:.1f}" height="{height:.1f}"'
        f' fill="{fill}"/>'
    )


def _colour(colour: str, default: str = _NAMED["default"]) -> str:
    if colour.startswith("#"):
        return colour
    return default if colour == "default" else _NAMED[colour]
