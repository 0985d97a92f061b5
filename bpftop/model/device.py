"""Facts of a network device that change rarely and have no rate: rings, queues, interrupts, bond legs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bpftop.fields import field, frozen, frozen_often

XdpMode = Literal["native", "generic", "hardware"]


@frozen
class Irq:
    """One interrupt of the device: it may reach ``affinity_cpus`` and now reaches ``effective_cpus``."""

    number: int
    name: str
    affinity_cpus: tuple[int, ...] | None = None
    effective_cpus: tuple[int, ...] | None = None


@frozen_often
class Queue:
    """One queue of the stack. ``cpus`` is its RPS mask (rx) or XPS mask (tx); empty: off; None: unreadable."""

    direction: Literal["rx", "tx"]
    index: int
    cpus: tuple[int, ...] | None = None


@frozen
class BondLeg:
    """One device of a bond."""

    name: str
    up: bool


@frozen
class Bond:
    """A bond of devices. ``active_leg`` is None in modes that use all legs."""

    mode: str
    active_leg: str | None
    legs: tuple[BondLeg, ...]


@frozen_often
class DeviceFacts:
    """A field that is None is unknown; ``unreadable`` may have the reason under the field's name.

    ``ring`` and ``channels`` have ethtool's words as keys (``rx``, ``rx_max``, ``combined``...), ``coalesce`` the words
    of ``ethtool -c``. ``features`` are the features of ``ethtool -k`` that are on. ``rss`` is the number of entries of
    the indirection table per RX queue.
    """

    firmware: str | None = None
    bus: str | None = None
    ring: Mapping[str, int] | None = None
    channels: Mapping[str, int] | None = None
    coalesce: Mapping[str, int] | None = None
    features: tuple[str, ...] | None = None
    rss: Mapping[int, int] | None = None
    numa_node: int | None = None
    numa_cpus: tuple[int, ...] | None = None
    queues: tuple[Queue, ...] | None = None
    irqs: tuple[Irq, ...] | None = None
    bond: Bond | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
