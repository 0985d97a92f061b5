"""The model's values as JSON. Their strings may hold names that are not UTF-8."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bpftop.fields import field_names

_SURROGATE = re.compile("[\ud800-\udfff]")


def json_value(value: object) -> Any:
    """Return a value as a parser of JSON returns it: classes of fields become objects, sets sorted lists."""
    if names := field_names(value):
        return {name: json_value(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [json_value(item) for item in value]
    return sorted(value) if isinstance(value, frozenset) else value


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
