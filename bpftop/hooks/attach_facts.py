"""Facts about a device before anything is attached, and the request of the person."""

from __future__ import annotations

from typing import Literal

from bpftop.fields import field, frozen, frozen_often, replace
from bpftop.model.device import XdpMode
from bpftop.model.units import pct, si

AttachMode = Literal["auto", "native", "generic", "tcx", "clsact", "tc", "none"]
LinkLayer = Literal["ethernet", "ip"]

GENERIC_SWITCHES_OFF = ("rx-lro", "rx-gro-hw")  # generic_xdp_install: dev_disable_lro, dev_disable_gro_hw

# A plain XDP program needs the frame in one page, beside 256 bytes of headroom, 320 of struct skb_shared_info and the
# Ethernet header: with such a program, veth refuses its peer's MTU above 3506 of a page of 4096 (veth_xdp_set).
_BESIDE_THE_MTU_BYTES = 590

# Drivers that attach native XDP without a reset and count wire frames, and the offloads that they switch off meanwhile:
# veth_fix_features, virtnet_xdp_set. Only received traffic suffers: iperf3 into a veth 42 to 57 Gb/s without XDP, 7.6
# to 9.1 with XDP; out of a veth 45 to 47 and 38 to 60.
QUIET_DRIVERS = {
    "veth": "switches the peer's TSO off while attached",
    "virtio_net": "switches GRO-HW here and TSO in the host off while attached",
}
# Received load up to which a quiet driver gets native XDP unasked. Native XDP costs a veth some 600 ns a packet, and
# its peer's TSO: with a higher limit the slowed traffic would stay below the limit.
LIMIT_BITS_PER_SEC = 1e9
VETH_LIMIT_BITS_PER_SEC, VETH_LIMIT_PACKETS_PER_SEC = 200e6, 20e3
LIMIT_SOFTIRQ_SHARE = 0.5
SOFTIRQ_MIN_PACKETS_PER_SEC = 1000  # below this, a busy CPU is busy with something else
DROPS_LINK = "drops the link for seconds, now and at exit"
RESETS_RINGS = "resets its rings, now and at exit"
# The effects of other drivers. Public reports for ixgbe (link) and mlx5_core (queues); the others close and open the
# device (igb, igc) or its rings again when their ndo_bpf is given the first program, or none.
DISTURBANCES = {
    "ixgbe": DROPS_LINK,
    "igb": DROPS_LINK,
    "igc": DROPS_LINK,
    "ixgbevf": RESETS_RINGS,
    "i40e": RESETS_RINGS,
    "ice": RESETS_RINGS,
    "mlx5_core": RESETS_RINGS,
    "mlx4_en": RESETS_RINGS,
    "ena": RESETS_RINGS,
    "bnxt_en": RESETS_RINGS,
    "nfp": RESETS_RINGS,
    "qede": RESETS_RINGS,
}

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


@frozen
class Occupant:
    """Another program's XDP program. ``name`` needs CAP_SYS_ADMIN; a program attached by netlink has no ``owner``."""

    prog_id: int
    mode: XdpMode
    name: str | None = None
    owner: str | None = None

    def __str__(self) -> str:
        program = f'program {self.prog_id} "{self.name}"' if self.name else f"program {self.prog_id}"
        return f"{program} ({self.mode} mode, held by {self.owner or 'no process that can be seen'})"


@frozen
class Load:
    """Received load of a device. ``softirq_share``: of the time of the CPU that received most, 0 to 1."""

    bits_per_sec: float
    packets_per_sec: float
    softirq_share: float | None = None

    def __str__(self) -> str:
        busy = "" if self.softirq_share is None else f", its CPU at {pct(self.softirq_share)} softirq"
        return f"{si(self.bits_per_sec, 'b/s')} in {si(self.packets_per_sec)} packets/s{busy}"


@frozen
class LoadLimits:
    """Received load from which native XDP needs consent. None: the limit of the driver."""

    bits_per_sec: float | None = None
    packets_per_sec: float | None = None
    softirq_share: float = LIMIT_SOFTIRQ_SHARE

    def reached(self, load: Load | None, drivers: tuple[str | None, ...]) -> bool:
        """Return True if the load of a device of these drivers is at a limit; False if the load is not known."""
        if load is None:
            return False
        veth = "veth" in drivers
        default_bits = VETH_LIMIT_BITS_PER_SEC if veth else LIMIT_BITS_PER_SEC
        packets = VETH_LIMIT_PACKETS_PER_SEC if veth and self.packets_per_sec is None else self.packets_per_sec
        busy = (load.softirq_share or 0) > self.softirq_share and load.packets_per_sec >= SOFTIRQ_MIN_PACKETS_PER_SEC
        return (
            load.bits_per_sec >= (default_bits if self.bits_per_sec is None else self.bits_per_sec)
            or (packets is not None and load.packets_per_sec >= packets)
            or busy
        )


@frozen_often
class AttachFacts:
    """Facts about a device before anything is attached.

    ``native``: whether the driver reports native XDP; None before Linux 6.3, which cannot tell. ``legs``: drivers of a
    bond's legs. ``load``: None if not measured. ``offloads``: (device, offload) pairs that generic XDP switches off.
    ``kernel``: (major, minor), for the wording of a refusal only.
    """

    name: str
    link_type: int = 1
    kind: str | None = None
    driver: str | None = None
    mtu: int = 1500
    native: bool | None = None
    legs: tuple[str | None, ...] = ()
    load: Load | None = None
    occupants: tuple[Occupant, ...] = ()
    offloads: tuple[tuple[str, str], ...] = ()
    missing_capabilities: tuple[str, ...] = ()
    kernel: tuple[int, int] = (0, 0)
    page_bytes: int = 4096

    @property
    def one_page_mtu(self) -> int:
        """The largest MTU of a frame in one page."""
        return self.page_bytes - _BESIDE_THE_MTU_BYTES

    @property
    def is_tap(self) -> bool:
        """True for a tap device: a tun driver with Ethernet frames."""
        return self.driver == "tun" and self.link_type == 1

    @property
    def drivers(self) -> tuple[str | None, ...]:
        """The drivers to which native XDP would attach."""
        return self.legs if self.kind == "bond" else (self.driver,)

    @property
    def is_quiet(self) -> bool:
        """True if native XDP attaches and detaches without a reset, and counts wire frames."""
        return bool(self.drivers) and all(driver in QUIET_DRIVERS for driver in self.drivers)

    @property
    def can_native(self) -> bool:
        """True if native XDP is worth a try: by the driver's report, else for known drivers and physical Ethernet."""
        if self.native is not None:
            return self.native
        known = any(driver in QUIET_DRIVERS or driver in DISTURBANCES for driver in self.drivers)
        return known or self.is_tap or (self.kind is None and self.link_type == 1)


@frozen
class AttachRequest:
    """Request of the person.

    ``may_disturb_device``: consent to disturb the device (``--attach native`` with ``--yes``, ``--xdp``, or the
    configuration). ``accepted``: the offer of native XDP was accepted on the screen. ``terminal``: there is a screen
    that can make an offer. ``why_none``: the sentence why ``attach`` is none, where the person did not ask for that.
    """

    attach: AttachMode = "auto"
    may_disturb_device: bool = False
    accepted: bool = False
    terminal: bool = False
    limits: LoadLimits = field(default_factory=LoadLimits)
    why_none: str | None = None

    def without_programs(self, why: str) -> AttachRequest:
        """Return the request for an interface that gets no programs, for a reason (a sentence)."""
        return replace(self, attach="none", why_none=why)
