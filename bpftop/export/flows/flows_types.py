"""The document of the busiest flows, ``bpftop.flows/1``, as types: every member with its meaning."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from bpftop.export.json_types import TIMESTAMP, Amount, Count, Limits, ToolObject
from bpftop.render.flows.flow_pairs import PairBy

FlowShare = Annotated[float | None, Limits(minimum=0, maximum=1)]


class FlowAmounts(TypedDict):
    bits_per_sec: Annotated[Amount, "L2 bytes without FCS, times 8, in the last interval."]
    packets_per_sec: Amount
    bytes: Annotated[Count, "Since flows are counted; in total and rest since the programs are attached."]
    packets: Count


class FlowEnd(TypedDict):
    address: str
    port: Annotated[Count | None, "null: none was read, as in later fragments and all but TCP and UDP."]


class FlowTcp(TypedDict):
    """Describe the TCP connection of a flow by the figures of the kernel (struct tcp_info)."""

    rtt_us: Count | None
    min_rtt_us: Count | None
    retransmits: Annotated[Count | None, "Segments that this host sent again, since the connection began."]
    retransmits_per_sec: Amount | None
    lost: Annotated[Count | None, "Segments that are taken for lost now."]
    cwnd: Annotated[Count | None, "Congestion window in segments."]
    delivery_rate_bits_per_sec: Count | None
    limit: Annotated[str | None, "application, receive window, send buffer or network; null: it had nothing to send."]


class FlowOwnerObject(TypedDict):
    process: Annotated[str | None, "null: not known, as without CAP_SYS_PTRACE."]
    pid: Count | None
    user: str
    service: Annotated[str | None, "Container, or else systemd unit."]
    netns: Annotated[str | None, "Inode of the network namespace; null: the watched one."]
    listening: Annotated[bool, "It listens, or takes datagrams of anybody."]
    tcp: FlowTcp | None


class FlowObject(TypedDict):
    name: Annotated[str, "Of the flow or the group."]
    flows: Annotated[Count, "How many flows of the table are in it; 0: unknown."]
    share: Annotated[FlowShare, "Of the bits per second of both directions. The shares of rows and rest add up to 1."]
    rx: FlowAmounts
    tx: FlowAmounts
    protocol: Annotated[str | None, "null for groups."]
    local: Annotated[FlowEnd | None, "The end of this host; null for groups."]
    remote: FlowEnd | None
    age_s: Annotated[Amount | None, "Since its first packet."]
    owner: Annotated[FlowOwnerObject | None, "null: no socket on this host, or a group, except of a process."]
    processes: Annotated[list[str], "Of a group: NAME[PID]."]


class FlowInterfaceObject(TypedDict):
    name: Annotated[str, "The interface's label."]
    sentence: Annotated[str | None, "What most received packets have in common."]
    sampled_1_in: Annotated[Count, "1: every packet was counted; else amounts of rows are estimates."]
    entries: Annotated[Count, "Flows in the fuller of the two tables."]
    rows: Annotated[list[FlowObject], "The one with most bits per second first."]
    rest: Annotated[FlowObject, "What is in no row."]
    total: FlowObject


class FlowsDocument(TypedDict):
    """The busiest flows. Unknown is null. Later versions 1 may add members; members stay."""

    schema: Literal["bpftop.flows/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP, "RFC 3339, UTC."]
    interval_s: Annotated[Amount | None, "Of the rates."]
    host: str
    by: PairBy
    interfaces: list[FlowInterfaceObject]
    unavailable: Annotated[dict[str, str], "Part -> why it is not known."]
