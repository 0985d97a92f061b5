"""JSON of values whose strings may hold names that are not UTF-8."""

from __future__ import annotations

import json
import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def dump_json(document: object, indent: int | None = None) -> str:
    r"""Write JSON, ASCII only. A byte of a name that is not UTF-8 becomes the text ``\udcff``, as on the screen.

    A lone surrogate is valid for Python's json alone: most other readers refuse the whole document.
    """
    separators = None if indent else (",", ":")
    text = json.dumps(document, indent=indent, separators=separators, allow_nan=False)
    if "\\ud" in text:  # an emoji, too: it is written as two surrogates that belong together
        text = json.dumps(_escaped(document), indent=indent, separators=separators, allow_nan=False)
    return text


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):x}", value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, (list, tuple)) else value
