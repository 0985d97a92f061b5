"""Where to count: facts about a device and a wish become a plan. Pure; ``collect/attach.py`` carries it out.

Why not native XDP everywhere, measured over veth with iperf3: nothing attached 9.0 Gb/s, native XDP 2.4, TCX no visible
cost. Native XDP takes receive offloads away while it is attached, and many drivers reset their rings or drop the link
when it comes and goes. TCX disturbs nothing, but sees only what the stack lets through.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bpftop.model import hook_words as words

Attach = Literal["auto", "native", "generic", "tc", "none"]
LinkLayer = Literal["ethernet", "ip"]
XdpMode = Literal["native", "generic", "hardware"]
ProgramName = Literal["count_xdp", "count_xdp_frags", "count_tc"]

LOAD_LIMIT_BITS_PER_SEC = 1e9
OCCUPIED = (errno.EBUSY, errno.EEXIST)
GENERIC_SWITCHES_OFF = ("rx-lro", "rx-gro-hw")  # generic_xdp_install: dev_disable_lro, dev_disable_gro_hw

# ARPHRD_* (include/uapi/linux/if_arp.h) -> where a frame begins. IEEE 802.11, CAN, InfiniBand and others begin
# otherwise.
LINK_LAYERS: dict[int, LinkLayer] = {
    1: "ethernet",  # ETHER
    772: "ethernet",  # LOOPBACK
    512: "ip",  # PPP
    519: "ip",  # RAWIP
    768: "ip",  # TUNNEL (ipip)
    769: "ip",  # TUNNEL6
    776: "ip",  # SIT
    778: "ip",  # IPGRE
    823: "ip",  # IP6GRE
    65534: "ip",  # NONE: tun, wireguard
}


@dataclass(frozen=True)
class Occupant:
    """Somebody else's XDP program. ``name`` takes CAP_SYS_ADMIN to know; one attached by netlink has no ``owner``."""

    prog_id: int
    mode: XdpMode
    name: str | None = None
    owner: str | None = None

    def __str__(self) -> str:
        named = f'program {self.prog_id} "{self.name}"' if self.name else f"program {self.prog_id}"
        return f"{named} ({self.mode} mode, held by {self.owner or 'no process that can be seen'})"


@dataclass(frozen=True)
class Facts:
    """What is known of one device before anything is attached.

    ``native`` is the driver's own word on native XDP, None where the kernel cannot tell (before Linux 6.3). ``legs``
    are the drivers of a bond's legs. ``rx_bits_per_sec`` is None where it could not be measured. ``offloads`` are pairs
    of device and offload that generic XDP would switch off. ``kernel`` is (major, minor), only to word a refusal.
    """

    name: str
    link_type: int = 1
    kind: str | None = None
    driver: str | None = None
    mtu: int = 1500
    native: bool | None = None
    legs: tuple[str | None, ...] = ()
    rx_bits_per_sec: float | None = None
    occupants: tuple[Occupant, ...] = ()
    offloads: tuple[tuple[str, str], ...] = ()
    missing_capabilities: tuple[str, ...] = ()
    kernel: tuple[int, int] = (0, 0)

    @property
    def is_tap(self) -> bool:
        return self.driver == "tun" and self.link_type == 1

    @property
    def drivers(self) -> tuple[str | None, ...]:
        """The drivers that native XDP would reach."""
        return self.legs if self.kind == "bond" else (self.driver,)

    @property
    def is_quiet(self) -> bool:
        """Native XDP comes and goes without a reset here, and counts wire frames."""
        return bool(self.drivers) and all(driver in words.QUIET_DRIVERS for driver in self.drivers)

    @property
    def can_native(self) -> bool:
        """Native XDP is worth a try. Where the kernel cannot tell: known drivers, and Ethernet of no virtual kind."""
        if self.native is not None:
            return self.native
        known = any(driver in words.QUIET_DRIVERS or driver in words.DISTURBANCES for driver in self.drivers)
        return known or self.is_tap or (self.kind is None and self.link_type == 1)


@dataclass(frozen=True)
class Wish:
    """What the person asked for.

    ``consent``: disturbing the device is agreed to (``--attach native`` with ``--yes``, ``--xdp``, or the
    configuration). ``accepted``: the offer was taken on the screen. ``terminal``: there is a screen that can make an
    offer.
    """

    attach: Attach = "auto"
    consent: bool = False
    accepted: bool = False
    terminal: bool = False
    load_limit_bits_per_sec: float = LOAD_LIMIT_BITS_PER_SEC


