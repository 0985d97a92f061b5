"""The snapshot document, ``bpftop.snapshot/1``, as types: every member with its meaning. Unknown is None, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict, TypeVar

from bpftop.export.json_types import TIMESTAMP, Amount, Count, Keys, Limits, OneOf, Positive, ToolObject
from bpftop.model import sample, stages
from bpftop.model.families import Scope
from bpftop.model.findings import Severity
from bpftop.model.protocols import REFLECTION_PORTS

T = TypeVar("T")

PerDirection = Annotated[Mapping[str, T], Keys(sample.DIRECTIONS)]

# Definitions: the schema refers to these by name.
DirectionName = Annotated[Literal["rx", "tx"], "rx: received; tx: sent."]
Packets = Annotated[Count | None, "Packets since counting_since."]
ByteCount = Annotated[Count | None, "L2 bytes without FCS since counting_since."]
PacketRate = Annotated[Amount | None, "Packets per second over the interval."]
BitRate = Annotated[Amount | None, "Eight times the bytes per second, over the interval."]
Timestamp = Annotated[str | None, TIMESTAMP, "RFC 3339, UTC, milliseconds."]


class TrafficObject(TypedDict):
    packets: Packets
    bytes: ByteCount
    packets_per_sec: PacketRate
    bits_per_sec: BitRate


class HookObject(TypedDict):
    hook: Annotated[
        Literal["xdp", "tcx", "clsact", "none"],
        "The hook whose program counts this direction. none: the totals are the kernel's own counters of the "
        "interface, which began with the interface.",
    ]
    mode: Annotated[Literal["native", "generic", None], "The mode of XDP; null for other hooks."]
    prog_id: Annotated[Positive | None, "The program's id, as bpftool shows it."]
    ns_per_packet: Annotated[Amount | None, "The cost of counting a packet, measured on this machine."]
    batch: Annotated[bool | None, "Whether a batch call reads the maps; null where there are no maps."]


class ProtocolObject(TrafficObject):
    direction: DirectionName
    name: Annotated[str, "IANA keyword, or the name of a pseudo-protocol such as ARP."]
    number: Annotated[
        int, Limits(minimum=0, maximum=65535), "The IP protocol, 0 to 255, or a pseudo-protocol from 256 up."
    ]


class CpuObject(TrafficObject):
    direction: DirectionName
    cpu: Annotated[Count, "The CPU's number."]
    online: Annotated[bool, "Whether the CPU is online."]
    protocols: Annotated[list[ProtocolObject], "The protocols on this CPU within the interval, the busiest first."]


class SizeObject(TrafficObject):
    direction: DirectionName
    size: Annotated[str, OneOf(sample.SIZE_LABELS), "Bytes of the frame without FCS, as in RMON."]


class IcmpTypeObject(TrafficObject):
    direction: DirectionName
    protocol: Annotated[str, OneOf(("icmp", "icmpv6"))]
    type: Annotated[int, Limits(minimum=0, maximum=255), "The ICMP type."]


class QueueObject(TypedDict):
    direction: Literal["rx", "tx"]
    index: Count
    cpus: Annotated[list[Count] | None, "RPS mask (rx) or XPS mask (tx); empty: off."]


class IrqObject(TypedDict):
    number: Count
    name: str
    affinity_cpus: Annotated[list[Count] | None, "The CPUs that may take the interrupt."]
    effective_cpus: Annotated[list[Count] | None, "The CPUs that take the interrupt now."]


class BondLegObject(TypedDict):
    name: str
    up: bool


class BondObject(TypedDict):
    mode: str
    active_leg: str | None
    legs: list[BondLegObject]


class UnavailableObject(TypedDict):
    part: str
    reason: str


class DeviceObject(TypedDict):
    """Facts about the device from ethtool, sysfs and /proc."""

    firmware: Annotated[str | None, "The version of the firmware."]
    bus: Annotated[str | None, "PCI address, or the driver's own word."]
    ring: Annotated[Mapping[str, Count] | None, "Entries of the rings; the most possible as rx_max... (ethtool -g)."]
    channels: Annotated[Mapping[str, Count] | None, "Channels; the most possible as rx_max... (ethtool -l)."]
    coalesce: Annotated[Mapping[str, Count] | None, "Interrupt coalescing by the words of `ethtool -c`."]
    features: Annotated[list[str] | None, "The features of `ethtool -k` that are on."]
    rss: Annotated[Mapping[str, Count] | None, "RX queue -> entries of the RSS indirection table that lead there."]
    numa_node: Annotated[int | None, "null: none, or unknown."]
    numa_cpus: Annotated[list[Count] | None, "The CPUs of the NUMA node."]
    queues: Annotated[list[QueueObject] | None, "Queues of the stack."]
    irqs: Annotated[list[IrqObject] | None, "Interrupts of the device."]
    bond: Annotated[BondObject | None, "null: not a bond."]
    unreadable: Annotated[list[UnavailableObject], "Parts that are null because they could not be read, and why."]


UNCOUNTED = "null: no program counts this direction."


class InterfaceObject(TypedDict):
    label: Annotated[str, "The name on the command line. It stays when the interface is renamed."]
    name: Annotated[str, "The name now."]
    ifindex: Annotated[Count, "The interface's index in its namespace."]
    state: Annotated[Literal["up", "down", "gone", "moved"], "gone: deleted; moved: to another network namespace."]
    kind: Annotated[str | None, "veth, bridge, bond, ..., as `ip -d link` names it; null for hardware."]
    driver: Annotated[str | None, "The driver's name."]
    netns: Annotated[str | None, "The network namespace, if it is not bpftop's own."]
    mtu: Annotated[Count | None, "Bytes."]
    speed_bits_per_sec: Annotated[Count | None, "null where the driver gives no credible speed."]
    device: Annotated[DeviceObject | None, "null: not read yet."]
    counting_since: Annotated[Timestamp, "The time at which the programs began to count packets and bytes."]
    hooks: Annotated[PerDirection[HookObject], "How each direction is counted."]
    totals: Annotated[PerDirection[TrafficObject], "All traffic of the direction."]
    protocols: Annotated[
        list[ProtocolObject], "A row per protocol seen since the start, for each direction that a program counts."
    ]
    cpus: Annotated[
        list[CpuObject], "A row per CPU that is online or has counted, for each direction whose rates are known."
    ]
    sizes: Annotated[list[SizeObject], "Seven rows for each direction that a program counts."]
    l3: Annotated[
        PerDirection[Annotated[Mapping[str, TrafficObject], Keys(sample.L3_LABELS)] | None],
        f"Frames by network layer. {UNCOUNTED}",
    ]
    casts: Annotated[
        PerDirection[Annotated[Mapping[str, TrafficObject], Keys(sample.CAST_LABELS)] | None],
        f"Frames by the kind of their destination. {UNCOUNTED}",
    ]
    tcp_flags: Annotated[
        PerDirection[Annotated[Mapping[str, TrafficObject], Keys(sample.FLAG_LABELS)] | None],
        f"TCP segments by their flags. {UNCOUNTED}",
    ]
    udp_ports: Annotated[
        PerDirection[Annotated[Mapping[str, TrafficObject], Keys(tuple(REFLECTION_PORTS))] | None],
        f"UDP datagrams from (rx) or to (tx) the ports that reflection attacks use. {UNCOUNTED}",
    ]
    fragments: Annotated[
        PerDirection[Annotated[Mapping[str, TrafficObject], Keys(sample.FRAGMENT_LABELS)] | None],
        f"IP fragments. {UNCOUNTED}",
    ]
    vlans: Annotated[
        PerDirection[Annotated[Mapping[str, TrafficObject], Keys((1, 2))] | None],
        f"Frames by their number of VLAN tags. {UNCOUNTED}",
    ]
    icmp_types: Annotated[list[IcmpTypeObject], "A row per ICMP and ICMPv6 type seen since the start."]
    notices: Annotated[list[str], "Sentences: missing parts, and changes that bpftop made by itself."]
    offer: Annotated[str | None, "A better attachment that needs consent."]


class CounterObject(TypedDict):
    name: Annotated[str, "The name that ip, nstat or the kernel's file gives to the counter."]
    family: str
    value: Annotated[Count | None, "The counter's value."]


class LossObject(TypedDict):
    id: Annotated[str, "The id of the stage. A contract: ids do not change."]
    title: str
    kind: Annotated[
        stages.StageKind,
        "loss: part of the sum of losses; part: included in the loss of the row above; seen: no loss, or counted by "
        "another stage too.",
    ]
    group: Annotated[
        stages.LossGroup | None,
        "The sum that the row counts into. lost: by the interface or its namespace; refused: closed ports, no route, "
        "firewall; elsewhere: by counters of the whole host; null: no sum.",
    ]
    scope: Annotated[Scope, "The scope of the counters."]
    interface: Annotated[str | None, "The interface's label; null where the scope is wider."]
    per_sec: Annotated[Amount | None, "Packets lost per second over the interval."]
    since_start: Annotated[Count | None, "Packets since bpftop began to watch."]
    counters: Annotated[list[CounterObject], "The counters that the numbers come from."]
    reason: Annotated[str | None, "Why the loss is unknown, in part or as a whole."]


class FindingValueObject(TypedDict):
    name: Annotated[str, "The counter or the share that the finding is about."]
    unit: Annotated[str, "`/s`: events per second; `share`: of 1; else the unit of a level."]
    now: Annotated[Amount | None, "Over the last interval; null: too little to judge, or not known."]
    peak: Annotated[Amount, "The largest number of a single interval."]
    peak_s_ago: Amount
    total: Annotated[Amount | None, "Events since 3 s before the finding; null for numbers that are no rates."]
    raise_at: Annotated[Amount, "The limit at which the finding is raised."]
    raise_window_s: Annotated[Amount, "Seconds over which the number is compared with that limit."]
    clears_below: Annotated[Amount, "The limit below which the finding clears."]
    clear_window_s: Annotated[Amount, "Seconds over which the number is compared with that limit."]
    below_since_s: Annotated[
        Amount | None,
        "Seconds since the end of the first of the latest intervals that do not meet the condition; null: the newest "
        "meets it.",
    ]


class FindingObject(TypedDict):
    id: Annotated[str, "The id of the rule. A contract: ids do not change."]
    severity: Severity
    title: str
    scope: Scope
    scope_name: Annotated[str, "The interface, the namespace or the host."]
    evidence: Annotated[list[str], "Sentences with numbers, limits and the sources of the limits."]
    why: Annotated[str, "The first cause that has evidence."]
    since_s: Annotated[Amount | None, "Seconds since the finding began."]
    next_steps: Annotated[list[str], "Commands to look closer. They only read."]
    source: Annotated[str | None, "The source of the limits."]
    explains: Annotated[list[str], "Ids of the findings that follow from this finding."]
    explained_by: Annotated[str | None, "Id of the finding that this finding follows from."]
    value: Annotated[
        FindingValueObject | None, "The number of the finding; null where the finding is a state without a number."
    ]


class LossPeakObject(TypedDict):
    per_sec: Annotated[Amount, "Packets per second."]
    s_ago: Annotated[Amount, "Seconds since the end of the interval."]


class LeftOutObject(TypedDict):
    interface: str
    reason: str


class TotalObject(TypedDict):
    totals: Annotated[
        PerDirection[TrafficObject], "The sum of the interfaces, without those that would be counted twice."
    ]
    left_out: Annotated[list[LeftOutObject], "Interfaces whose packets another interface counts too."]


class HostObject(TypedDict):
    name: str
    kernel: Annotated[str | None, "The kernel's release, as in `uname -r`."]
    possible_cpus: Annotated[Positive, "The number of CPUs that this kernel could ever have."]
    online_cpus: Annotated[list[Count], "The numbers of the online CPUs."]
    sysctls: Annotated[
        Mapping[str, Count | None] | None,
        "Limits that explain losses, by the names that `sysctl` gives them; limits of the machine are absent in a "
        "network namespace other than the first. null: not read.",
    ]


class OwnObject(TypedDict):
    cpu_pct: Annotated[Amount | None, "CPU time of bpftop in percent of one core."]
    resident_bytes: Annotated[Count | None, "Resident memory of bpftop."]
    poll_ns: Annotated[Count | None, "Time that bpftop spent on reading maps within the interval."]


class SnapshotDocument(TypedDict):
    """The watched interfaces at a moment. Unknown is null, never 0. Later versions 1 may add members; members stay."""

    schema: Literal["bpftop.snapshot/1"]
    tool: ToolObject
    taken_at: Annotated[str, TIMESTAMP, "RFC 3339, UTC, milliseconds."]
    interval_s: Annotated[
        float | None, Limits(exclusiveMinimum=0), "Seconds between the two samples that the rates come from."
    ]
    counting_since: Annotated[Timestamp, "The latest counting_since of the interfaces: all were counted from then on."]
    host: HostObject
    interfaces: Annotated[list[InterfaceObject], "The interfaces in the order of the command line."]
    total: TotalObject
    losses: Annotated[
        list[LossObject],
        "The stages of a packet's path at which packets are lost, in their order. A stage of an interface has a row "
        "for each interface.",
    ]
    loss_sums: Annotated[
        Mapping[str, Amount | None],
        Keys(stages.GROUPS),
        "Packets per second of each group of losses. `elsewhere` is without what `lost` has of the same counter.",
    ]
    loss_peaks: Annotated[
        Mapping[str, LossPeakObject | None],
        Keys(stages.GROUPS),
        "The largest sum of each group in one interval since watching began; null: nothing was lost.",
    ]
    findings: Annotated[list[FindingObject], "The problems found."]
    own: Annotated[OwnObject, "The cost of watching."]
    unavailable: Annotated[list[UnavailableObject], "Parts that could not be read, and why."]


DEFINITIONS: Mapping[str, object] = {
    "direction": DirectionName,
    "packets": Packets,
    "bytes": ByteCount,
    "packets_per_sec": PacketRate,
    "bits_per_sec": BitRate,
    "timestamp": Timestamp,
    "traffic": TrafficObject,
    "hook": HookObject,
    "protocol": ProtocolObject,
    "cpu": CpuObject,
    "size": SizeObject,
    "icmp_type": IcmpTypeObject,
    "interface": InterfaceObject,
    "loss": LossObject,
    "finding": FindingObject,
    "device": DeviceObject,
}
"""The parts of the schema that its members refer to by name."""
