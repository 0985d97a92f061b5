"""What is measured: the registry of families, and the readings and samples that carry them. Pure values."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Direction = Literal["rx", "tx"]
DIRECTIONS: tuple[Direction, Direction] = ("rx", "tx")
Key = tuple[int | str, ...]


@dataclass(frozen=True)
class Family:
    """One kind of counter or gauge: its labels name a row, its columns the cells of the row.

    ``sparse``: rows whose cells are all zero are left out, so an absent row of the same epoch is zero and not unknown.
    ``every_ns``: the least time between two readings; 0 means every tick.
    """

    name: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    help: str
    kind: Literal["counter", "gauge"] = "counter"
    wrap_bits: int = 64
    per_cpu: bool = False
    sparse: bool = False
    scope: Literal["interface", "netns", "host"] = "interface"
    every_ns: int = 0


_TRAFFIC = ("packets", "bytes")
_WHERE = ("interface", "direction")

_LINK_COLUMNS = (
    *("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"),
    *("rx_errors", "tx_errors", "rx_dropped", "tx_dropped"),
)

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "protocols",
            (*_WHERE, "protocol"),
            _TRAFFIC,
            "frames by IP protocol or pseudo-protocol, per CPU",
            per_cpu=True,
            sparse=True,
        ),
        Family("joint", (*_WHERE, "l3", "cast", "size"), _TRAFFIC, "frames by L3 class, cast and size", sparse=True),
        Family("tcp_flags", (*_WHERE, "flag"), _TRAFFIC, "TCP segments by flags", sparse=True),
        Family("udp_ports", (*_WHERE, "port"), _TRAFFIC, "UDP datagrams of reflection ports", sparse=True),
        Family("icmp_types", (*_WHERE, "protocol", "type"), _TRAFFIC, "ICMP and ICMPv6 by type", sparse=True),
        Family("fragments", (*_WHERE, "part"), _TRAFFIC, "IP fragments, first and later", sparse=True),
        Family("vlans", (*_WHERE, "tags"), _TRAFFIC, "frames by number of VLAN tags", sparse=True),
        Family("links", ("interface",), _LINK_COLUMNS, "what the kernel counted for the interface (rtnetlink)"),
        Family("self", (), ("cpu_ns", "poll_ns"), "CPU time of this process, and time in map reads", scope="host"),
        Family("self_memory", (), ("resident_bytes",), "resident memory of this process", kind="gauge", scope="host"),
    )
}

SIZE_LABELS = ("<=64", "65-127", "128-255", "256-511", "512-1023", "1024-1518", ">1518")
L3_LABELS = ("ipv4", "ipv6", "arp", "other")
CAST_LABELS = ("unicast", "multicast", "broadcast")
FLAG_LABELS = ("syn", "syn_ack", "fin", "rst", "other")
REFLECTION_PORTS = (19, 53, 123, 161, 389, 1900, 11211)
FRAGMENT_LABELS = ("first", "later")


@dataclass(frozen=True)
class Reading:
    """One family at one instant.

    ``values`` is row x column, or row x column x possible CPU where the family is per CPU; rows are those of ``keys``.
    ``read_ns`` is CLOCK_MONOTONIC beside this very read. Rates are never taken across two epochs. ``missing`` holds
    flat indexes into ``values`` that could not be read.
    """

    family: str
    read_ns: int
    cost_ns: int
    epoch: int
    keys: tuple[Key, ...]
    values: array[int]
    missing: frozenset[int] = frozenset()

    @property
    def stride(self) -> int:
        """Cells of one row in ``values``."""
        return len(self.values) // len(self.keys) if self.keys else 0

    @cached_property
    def totals(self) -> dict[Key, tuple[int | None, ...]]:
        """Row key -> value per column, all CPUs together; None where a cell could not be read."""
        columns = len(FAMILIES[self.family].columns)
        cpus = self.stride // columns if columns else 0
        view = memoryview(self.values)
        result: dict[Key, tuple[int | None, ...]] = {}
        for row, key in enumerate(self.keys):
            base = row * self.stride
            result[key] = tuple(
                None
                if self.missing and not self.missing.isdisjoint(range(base + c * cpus, base + (c + 1) * cpus))
                else sum(view[base + c * cpus : base + (c + 1) * cpus])
                for c in range(columns)
            )
        return result

    @cached_property
    def cpu_totals(self) -> tuple[list[int], ...]:
        """Per column, the value of every possible CPU, all rows together; empty where there are no rows."""
        columns = zip(*(columns for _, columns in self.per_cpu()), strict=True)
        return tuple(list(map(sum, zip(*rows, strict=True))) for rows in columns)

    def per_cpu(self) -> Iterator[tuple[Key, tuple[memoryview, ...]]]:
        """Row by row: its key and, per column, the values of every possible CPU."""
        columns = len(FAMILIES[self.family].columns)
        cpus = self.stride // columns if columns else 0
        view = memoryview(self.values)
        for row, key in enumerate(self.keys):
            base = row * self.stride
            yield key, tuple(view[base + c * cpus : base + (c + 1) * cpus] for c in range(columns))


@dataclass(frozen=True)
class Hook:
    """Where one direction of an interface is counted. ``none`` means: totals from rtnetlink only."""

    hook: Literal["xdp", "tcx", "clsact", "none"] = "none"
    mode: Literal["native", "generic"] | None = None
    prog_id: int | None = None
    ns_per_packet: float | None = None
    batch: bool | None = None  # maps read by one batch call; None: no maps

    def __str__(self) -> str:
        return {"xdp": f"xdp {self.mode}", "none": "rtnetlink"}.get(self.hook, self.hook)


@dataclass(frozen=True)
class Interface:
    """One watched interface at the sample's time. ``label`` is the name it was asked for by and never changes."""

    label: str
    name: str
    ifindex: int
    state: Literal["up", "down", "gone", "moved"] = "up"
    kind: str | None = None  # rtnetlink's IFLA_INFO_KIND: veth, bridge, bond, ...
    driver: str | None = None
    netns: str | None = None
    mtu: int | None = None
    speed_bits_per_sec: int | None = None  # only where it can be believed
    master: int | None = None  # ifindex of the bond or bridge above
    lower: int | None = None  # ifindex of the device below (vlan, macvlan), same namespace
    counting_since_ns: int | None = None  # wall clock
    hooks: Mapping[Direction, Hook] = field(default_factory=dict)
    notices: tuple[str, ...] = ()  # sentences: what is missing, what changed by itself
    offer: str | None = None  # what `x` would do


@dataclass(frozen=True)
class Sample:
    """Everything that was read in one tick. ``readings`` maps ``reading_key(...)`` to the reading."""

    seq: int
    boot_id: str
    host: str
    wall_ns: int
    mono_ns: int
    possible_cpus: int
    online_cpus: tuple[int, ...]
    interfaces: tuple[Interface, ...]
    readings: Mapping[str, Reading]
    unavailable: Mapping[str, str] = field(default_factory=dict)


def reading_key(family: str, *where: str) -> str:
    """The name of a reading within a sample: ``protocols/eth0/rx``, ``links/eth0``, ``self``."""
    return "/".join((family, *where))
