"""Rules about the wire, the rings and the queues of the device."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.cpu_readings import cpu_rates
from bpftop.model.findings import Severity
from bpftop.model.rates import gain
from bpftop.model.sample import DIRECTIONS, Key
from bpftop.model.units import compact, pct, si
from bpftop.rules.evidence import against, number, per_s
from bpftop.rules.rule import InputUnavailable, Limit, NotEnoughData, Raised, Rule, RuleInput, tried

_RING = ("rx_missed_errors", "rx_fifo_errors", "rx_over_errors")
_NO_BUFFER = ("no_buf", "nobuf", "missed", "out_of_buffer")
_QUEUE_MANAGERS = ("fq_codel", "codel", "cake", "fq_pie", "pie", "red")
_ON_PURPOSE = ("ingress", "clsact")


def level(seen: RuleInput, value: float, *, warning: str = "warning", critical: str = "critical") -> Severity | None:
    """The gravest level that the value reaches."""
    if value >= seen.limit(critical):
        return "critical"
    return "warning" if value >= seen.limit(warning) else None


def link_saturated(seen: RuleInput) -> Raised | None:
    watched = seen.interface
    speed = watched.interface.speed_bits_per_sec
    if not speed:
        raise InputUnavailable(f"the speed of {watched.label} is not known, or not to be believed (virtual device)")
    used = {d: seen.known(watched.utilisation(d), "traffic") for d in DIRECTIONS}
    direction = max(used, key=lambda d: used[d])
    severity = level(seen, used[direction])
    if severity is None:
        return None
    return Raised(
        severity,
        f"Link saturated: {direction.upper()} uses {pct(used[direction])} of {compact(speed)}",
        (against(f"{direction.upper()} utilisation with 24 B per frame", used[direction], seen.limits[severity]),),
        f"{direction.upper()} carries {si(watched.traffic(direction).totals.packets_per_sec, 'pps')}",
    )


def _no_buffer_counters(seen: RuleInput) -> list[tuple[str, float]]:
    """The driver's own counters of full rings that move."""
    signal = seen.view.reading("nic", seen.interface.label)
    rows = [] if signal is None else [(str(key[1]), rate) for key, rate in signal.rates("count") if rate]
    rows = [(name, rate) for name, rate in rows if not name.lower().startswith("tx")]
    return [(name, rate) for name, rate in rows if any(part in name.lower() for part in _NO_BUFFER)]


def ring_lost(seen: RuleInput) -> float:
    """The largest of the kernel's three: drivers count one loss in several of them."""
    return max(seen.link(column) for column in _RING)


def rx_ring_overflow(seen: RuleInput) -> Raised | None:
    lost = ring_lost(seen)
    driver = _no_buffer_counters(seen)
    lost = max([lost, *(rate for _, rate in driver)])
    if lost <= seen.limit("warning"):
        return None
    part = lost / max(lost, lost + seen.link("rx_packets"))
    severity: Severity = "critical" if part > seen.limit("critical") else "warning"
    ring = seen.interface.interface.facts.ring if seen.interface.interface.facts else None
    why = ""
    if ring and ring.get("rx", 0) < ring.get("rx_max", 0):
        why = f"the RX ring holds {ring['rx']} of at most {ring['rx_max']} packets"
    names = ", ".join(f"{name} {per_s(rate)}" for name, rate in driver[:3])
    return Raised(
        severity,
        f"RX ring overflows: {per_s(lost)} lost before the kernel saw them",
        (
            against("rx_missed, rx_fifo, rx_over or the driver's own", lost, seen.limits["warning"]),
            against("of all received", part, seen.limits["critical"]),
            *((f"driver: {names}",) if names else ()),
        ),
        why,
    )


def rx_crc_errors(seen: RuleInput) -> Raised | None:
    bad = seen.link("rx_crc_errors", "rx_frame_errors")
    signal = seen.reading("links", seen.interface.label)
    flaps = signal.gained((seen.interface.label,), "carrier_changes") or 0
    if bad <= seen.limit("warning") and flaps < seen.limit("carrier_changes"):
        return None
    evidence = []
    if bad > 0:
        evidence.append(against("rx_crc_errors and rx_frame_errors", bad, seen.limits["warning"]))
    if flaps:
        evidence.append(f"carrier changes {flaps} in {(signal.elapsed_ns or 0) / 1e9:.0f} s")
    title = f"Bad frames from the wire: {per_s(bad)}" if bad > 0 else f"The link flaps: {flaps} carrier changes"
    return Raised("warning", title, tuple(evidence))


