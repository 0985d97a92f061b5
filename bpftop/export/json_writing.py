"""The parts of writing that all JSON documents share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bpftop import __version__
from bpftop.model.json_dump import dump_json

if TYPE_CHECKING:
    from bpftop.export.json_types import ToolObject

TOOL: ToolObject = {"name": "bpftop", "version": __version__}


def json_page(document: Mapping[str, object]) -> str:
    """Write a document for people and programs: indented, ASCII only, with a newline at the end."""
    return dump_json(document, indent=2) + "\n"


def rounded(value: float | None, digits: int = 3) -> float | None:
    """Round a number that may be unknown."""
    return None if value is None else round(value, digits)
