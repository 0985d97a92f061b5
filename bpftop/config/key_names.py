"""Names of keys as Textual knows them: ``p``, ``P``, ``slash``, ``ctrl+l``, ``shift+left``, ``f5``."""

from __future__ import annotations

import re
import unicodedata

from bpftop.errors import spelling_hint

_MODIFIED = re.compile(r"((?:(?:ctrl|shift|alt|super)\+)*)(.+)")
_NAMED = (
    "escape", "tab", "space", "enter", "backspace", "insert", "delete", "home", "end", "pageup", "pagedown", "up",
    "down", "left", "right", "slash", "backslash", "at", "minus", "plus", "underscore",
)  # fmt: skip
_RENAMED = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
    "plus_sign": "plus", "low_line": "underscore",
}  # fmt: skip
"""Unicode's name of a character -> Textual's name."""


def key_name(word: str) -> str:
    """Return Textual's name of a key: ``slash`` for ``/``, ``ctrl+l`` for ``ctrl+l``.

    Raises ValueError with the reason, and with the nearest name, for a word that names no key.
    """
    match = _MODIFIED.fullmatch(word)
    modifiers, name = match.groups() if match else ("", "")
    if len(name) == 1:
        return f"{modifiers}{name if name.isalnum() else _character_name(name)}"
    if name in _NAMED or name in _characters() or re.fullmatch(r"f([1-9]|1\d|2[0-4])", name):
        return word
    raise ValueError(f"there is no key {word!r}{spelling_hint(name, (*_NAMED, *_characters()))}")


def _characters() -> set[str]:
    """Return the names of the characters of ASCII that are neither letters nor digits."""
    return {_character_name(chr(code)) for code in range(33, 127) if not chr(code).isalnum()}


def _character_name(character: str) -> str:
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return _RENAMED.get(name, name or character)