def rx_dropped_harmless(seen: RuleInput) -> Raised | None:
    seconds = seen.limit("over_s")
    dropped, packets = seen.means("dropped", seconds, 0), seen.means("packets", seconds, 0)
    if dropped is None or packets is None:
        seen.link("rx_dropped")  # blind where that cannot be read
        raise NotEnoughData(f"it looks at {seconds:.0f} s, and was not there for so long")
    if not packets or seen.means("elsewhere", seconds, 0):
        return None
    part = dropped / packets
    if part < seen.limit("share") or packets * seconds <= seen.limit("packets"):
        return None
    return Raised(
        "info",
        f"{pct(part)} of received packets were dropped for which there is no reader here",
        (
            against("rx_dropped and rx_nohandler", part, seen.limits["share"]),
            f"nothing was missed by the ring and no backlog was full in {seconds:.0f} s",
        ),
        "usually frames of protocols or VLANs that nobody here listens to",
    )


def per_cpu(seen: RuleInput, column: str) -> dict[int, float]:
    """CPU -> per second, of those that move: a column of softnet. Raises Blind, Pending."""
    signal = seen.reading("softnet")
    if signal.paired is None:
        raise NotEnoughData
    before, after = signal.paired.before, signal.paired.after
    if before.keys != after.keys:  # a CPU came or went
        rates = cpu_rates(signal, column, seen.view.possible_cpus)
        return {cpu: rate for cpu, rate in enumerate(rates) if rate}
    at, stride = signal.family.columns.index(column), after.stride
    cells = zip(after.keys, before.values[at::stride], after.values[at::stride], strict=True)
    moved = [(int(key[0]), gain(old, new, signal.family.wrap_bits)) for key, old, new in cells if old != new]
    return {cpu: gained * 1e9 / signal.paired.elapsed_ns for cpu, gained in moved if gained is not None}


def backlog_dropped(seen: RuleInput) -> float:
    return sum(per_cpu(seen, "dropped").values())


def lost_elsewhere(seen: RuleInput) -> float:
    """What the ring missed and the backlog dropped: rx_dropped has some of it, too."""
    return ring_lost(seen) + (tried(lambda: backlog_dropped(seen)) or 0.0)


def tx_drops(seen: RuleInput) -> Raised | None:
    label = seen.interface.label
    device = seen.link("tx_dropped")
    queues = seen.view.reading("qdiscs", label)
    rows = [] if queues is None else [(key, rate) for key, rate in queues.rates("drops") if rate]
    rows = [(key, rate) for key, rate in rows if key[1] not in _ON_PURPOSE]  # filters drop there on purpose
    # The root qdisc counts what its children drop, too; the device does not count what its qdiscs drop.
    lost = device + max((rate for _, rate in rows), default=0.0)
    part = lost / max(1.0, lost + seen.link("tx_packets"))
    if lost < seen.limit("warning") and not (part >= seen.limit("share") and lost >= seen.limit("share_floor")):
        return None
    return Raised(
        "warning",
        f"{per_s(lost)} packets dropped on the way out",
        (
            against("tx_dropped or qdisc drops", lost, seen.limits["warning"]),
            against("of all sent", part, seen.limits["share"]),
            *((f"the device itself {per_s(device)}",) if device else ()),
        ),
        _why_not_sent(rows, device),
    )


def _why_not_sent(rows: Sequence[tuple[Key, float]], device: float) -> str:
    queues = sum(rate for _, rate in rows[:1])
    if not rows or queues < device:
        return "the driver drops what it is given"
    names = ", ".join(f"{key[1]} {key[2]} {per_s(rate)}" for key, rate in rows[:3])
    if any(key[1] in _QUEUE_MANAGERS for key, _ in rows):
        return f"more is sent than the link takes, and the queue drops to make senders slower: {names}"
    return f"the queue is full: {names}"


def bond_leg_lost(seen: RuleInput) -> Raised | None:
    facts = seen.interface.interface.facts
    if facts is None or facts.bond is None:
        if seen.interface.interface.kind == "bond":
            raise InputUnavailable(f"/proc/net/bonding/{seen.interface.label} cannot be read")
        return None
    down = [leg.name for leg in facts.bond.legs if not leg.up]
    if not down:
        return None
    legs = len(facts.bond.legs)
    return Raised(
        "warning",
        f"Bond has lost {len(down)} of {legs} legs: {', '.join(down)}",
        (f"configured {legs}, up {legs - len(down)} (/proc/net/bonding)",),
        f"no link on {', '.join(down)}",
    )


