"""Writes the JSON Schemas of the documents from their types: `python -m contrib.json_schemas`."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

from bpftop.export.bpf import inventory_types
from bpftop.export.diagnosis import diagnosis_types
from bpftop.export.diff import diff_types
from bpftop.export.fleet import fleet_types
from bpftop.export.flows import flows_types
from bpftop.export.json_types import Keys, Limits, OneOf
from bpftop.export.json_writing import json_page
from bpftop.export.measure import maps_types, programs_types
from bpftop.export.snapshot import snapshot_types

EXPORT = Path(__file__).parents[1] / "bpftop/export"
_PRIMITIVES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}

Node = dict[str, Any]
"""A JSON Schema, or a part of one."""


class DocumentSchema(NamedTuple):
    """A document and the head of its schema. Objects of a ``closed`` document have no members beyond their types."""

    document: Any
    title: str
    identifier: str = ""
    definitions: Mapping[str, object] = {}
    closed: bool = False


SCHEMAS: Mapping[str, DocumentSchema] = {
    "snapshot/snapshot.schema.json": DocumentSchema(
        snapshot_types.SnapshotDocument, "bpftop snapshot", "bpftop.snapshot/1", snapshot_types.DEFINITIONS
    ),
    "diagnosis/diagnosis.schema.json": DocumentSchema(
        diagnosis_types.DiagnosisDocument, "bpftop diagnosis", "bpftop.diagnosis/1", diagnosis_types.DEFINITIONS
    ),
    "diff/diff.schema.json": DocumentSchema(
        diff_types.DiffDocument, "bpftop diff", "bpftop.diff/1", diff_types.DEFINITIONS
    ),
    "flows/flows.schema.json": DocumentSchema(flows_types.FlowsDocument, "bpftop flows", "bpftop.flows/1"),
    "fleet/fleet.schema.json": DocumentSchema(fleet_types.FleetDocument, "bpftop fleet", "bpftop.fleet/1"),
    "measure/bench.schema.json": DocumentSchema(
        programs_types.BenchDocument,
        "bpftop bench: programs compared on one machine",
        "bpftop.bench/1",
        programs_types.DEFINITIONS,
        closed=True,
    ),
    "bpf/programs.schema.json": DocumentSchema(
        inventory_types.LoadedProgramsDocument, "bpftop progs", "bpftop.programs/1", inventory_types.DEFINITIONS
    ),
    "bpf/maps.schema.json": DocumentSchema(
        inventory_types.LoadedMapsDocument, "bpftop maps", "bpftop.maps/1", inventory_types.DEFINITIONS
    ),
    "bpf/map.schema.json": DocumentSchema(
        inventory_types.MapContentDocument, "bpftop maps MAP", "bpftop.map/1", inventory_types.DEFINITIONS
    ),
    "measure/profile.schema.json": DocumentSchema(maps_types.ProfileDocument, "bpftop.profile/1", closed=True),
}
"""Path of the schema below bpftop/export -> its document."""


def schema_of(document: DocumentSchema) -> Node:
    """Generate the JSON Schema (draft 2020-12) of a document."""
    generator = _Generator(document.definitions, document.closed)
    schema: Node = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if document.identifier:
        schema["$id"] = document.identifier
    schema |= {"title": document.title, **generator.plain(document.document)}
    if document.definitions:
        schema["$defs"] = {name: generator.plain(hint) for name, hint in document.definitions.items()}
    return schema


class _Generator:
    """Converts type hints to schema nodes."""

    def __init__(self, definitions: Mapping[str, object], closed: bool) -> None:
        self._definitions = definitions
        self._closed = closed

    def node(self, hint: Any) -> Node:
        """Convert a hint; a definition becomes a reference, with the description that its use adds."""
        for name, definition in self._definitions.items():
            if hint == definition:
                return {"$ref": f"#/$defs/{name}"}
            added = _added(hint, definition)
            if added:
                return {"description": added[0], "$ref": f"#/$defs/{name}"}
        return self.plain(hint)

    def plain(self, hint: Any) -> Node:
        """Convert a hint itself, although it may be a definition."""
        origin, arguments = get_origin(hint), get_args(hint)
        if is_typeddict(hint):
            return self._object(hint.__doc__, get_type_hints(hint, include_extras=True))
        if origin is Annotated:
            return self._annotated(arguments[0], hint.__metadata__)
        if origin in (Union, types.UnionType):
            return self._nullable(arguments)
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
        if origin in (list, Sequence):
            return {"type": "array", "items": self.node(arguments[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.node(arguments[1])}
        if hint is Any:
            return {}
        return {"type": _PRIMITIVES[hint]}

    def _object(self, description: str | None, members: Mapping[str, Any]) -> Node:
        head: Node = {"description": " ".join(description.split())} if description else {}
        node = {
            **head,
            "type": "object",
            "required": list(members),
            "properties": {name: self.node(hint) for name, hint in members.items()},
        }
        return {**node, "additionalProperties": False} if self._closed else node

    def _annotated(self, hint: Any, metadata: tuple[object, ...]) -> Node:
        keys = next((item for item in metadata if isinstance(item, Keys)), None)
        if keys is None:
            node = self.node(hint)
        else:
            node = self._object(None, dict.fromkeys(map(str, keys.names), get_args(hint)[1]))
        for item in metadata:
            if isinstance(item, Limits):
                node |= {name: value for name, value in vars(item).items() if value is not None}
            elif isinstance(item, OneOf):
                node = {"enum": list(item.values)}
        descriptions = [item for item in metadata if isinstance(item, str)]
        return {"description": descriptions[-1], **node} if descriptions else node

    def _nullable(self, arguments: tuple[Any, ...]) -> Node:
        nodes = [self.node(argument) for argument in arguments]
        node = next(node for node in nodes if node != {"type": "null"})
        if "$ref" in node or ("properties" in node and not self._closed):
            return {"anyOf": nodes}
        if "enum" in node:
            return {**node, "enum": [*node["enum"], None]}
        return {**node, "type": [node["type"], "null"]}


def _added(hint: Any, definition: Any) -> tuple[Any, ...]:
    """Return the annotations that ``hint`` adds to a ``definition``; none where it is another type."""
    if get_origin(hint) is not Annotated:
        return ()
    known: tuple[object, ...] = getattr(definition, "__metadata__", ())
    base = definition.__origin__ if known else definition
    same = hint.__origin__ == base and hint.__metadata__[: len(known)] == known
    return tuple(hint.__metadata__[len(known) :]) if same else ()


def texts() -> Iterator[tuple[Path, str]]:
    """Generate every schema file: its path and its text."""
    for name, document in SCHEMAS.items():
        yield EXPORT / name, json_page(schema_of(document))


def main() -> None:
    """Write the schema beside the types of each document."""
    for path, text in texts():
        path.write_text(text)


if __name__ == "__main__":
    main()
