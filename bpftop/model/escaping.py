"""Escaping of text for terminals: names of interfaces, hosts and programs may contain escape sequences."""

from __future__ import annotations


def escaped_text(text: str) -> str:
    r"""Replace characters that a terminal would obey or hide by escapes: ``\x1b``, ``\u202e``.

    In Unicode's categories: control, format, surrogate, private, unassigned, and separators other than the space.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