def irq_wrong_numa(seen: RuleInput) -> Raised | None:
    facts = seen.interface.interface.facts
    if facts is not None and facts.irqs == ():
        return None  # a virtual device has none
    if facts is None or facts.numa_node is None or facts.numa_node < 0 or not facts.numa_cpus or not facts.irqs:
        raise InputUnavailable(f"the NUMA node or the interrupts of {seen.interface.label} are not known")
    rate = seen.known(seen.interface.rx.totals.packets_per_sec, "packets")
    here = set(facts.numa_cpus)
    far = [irq for irq in facts.irqs if irq.effective_cpus and not here & set(irq.effective_cpus)]
    if not far or rate < seen.limit("packets"):
        return None
    return Raised(
        "info",
        f"{len(far)} of {len(facts.irqs)} interrupts are handled far from NUMA node {facts.numa_node}",
        (
            f"device on node {facts.numa_node}; IRQ {far[0].number} on CPU {far[0].effective_cpus}",
            f"RX {number(rate, '/s')} packets; looked at from {number(seen.limits['packets'].raised, '/s')}",
        ),
        "IRQ affinity names CPUs of another node",
    )


RULES = (
    Rule(
        "link-saturated", "wire", "interface", ("links",), ("warning", "critical"),
        "bytes with 24 B per frame against the link's speed", link_saturated,
        {"warning": Limit(0.85, 0.80, "share", "pcp 85 %, netdata 90/85 %, glances 70/80/90 %"),
         "critical": Limit(0.95, 0.90, "share")},
        ("ip -s link show {iface}", "ethtool {iface}"),
        explains=("tx-drops", "rx-ring-overflow", "tcp-retransmits"),
    ),
    Rule(
        "rx-ring-overflow", "ring", "interface", ("links",), ("warning", "critical"),
        "rx_missed, rx_fifo, rx_over or the driver's no-buffer counters, for 10 s", rx_ring_overflow,
        {"warning": Limit(0.0, 0.0, "/s", "netdata 10min_fifo_errors > 0; pcp"),
         "critical": Limit(0.001, None, "share", "pcp")},
        ("ethtool -S {iface} | grep -E 'miss|drop|no_buf'", "ethtool -g {iface}"),
        explains=("tcp-retransmits",), for_s=10,
    ),
    Rule(
        "rx-crc-errors", "wire", "interface", ("links",), ("warning",),
        "rx_crc and rx_frame errors, or a carrier that comes and goes", rx_crc_errors,
        {"warning": Limit(0.0, 0.0, "/s", "pcp > 15/s; node-mixin > 1 %"),
         "carrier_changes": Limit(2, 1, "", "two changes: it went and came back")},
        ("ip -s -s link show {iface}", "ethtool {iface}", "ethtool -m {iface}"),
        explains=("tcp-retransmits",),
    ),
    Rule(
        "rx-dropped-harmless", "wire", "interface", ("links",), ("info",),
        "rx_dropped and rx_nohandler while nothing is missed and no backlog is full, over 10 min", rx_dropped_harmless,
        {"share": Limit(0.02, None, "share", "netdata"), "packets": Limit(10_000, 10_000, "packets", "netdata"),
         "over_s": Limit(600, 600, "s")},
        ("ip -s -s link show {iface}",),
        measures={"dropped": lambda seen: seen.link("rx_dropped") + nohandler(seen), "elsewhere": lost_elsewhere,
                  "packets": lambda seen: seen.link("rx_packets")},
        keep_s=610,
    ),
    Rule(
        "tx-drops", "tx", "interface", ("links",), ("warning",), "tx_dropped and drops of the queueing disciplines",
        tx_drops,
        {"warning": Limit(10, None, "/s"), "share": Limit(0.02, None, "share", "netdata"),
         "share_floor": Limit(1, None, "/s", "2 % of next to nothing is no finding")},
        ("tc -s qdisc show dev {iface}", "ip -s -s link show {iface}"),
        explains=("tcp-retransmits",),
    ),
    Rule(
        "bond-leg-lost", "wire", "interface", ("facts",), ("warning",), "legs of a bond that are down", bond_leg_lost,
        {}, ("cat /proc/net/bonding/{iface}",), explains=("link-saturated",),
    ),
    Rule(
        "irq-wrong-numa", "ring", "interface", ("facts",), ("info",),
        "interrupts handled on another NUMA node than the device's, under load", irq_wrong_numa,
        {"packets": Limit(10_000, None, "/s", "under this load it does not matter")},
        ("cat /sys/class/net/{iface}/device/numa_node", "cat /proc/interrupts"),
    ),
)  # fmt: skip


def nohandler(seen: RuleInput) -> float:
    """Zero on kernels that do not count it."""
    label = seen.interface.label
    return seen.reading("links", label).per_sec((label,), "rx_nohandler") or 0.0
