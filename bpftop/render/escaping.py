"""Text that is safe to show: names of interfaces, hosts and programs may hold anything, escape sequences included."""

from __future__ import annotations


def escaped_text(text: str) -> str:
    """``text`` with everything that a terminal would obey or not show written as an escape: ``\\x1b``, ``\\u202e``.

    That is what Unicode calls control, format, surrogate, private, unassigned or separator, but for the space.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
