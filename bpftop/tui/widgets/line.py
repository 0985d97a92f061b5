"""Lines of text with roles, the material of every region of the screen. Independent of Textual and of colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from rich.cells import get_character_cell_size

from bpftop.render.cutting import cut, words_to_wrap


class Span(NamedTuple):
    """A piece of a line. Every character is one cell wide.

    ``role`` gets its colour from the theme; ``!`` at its end means the selected row, ``~`` reversed. A click on the
    span does ``action``, the id of an action.
    """

    text: str
    role: str = "text"
    action: str = ""


Line = tuple[Span, ...]


def line(*parts: str | tuple[str, ...]) -> Line:
    """Return a line of the non-empty parts: a text, (text, role) or (text, role, action)."""
    return tuple([Span(part) if isinstance(part, str) else Span(*part) for part in parts if part and part[0]])


def text(spans: Iterable[Span]) -> str:
    """Return the spans without their roles."""
    return "".join([span[0] for span in spans])


def length(spans: Iterable[Span]) -> int:
    """Return the number of cells."""
    return sum([len(span[0]) for span in spans])


def crop(spans: Sequence[Span], width: int) -> Line:
    """Return the first ``width`` cells."""
    cropped: list[Span] = []
    for span in spans:
        if width <= 0:
            break
        cropped.append(span if len(span.text) <= width else span._replace(text=span.text[:width]))
        width -= len(span.text)
    return tuple(cropped)


def fit(spans: Sequence[Span], width: int) -> Line:
    """Return exactly ``width`` cells: cropped, or padded with spaces."""
    missing = width - length(spans)
    if missing > 0:
        return (*spans, Span(" " * missing))
    return tuple(spans) if missing == 0 else crop(spans, width)


def ends(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """Return a line with ``left`` and ``right`` at its ends. If both do not fit, ``left`` is cut at a word."""
    room = width - length(right)
    return (*fit(shortened(left, room - 1), room), *right)


def shortened(spans: Sequence[Span], width: int) -> Line:
    """Return the spans, cut at a word with an ellipsis where they are longer than ``width``."""
    if length(spans) <= width:
        return tuple(spans)
    whole = text(spans)
    if not whole[width:].strip():
        return crop(spans, width)
    end, ellipsis = cut(whole, width)
    return (*crop(spans, end), Span(ellipsis, "muted"))


def at_most(lines: Sequence[Line], width: int, height: int) -> list[Line]:
    """Return the lines; where there are more than ``height``, the last one that fits ends in an ellipsis."""
    if len(lines) <= height:
        return list(lines)
    rest = [span for spans in lines[max(0, height - 1) :] for span in (*spans, Span(" "))]
    return [*lines[: height - 1], shortened(rest, width)] if height > 0 else []


def beside(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: int) -> list[Line]:
    """Return two blocks side by side."""
    rows = max(len(left), len(right))
    space = Span(" " * gap)
    return [
        (*fit(left[i] if i < len(left) else (), left_width), space, *(right[i] if i < len(right) else ()))
        for i in range(rows)
    ]


def clean(name: str) -> str:
    """Return the name safe to draw: every character that is not one visible cell becomes a question mark.

    The kernel allows any bytes but ``/`` and white space in interface names, so escape sequences and wide characters.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join([character if is_one_cell(character) else "?" for character in name])


@lru_cache(maxsize=1024)
def is_one_cell(character: str) -> bool:
    """Return True if a character is visible and one cell wide, by Unicode and by Rich, which counts the cells."""
    return (
        character.isprintable()
        and not combining(character)
        and east_asian_width(character) not in "WF"
        and get_character_cell_size(character) == 1
    )


def wrap(sentence: str, width: int) -> list[str]:
    """Break the sentence into lines of at most ``width`` cells, between words; a longer word takes several lines."""
    width = max(1, width)
    lines = [""]
    for words in words_to_wrap(sentence):
        if lines[-1] and len(lines[-1]) + 1 + len(words) > width:
            lines.append("")
        last = f"{lines[-1]} {words}".strip()
        lines[-1:] = [last[at : at + width] for at in range(0, len(last), width)]
    return lines


def wrapped(sentence: str, role: str, width: int) -> list[Line]:
    """Return the sentence as lines of at most ``width`` cells."""
    return [line((part, role)) for part in wrap(clean(sentence), width)]
