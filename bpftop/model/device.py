"""What an interface is made of: rings, queues, interrupts, bond legs. Facts that change rarely and have no rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Irq:
    """One interrupt of the device. ``effective_cpus`` is where it goes now, ``affinity_cpus`` where it may go."""

    number: int
    name: str
    affinity_cpus: tuple[int, ...] | None = None
    effective_cpus: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Queue:
    """One queue of the stack. ``cpus`` is its RPS mask (rx) or XPS mask (tx); empty: off; None: unreadable."""

    direction: Literal["rx", "tx"]
    index: int
    cpus: tuple[int, ...] | None = None


@dataclass(frozen=True)
class BondLeg:
    name: str
    up: bool


@dataclass(frozen=True)
class Bond:
    mode: str
    active_leg: str | None
    legs: tuple[BondLeg, ...]


@dataclass(frozen=True)
class DeviceFacts:
    """``None`` of a field: not known, and ``unreadable`` may say why under the field's name.

    ``ring`` and ``channels`` have ethtool's words as keys (``rx``, ``rx_max``, ``combined``...), ``coalesce`` those of
    ``ethtool -c``; ``features`` are the names of ``ethtool -k`` that are on; ``rss`` counts the entries of the
    indirection table per RX queue.
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
