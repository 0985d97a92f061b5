"""Contrast by WCAG 2, and colours as people see them who cannot tell all colours apart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rich.color import Color
from rich.style import Style

NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
XTERM = (
    "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff"
)
CONSOLE = (
    "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa 555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff"
)
PALETTES = {
    palette: dict(zip((*NAMES, *(f"bright_{name}" for name in NAMES)), (f"#{c}" for c in colours.split()), strict=True))
    for palette, colours in {"xterm": XTERM, "linux": CONSOLE}.items()
}
"""Terminal -> its sixteen colours on the black ground that both begin with."""

MACHADO = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Matrices on linear RGB of G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model for
Simulation of Color Vision Deficiency", 2009, at severity 1.0."""

Linear = tuple[float, float, float]


def linear(colour: str) -> Linear:
    """Return ``#rrggbb`` as linear RGB."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    """Return the relative luminance by WCAG 2."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio by WCAG 2, from 1 to 21."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def text_and_ground(style: Style, palette: dict[str, str]) -> tuple[str, str]:
    """Return the colours of a text and of the ground behind it as ``#rrggbb``.

    The palette stands for the colours of the terminal; its default is white on black.
    """

    def resolved(colour: Color | None, default: str) -> str:
        if colour is None or colour.is_default:
            return palette[default]
        return colour.triplet.hex if colour.triplet else list(palette.values())[colour.number or 0]

    text, ground = resolved(style.color, "white"), resolved(style.bgcolor, "black")
    return (ground, text) if style.reverse else (text, ground)


def seen_by(matrix: tuple[Linear, Linear, Linear], colour: str) -> Linear:
    """Return linear RGB of a colour for a person with this deficiency."""
    source = linear(colour)
    red, green, blue = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, source, strict=True)))) for row in matrix)
    return red, green, blue


def lab(colour: Linear) -> Linear:
    """Return CIE L*a*b* (D65) of linear RGB."""
    red, green, blue = colour
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def differences(matrix: tuple[Linear, Linear, Linear], *colours: str) -> Iterator[float]:
    """Yield the CIE76 difference of each colour to the next one, as a person with this deficiency sees them."""
    for first, second in pairwise(lab(seen_by(matrix, colour)) for colour in colours):
        yield sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5
