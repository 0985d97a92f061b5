"""The readings of one tick and the sample that carries them. Pure values; ``families`` lists what is measured."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from bpftop.model.device import DeviceFacts
from bpftop.model.families import FAMILIES as FAMILIES
from bpftop.model.families import Family as Family

Direction = Literal["rx", "tx"]
DIRECTIONS: tuple[Direction, Direction] = ("rx", "tx")
Key = tuple[int | str, ...]

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
    previous: Reading | None = None
    """The reading before this one, where a family is read less often than every tick: what its rates are taken from."""
    cells: Reading | None = None
    """The last reading with a cell per CPU, and its previous; set where ``values`` has one cell for all CPUs together.
    Recordings of many CPUs have such readings."""

    @property
    def stride(self) -> int:
        """Cells of one row in ``values``."""
        return len(self.values) // len(self.keys) if self.keys else 0

    @cached_property
    def totals(self) -> dict[Key, tuple[int | None, ...]]:
        """Row key -> value per column, all CPUs together; None where none of them could be read: CPUs that are offline
        have no value, and are left out."""
        columns = len(FAMILIES[self.family].columns)
        cpus = self.stride // columns if columns else 0
        view = memoryview(self.values)
        result: dict[Key, tuple[int | None, ...]] = {}
        for row, key in enumerate(self.keys):
            base = row * self.stride
            result[key] = tuple(
                None
                if self.missing and self.missing.issuperset(range(base + c * cpus, base + (c + 1) * cpus))
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
    facts: DeviceFacts | None = None  # queues, rings, interrupts: read rarely, the same object until they change


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
    kernel: str = ""  # release, as `uname -r` says; empty in what was recorded before there was this field


def reading_key(family: str, *where: str) -> str:
    """The name of a reading within a sample: ``protocols/eth0/rx``, ``links/eth0``, ``self``."""
    return "/".join((family, *where))
