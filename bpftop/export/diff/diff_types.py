"""The document of a comparison, ``bpftop.diff/1``, as types: every member with its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict

from bpftop.export.json_types import OneOf, ToolObject

DiffMeasure = Literal["packets_per_sec", "bits_per_sec"]
Change = Literal["new", "gone", "grown", "shrunk", "unchanged", "unknown"]


class MomentObject(TypedDict):
    name: Annotated[str, "The name on the command line."]
    taken_at: Annotated[str, "RFC 3339, UTC."]
    host: str
    interval_s: Annotated[float | None, "Seconds that the rates are means over."]


class SettingObject(TypedDict):
    interface: Annotated[str, "The interface's label; empty for settings of the machine."]
    name: str
    before: str | None
    after: str | None


class RowObject(TypedDict):
    interface: Annotated[str, "The interface's label; empty for losses of the namespace or the machine."]
    direction: Annotated[str, OneOf(("rx", "tx", ""))]
    family: Annotated[str, "As in the CSV of a snapshot: total, protocols, cpus, sizes, losses..."]
    label: str
    cpu: Annotated[str, "The CPU's number; empty where the row belongs to no CPU."]
    measure: DiffMeasure
    change: Annotated[Change, "unchanged: by at most 10 % or 1/s; new and gone: no packets, or no such row, on a side."]
    before: float | None
    after: float | None
    factor: Annotated[float | None, "How many times as much; null: unknown, or nothing before."]
    difference: Annotated[float | None, "null: one side is unknown."]


class DiffDocument(TypedDict):
    """Two moments side by side. Unknown is null, never 0. Later versions 1 may add members; members stay."""

    schema: Literal["bpftop.diff/1"]
    tool: ToolObject
    sentence: Annotated[str, "What changed most, for people."]
    before: MomentObject
    after: MomentObject
    settings: Annotated[
        list[SettingObject], "The settings that differ: kernel, limits, hooks, driver, rings, features..."
    ]
    rows: Annotated[list[RowObject], "Packet rates, then bit rates; in each the largest change first."]


DEFINITIONS: Mapping[str, object] = {"moment": MomentObject, "row": RowObject}