@dataclass(frozen=True)
class Step:
    """One thing to try. ``mode`` is for XDP only."""

    hook: Literal["xdp", "tcx", "clsact"]
    program: ProgramName
    mode: Literal["native", "generic"] | None = None

    def __str__(self) -> str:
        if self.hook == "xdp":
            return "Native XDP" if self.mode == "native" else "Generic XDP"
        return "TCX" if self.hook == "tcx" else "clsact"


NATIVE = Step("xdp", "count_xdp", "native")
NATIVE_FRAGS = Step("xdp", "count_xdp_frags", "native")
GENERIC = Step("xdp", "count_xdp", "generic")
TCX = Step("tcx", "count_tc")
CLSACT = Step("clsact", "count_tc")


@dataclass(frozen=True)
class Plan:
    """Steps per direction, to try in order until one holds; after the last one there are rtnetlink totals.

    ``forced``: it is an error when no receive step holds. ``retreats``: native XDP is given up when the load rises.
    ``refusal``: an error already, nothing is to be tried. ``offer``: what accepting would do.
    """

    rx: tuple[Step, ...] = ()
    tx: tuple[Step, ...] = ()
    link_layer: LinkLayer = "ethernet"
    forced: bool = False
    retreats: bool = False
    notices: tuple[str, ...] = ()
    offer: str | None = None
    refusal: str | None = None


def plan(facts: Facts, wish: Wish) -> Plan:
    """What to try on this device, and what to say about it."""
    if wish.attach == "none":
        return Plan(notices=(words.not_wanted(facts),))
    layer = LINK_LAYERS.get(facts.link_type)
    if layer is None and wish.attach == "auto":
        return Plan(notices=(f"{words.not_understood(facts)}: only rtnetlink totals.",))
    if layer is None:
        return Plan(refusal=f"{words.not_understood(facts)}; use --attach none for its totals.")
    if wish.attach == "tc":
        return Plan((CLSACT,), (CLSACT,), layer, forced=True, notices=(words.clsact_outlives(facts),))
    if wish.attach == "generic" and facts.occupants:
        return Plan(refusal=words.failure(facts, GENERIC, errno.EBUSY))
    if wish.attach == "generic":
        return Plan((GENERIC,), (TCX,), layer, forced=True, notices=(words.generic_outlives(facts),))
    return _native_or_tcx(facts, wish, layer)


def _native_or_tcx(facts: Facts, wish: Wish, layer: LinkLayer) -> Plan:
    """The wishes "auto" and "native": native XDP where it is quiet or agreed to, else TCX and an offer."""
    forced = wish.attach == "native" and not wish.accepted
    tcx = Plan((TCX,), (TCX,), layer)
    if facts.occupants:
        if forced:
            return Plan(refusal=words.failure(facts, NATIVE, errno.EBUSY))
        return _with(tcx, words.beside(facts))
    agreed = wish.accepted or (wish.attach == "native" and wish.consent)
    # An agreed try goes to the kernel in any case: a driver may forget to say that it can.
    if not facts.can_native and not agreed:
        return Plan(refusal=words.failure(facts, NATIVE, errno.EOPNOTSUPP)) if forced else tcx
    heavy = (facts.rx_bits_per_sec or 0) >= wish.load_limit_bits_per_sec
    if agreed or (facts.is_quiet and not heavy):
        steps = (NATIVE, NATIVE_FRAGS) if forced else (NATIVE, NATIVE_FRAGS, TCX)
        return Plan(steps, (TCX,), layer, forced=forced, retreats=not agreed)
    if wish.terminal:
        return _with(tcx, *((words.too_heavy(facts),) if facts.is_quiet else ()), offer=words.offer(facts))
    return _with(tcx, words.needs_a_yes(facts))


def _with(base: Plan, *notices: str, offer: str | None = None) -> Plan:
    return Plan(base.rx, base.tx, base.link_layer, notices=notices, offer=offer)


def remaining(steps: Sequence[Step], failed: Step, number: int) -> tuple[Step, ...]:
    """What is left of the steps behind ``failed`` after the kernel's errno.

    ERANGE and EINVAL mean "not this program", so the twin for fragments is next. EPERM holds for all of them, and
    without the device (ENODEV) there is nothing to try. Anything else, an occupied hook too, means "not this hook".
    """
    behind = tuple(steps[list(steps).index(failed) + 1 :])
    if number in (errno.EPERM, errno.ENODEV):
        return ()
    if number in (errno.ERANGE, errno.EINVAL):
        return behind
    return tuple(step for step in behind if step.hook != failed.hook)
