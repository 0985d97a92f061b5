"""The JSON Schemas: generated from the types, up to date in the package, and equal to the published ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from contrib.json_schemas import SCHEMAS, schema_of, texts

PUBLISHED = Path(__file__).parent / "published"
"""The schemas of the documents `/1` as they were published. They stay; additions get a test of their own."""


def without_descriptions(node: Any) -> Any:
    """Return a schema without descriptions, and with the lists sorted whose order means nothing."""
    if isinstance(node, list):
        return [without_descriptions(item) for item in node]
    if not isinstance(node, dict):
        return node
    rest = {k: without_descriptions(v) for k, v in node.items() if k != "description" or isinstance(v, dict)}
    return {k: sorted(v, key=str) if k in ("required", "anyOf") and isinstance(v, list) else v for k, v in rest.items()}


CELL = "properties/cells/items/properties"
ADDED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "snapshot.schema.json": {"": ("loss_sums", "loss_peaks"), "$defs/finding": ("value",), "$defs/loss": ("group",)},
    "diagnosis.schema.json": {"$defs/finding": ("value",), "": ("traffic",), "properties/unknown/items": ("kind",)},
    "diff.schema.json": {"": ("sentence",), "$defs/row": ("change",)},
    "profile.schema.json": {
        "": ("verdict",),
        **{f"{CELL}/{side}": ("resolution_ns", "below_resolution") for side in ("user", "inside")},
        **{f"{CELL}/earlier/properties/{side}": ("beyond_ranges",) for side in ("user", "inside")},
    },
    "bench.schema.json": {"$defs/row": ("remark",)},
    **{f"{name}.schema.json": {"$defs/map": ("frozen",)} for name in ("map", "maps", "programs")},
}
"""Schema -> part -> the members that were added since."""


def without_additions(name: str, schema: Any) -> Any:
    """Return the schema without the members that were added since it was published."""
    schema = deepcopy(schema)
    for part, members in ADDED.get(name, {}).items():
        node = schema
        for step in filter(None, part.split("/")):
            node = node[step]
        for member in members:
            del node["properties"][member]
            node["required"].remove(member)
    return schema


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schemas_stay(name: str) -> None:
    published = json.loads((PUBLISHED / Path(name).name).read_text())
    schema = without_additions(Path(name).name, schema_of(SCHEMAS[name]))
    assert without_descriptions(schema) == without_descriptions(published)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_document_says_its_schema_and_its_tool(name: str) -> None:
    schema = schema_of(SCHEMAS[name])
    assert {"schema", "tool"} <= set(schema["required"])
    assert re.fullmatch(r"bpftop\.[a-z]+/\d+", schema["properties"]["schema"]["const"])


def test_every_described_member_stays_described() -> None:
    for name, document in SCHEMAS.items():
        published = json.loads((PUBLISHED / Path(name).name).read_text())
        assert described(published) <= described(schema_of(document))


def described(node: Any, path: str = "") -> set[str]:
    """Return the paths of all parts of a schema that have a description."""
    if isinstance(node, list):
        return {found for at, item in enumerate(node) for found in described(item, f"{path}/{at}")}
    if not isinstance(node, dict):
        return set()
    own = {path} if isinstance(node.get("description"), str) else set()
    return own.union(*(described(item, f"{path}/{name}") for name, item in node.items()))


def test_the_package_has_the_generated_schemas() -> None:
    for path, text in texts():
        assert path.read_text() == text, f"{path.name} is outdated: run `python -m contrib.json_schemas`"
