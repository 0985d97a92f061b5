"""Text in ASCII, for terminals and locales that have no other characters."""

from __future__ import annotations

import locale
import re
from collections.abc import Mapping
from unicodedata import combining, east_asian_width

_TERMINALS = re.compile(r"(linux|vt\d|ansi|cons25|pcansi|sun|wy\d)")
"""Begin of TERM for terminals whose fonts lack block characters: the Linux console has 512 glyphs at most."""

_ASCII = {
    ord(shown): plain
    for characters, replacements in (
        ("▁▂▃▄▅▆▇█", "_.:-=+*#"),
        ("▏▎▍▌▋▊▉", "..::==#"),
        ("▔▕▀▐", "'|'#"),
        ("─│┌┐└┘├┤┬┴┼━┃╳╭╮╰╯", "-|++`++++++=|x++`+"),
        ("▲▼◂▸●○▶✓‹›·…", "^v<>*o>+<>.~"),
        ("←→↑↓", "<>^v"),
        ("×µ°–—", "xuo--"),
    )
    for shown, plain in zip(characters, replacements, strict=True)
}


def ascii_needed(environment: Mapping[str, str], *, to_terminal: bool = True) -> bool:
    """Return True if only ASCII can be shown: the locale is not UTF-8, or the terminal's font has no block characters.

    In ISO-8859-1 a block character would take the cells of three characters, or of an escape.
    """
    if locale.nl_langinfo(locale.CODESET).upper().replace("-", "") != "UTF8":
        return True
    return to_terminal and _TERMINALS.match(environment.get("TERM", "")) is not None


def ascii_text(text: str) -> str:
    """Return the text in ASCII, each character in as many cells as before; a character without a likeness is ``?``."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else "?" * _cells(c) for c in text.translate(_ASCII))


def _cells(character: str) -> int:
    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
