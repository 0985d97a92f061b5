"""The document of many hosts, ``bpftop.fleet/1``, as types: every member with its meaning."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from bpftop.export.json_types import TIMESTAMP, Amount, Count, Limits, ToolObject
from bpftop.fleet.host_state import Contact
from bpftop.model.findings import Severity


class RatesObject(TypedDict):
    packets_per_sec: Amount | None
    bits_per_sec: Annotated[Amount | None, "L2 bytes without FCS, times 8."]


class GravestObject(TypedDict):
    id: str
    severity: Severity
    title: str


class FleetInterfaceObject(TypedDict):
    name: Annotated[str, "The interface's label."]
    state: Annotated[str, "up, down, ..."]
    rx: RatesObject
    tx: RatesObject
    lost_per_sec: Annotated[Amount | None, "Packets that the interface or its network namespace lost per second."]
    softirq_share: Annotated[
        float | None, Limits(minimum=0, maximum=1), "Part of its time that the busiest CPU spent in softirqs."
    ]
    finding: Annotated[GravestObject | None, "The gravest finding; null: none."]


class FleetHostObject(TypedDict):
    host: Annotated[str, "The name on the command line."]
    contact: Annotated[
        Contact, "silent: samples came, and now none comes; failed: ssh or bpftop has ended, and is tried again."
    ]
    why: Annotated[str | None, "Reason why the host is silent or failed."]
    retry_in_s: Annotated[Amount | None, "Seconds until the next attempt."]
    taken_at: Annotated[str | None, TIMESTAMP, "RFC 3339, UTC, by the clock of the host: its newest sample."]
    skipped_lines: Annotated[Count, "Lines of this connection that were no samples, or came too fast."]
    interfaces: Annotated[list[FleetInterfaceObject], "Rates are null while the host is not watched."]


class FleetDocument(TypedDict):
    """Many hosts at one moment. Unknown is null, never 0. Later versions 1 may add members; members stay."""

    schema: Literal["bpftop.fleet/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP, "RFC 3339, UTC."]
    hosts: Annotated[list[FleetHostObject], "In the order of the command line."]
