"""The diagnosis document, ``bpftop.diagnosis/1``, as types: every member with its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict

from bpftop.export.json_types import TIMESTAMP, Amount, Keys, Limits, OneOf, ToolObject
from bpftop.export.snapshot.snapshot_types import FindingObject
from bpftop.model.findings import Severity
from bpftop.model.sample import DIRECTIONS


class HostNameObject(TypedDict):
    name: str


class DiagnosedInterfaceObject(TypedDict):
    label: str
    name: str
    hooks: Annotated[Mapping[str, str], Keys(DIRECTIONS)]


class VerdictObject(TypedDict):
    severity: Annotated[Severity | None, "The gravest severity of all findings; null without findings."]
    sentence: str


class EpisodeObject(FindingObject):
    active: Annotated[bool, "Whether the finding stands at the end of the watch."]
    ended_s_ago: Amount | None


class WatchedTrafficObject(TypedDict):
    """The traffic of one direction over the whole watch."""

    interface: Annotated[str, "The interface's label."]
    direction: Annotated[str, OneOf(DIRECTIONS)]
    packets_per_sec: Amount | None
    bits_per_sec: Amount | None


WhyUnknown = Literal["blind", "does_not_apply", "waiting"]


class UnknownRuleObject(TypedDict):
    id: str
    reason: str
    kind: Annotated[
        WhyUnknown,
        "blind: the input cannot be read; does_not_apply: there is no such input here; waiting: more samples needed.",
    ]


class DiagnosisDocument(TypedDict):
    """The results of the rules over some seconds. Later versions 1 may add members; members stay."""

    schema: Literal["bpftop.diagnosis/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP, "RFC 3339, UTC, milliseconds."]
    duration_s: Annotated[float, Limits(exclusiveMinimum=0)]
    host: HostNameObject
    interfaces: list[DiagnosedInterfaceObject]
    verdict: VerdictObject
    traffic: Annotated[list[WatchedTrafficObject], "Mean rates over the whole watch; null is unknown."]
    findings: Annotated[list[EpisodeObject], "The gravest first; findings that have ended are included."]
    ruled_out: Annotated[list[str], "Ids of the rules that had their input and found nothing."]
    unknown: Annotated[list[UnknownRuleObject], "Rules without their input."]


DEFINITIONS: Mapping[str, object] = {"finding": EpisodeObject}
