"""Markdown: escaping, and a snapshot that fits into a chat message."""

from __future__ import annotations

import re

from bpftop.export.printable import printable

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, whatever a name in it holds."""
    return _SPECIAL.sub(r"\\\1", printable(text))


def code(text: str) -> str:
    """A name in code spans; a backtick in it takes a longer fence (CommonMark 6.1)."""
    safe = printable(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    pad = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{pad}{safe}{pad}{fence}"
