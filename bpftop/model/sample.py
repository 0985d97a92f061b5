"""Samples: the watched interfaces and the readings of one tick. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bpftop.fields import field, frozen, frozen_often
from bpftop.model.device import DeviceFacts
from bpftop.model.families import FAMILIES as FAMILIES
from bpftop.model.families import Family as Family
from bpftop.model.readings import Key as Key
from bpftop.model.readings import Reading as Reading

Direction = Literal["rx", "tx"]
DIRECTIONS: tuple[Direction, Direction] = ("rx", "tx")

SIZE_LABELS = ("<=64", "65-127", "128-255", "256-511", "512-1023", "1024-1518", ">1518")
L3_LABELS = ("ipv4", "ipv6", "arp", "other")
CAST_LABELS = ("unicast", "multicast", "broadcast")
FLAG_LABELS = ("syn", "syn_ack", "fin", "rst", "other")
FRAGMENT_LABELS = ("first", "later")


BEING_LOADED = "being loaded"
"""Part of the reason for a family whose program will be attached in a moment."""

EVERYTHING_ELSE, NOT_READ_YET = "everything else", "not read yet"
"""The part, and its reason, for all families without a reading that the source has not begun to read."""

DOES_NOT_APPLY = "does not apply here"
"""In the reason for a missing input: there is nothing to read, as opposed to something that cannot be read."""


@frozen_often
class Hook:
    """The place at which one direction of an interface is counted. ``none``: only rtnetlink's totals are known."""

    hook: Literal["xdp", "tcx", "clsact", "none"] = "none"
    mode: Literal["native", "generic"] | None = None
    prog_id: int | None = None
    ns_per_packet: float | None = None
    batch: bool | None = None  # True: one batch call reads a map; None: no maps

    def __str__(self) -> str:
        return {"xdp": f"xdp {self.mode}", "none": "rtnetlink"}.get(self.hook, self.hook)


@frozen_often
class Interface:
    """One watched interface at the sample's time. ``label`` is its name on the command line and never changes."""

    label: str
    name: str
    ifindex: int
    state: Literal["up", "down", "gone", "moved"] = "up"
    admin_up: bool | None = None  # `ip link set up`; None in recordings by versions without this field
    carrier: bool | None = None
    kind: str | None = None  # rtnetlink's IFLA_INFO_KIND: veth, bridge, bond, ...
    driver: str | None = None
    netns: str | None = None
    mtu: int | None = None
    speed_bits_per_sec: int | None = None  # None where the driver reports no speed or a made-up one
    master: int | None = None  # ifindex of the bond or bridge above
    lower: int | None = None  # ifindex of the device below (vlan, macvlan), same namespace
    below: tuple[int, ...] = ()  # ifindexes of all devices that carry its frames, nearest first
    counting_since_ns: int | None = None  # wall clock
    hooks: Mapping[Direction, Hook] = field(default_factory=dict)
    notices: tuple[str, ...] = ()  # sentences about missing counters and changes that bpftop made by itself
    offer: str | None = None  # a sentence: the effect of the key `x` (native XDP)
    facts: DeviceFacts | None = None  # queues, rings, interrupts: read rarely, the same object until a fact changes


@frozen
class Sample:
    """All readings of one tick. ``readings`` maps ``reading_key(...)`` to the reading."""

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
    kernel: str = ""  # release (`uname -r`); empty in recordings by versions without this field


def reading_key(family: str, *where: str) -> str:
    """Return the name of a reading within a sample: ``protocols/eth0/rx``, ``links/eth0``, ``self``."""
    return "/".join((family, *where))
