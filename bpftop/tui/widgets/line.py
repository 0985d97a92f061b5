"""Lines of text with roles: what every region of the screen is made of. No widget, no colour, no Textual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width

Span = tuple[str, str]
"""Text and the role that a theme gives a colour. Every character is one cell wide."""

Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """A line; a bare string has the role ``text``."""
    return tuple((part, "text") if isinstance(part, str) else part for part in parts if part and part[0])


def text(spans: Iterable[Span]) -> str:
    return "".join(part for part, _ in spans)


def length(spans: Iterable[Span]) -> int:
    return sum(len(part) for part, _ in spans)


def crop(spans: Sequence[Span], width: int) -> Line:
    """The first ``width`` cells."""
    if width <= 0:
        return ()
    kept: list[Span] = []
    for part, role in spans:
        if len(part) >= width:
            kept.append((part[:width], role))
            break
        kept.append((part, role))
        width -= len(part)
    return tuple(kept)


def fit(spans: Sequence[Span], width: int) -> Line:
    """Exactly ``width`` cells: cropped, or padded with spaces."""
    missing = width - length(spans)
    if missing > 0:
        return (*spans, (" " * missing, "text"))
    return tuple(spans) if missing == 0 else crop(spans, width)


def ends(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """``left`` and ``right`` at the two ends of a line; ``left`` gives way, and an ellipsis says so."""
    room = width - length(right)
    if length(left) > room - 1:
        left = (*crop(left, room - 2), ("…", "muted"))
    return (*fit(left, room), *right)


def beside(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: int) -> list[Line]:
    """Two blocks side by side."""
    rows = max(len(left), len(right))
    space = ((" " * gap, "text"),)
    return [
        (*fit(left[i] if i < len(left) else (), left_width), *space, *(right[i] if i < len(right) else ()))
        for i in range(rows)
    ]


def clean(name: str) -> str:
    """A name from the kernel, made safe to draw: what is no single visible cell becomes a question mark.

    An interface may be called anything but ``/`` and white space, escape sequences and wide characters included.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(c if c.isprintable() and not combining(c) and east_asian_width(c) not in "WF" else "?" for c in name)


def wrap(sentence: str, width: int) -> list[str]:
    """Words on lines of at most ``width`` cells; a longer word is cut."""
    lines = [""]
    for word in sentence.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()[:width]
    return lines
