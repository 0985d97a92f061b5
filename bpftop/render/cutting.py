"""Find where a text may be cut or broken: not inside a word or a number, and not between a number and its unit."""

from __future__ import annotations

import re

_LOOSE_WORDS = "and|are|at|by|for|from|in|is|of|on|or|than|to"
"""Words that are no unit: ``26 of 28``."""
_LONGEST_LOOSE = 6
"""Cells behind a cut that tell a unit from a loose word."""
_UNIT_SPACE = re.compile(
    rf"(?<![\w.:,-])[-+<>]?\d+(?:[.,]\d+)? (?:[kMGTPEmµn] )?(?=[A-Za-zµ%/])(?!(?:{_LOOSE_WORDS})(?!\w))"
)
"""A number, with its SI prefix if it has one, and the space before its unit: ``912 k `` of ``912 k SYN/s``."""
_NUMBER = re.compile(r"\s*[-+<>]?\d+(?:[.,]\d+)?(?:\s|$)")
_ENDS_IN_NUMBER = re.compile(r"\d(?: [kMGTPEmµn])?\Z")
ELLIPSIS = "…"
_JOINED = "\N{NO-BREAK SPACE}"


def cut(text: str, width: int) -> tuple[int, str]:
    """Return how many characters of a longer text stay in ``width`` cells, and the ellipsis that follows them.

    Whole words and numbers stay, each number with its unit. Of a first word that is too long a part stays, of a number
    nothing. A space parts the ellipsis from a number, which would look cut otherwise.
    """
    end = _cut_end(text, width - 1)
    if not _ENDS_IN_NUMBER.search(text, 0, end):
        return end, ELLIPSIS
    end = _cut_end(text, width - 2)
    return end, f" {ELLIPSIS}" if _ENDS_IN_NUMBER.search(text, 0, end) else ELLIPSIS


def _cut_end(text: str, room: int) -> int:
    room = max(0, room)
    joined = _with_joined_units(text[: room + _LONGEST_LOOSE])
    end = room if joined[room : room + 1] == " " else joined.rfind(" ", 0, room)
    whole = len(joined[: max(0, end)].rstrip(" "))
    return whole or (0 if _NUMBER.match(text) else room)


def words_to_wrap(sentence: str) -> list[str]:
    """Return the parts between which the sentence may be broken."""
    joined = _with_joined_units(" ".join(sentence.split()))
    return [part.replace(_JOINED, " ") for part in joined.split(" ") if part]


def _with_joined_units(text: str) -> str:
    return _UNIT_SPACE.sub(lambda match: match[0].replace(" ", _JOINED), text)
