"""The parts of writing that all JSON documents share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bpftop import __version__
from bpftop.fields import field_names
from bpftop.model.json_dump import dump_json

if TYPE_CHECKING:
    from bpftop.export.json_types import ToolObject

TOOL: ToolObject = {"name": "bpftop", "version": __version__}


def json_page(document: Mapping[str, object]) -> str:
    """Write a document for people and programs: indented, ASCII only, with a newline at the end."""
    return dump_json(document, indent=2) + "\n"


def json_value(value: object) -> Any:
    """Convert a class of fields to an object, a tuple to a list, and keys to strings, as a parser returns them."""
    if names := field_names(value):
        return {name: json_value(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): json_value(member) for key, member in value.items()}
    return [json_value(item) for item in value] if isinstance(value, tuple) else value


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Round a number that may be unknown."""
    return None if value is None else round(value, digits)
