"""The vocabulary of typed JSON documents: annotations that become a JSON Schema, and the members that documents share.

A document is a TypedDict whose annotations carry descriptions and limits; `python -m contrib.json_schemas` writes its
JSON Schema. A text in ``Annotated`` describes the member, a docstring the object. Importing these types takes 12 ms, so
the modules that write documents import them for the type checker alone.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from bpftop.fields import frozen


@frozen
class Limits:
    """Keywords of JSON Schema that limit a value, by their own names."""

    minimum: float | None = None
    exclusiveMinimum: float | None = None
    maximum: float | None = None
    minItems: int | None = None
    pattern: str | None = None


@frozen
class Keys:
    """The keys that a mapping has, always and no others."""

    names: tuple[int | str, ...]


@frozen
class OneOf:
    """The strings that a member can be, where the type checker need not know them."""

    values: tuple[str, ...]


TIMESTAMP = Limits(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$")
Count = Annotated[int, Limits(minimum=0)]
Positive = Annotated[int, Limits(minimum=1)]
Amount = Annotated[float, Limits(minimum=0)]


class ToolObject(TypedDict):
    name: Literal["bpftop"]
    version: str
