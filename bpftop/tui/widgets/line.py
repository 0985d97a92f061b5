"""Lines of text with roles, the material of every region of the screen. Independent of Textual and of colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width

Span = tuple[str, str]
"""Text and its role; a theme gives the role a colour. Every character is one cell wide."""

Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """Return a line of the non-empty parts; a bare string gets the role ``text``."""
    return tuple((part, "text") if isinstance(part, str) else part for part in parts if part and part[0])


def text(spans: Iterable[Span]) -> str:
    """Return the spans without their roles."""
    return "".join(part for part, _ in spans)


def length(spans: Iterable[Span]) -> int:
    """Return the number of cells."""
    return sum(len(part) for part, _ in spans)


def crop(spans: Sequence[Span], width: int) -> Line:
    """Return the first ``width`` cells."""
    if width <= 0:
        return ()
    cropped: list[Span] = []
    for part, role in spans:
        if len(part) >= width:
            cropped.append((part[:width], role))
            break
        cropped.append((part, role))
        width -= len(part)
    return tuple(cropped)


def fit(spans: Sequence[Span], width: int) -> Line:
    """Return exactly ``width`` cells: cropped, or padded with spaces."""
    missing = width - length(spans)
    if missing > 0:
        return (*spans, (" " * missing, "text"))
    return tuple(spans) if missing == 0 else crop(spans, width)


def ends(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """Return a line with ``left`` and ``right`` at its ends. If both do not fit, ``left`` is cut with an ellipsis."""
    room = width - length(right)
    if length(left) > room - 1:
        left = (*crop(left, room - 2), ("…", "muted"))
    return (*fit(left, room), *right)


def beside(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: int) -> list[Line]:
    """Return two blocks side by side."""
    rows = max(len(left), len(right))
    space = ((" " * gap, "text"),)
    return [
        (*fit(left[i] if i < len(left) else (), left_width), *space, *(right[i] if i < len(right) else ()))
        for i in range(rows)
    ]


def clean(name: str) -> str:
    """Return the name safe to draw: every character that is not one visible cell becomes a question mark.

    The kernel allows any bytes but ``/`` and white space in interface names, so escape sequences and wide characters.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(c if c.isprintable() and not combining(c) and east_asian_width(c) not in "WF" else "?" for c in name)


def wrap(sentence: str, width: int) -> list[str]:
    """Break the sentence into lines of at most ``width`` cells; a longer word is cut."""
    lines = [""]
    for word in sentence.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()[:width]
    return lines
