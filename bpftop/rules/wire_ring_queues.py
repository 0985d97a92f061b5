"""Rules about the wire, the ring and the queues of a device."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.findings import Severity
from bpftop.model.sample import DIRECTIONS, Key
from bpftop.model.units import compact, pct, si
from bpftop.rules.check_factories import Rates, Share, rate_over_limit, share_over_limit
from bpftop.rules.evidence import compare, number, per_s
from bpftop.rules.moved_inputs import DEVICE, TRAFFIC
from bpftop.rules.packet_rates import lost_before_stack, ring_lost
from bpftop.rules.rule import (
    Headline,
    InputUnavailable,
    Limit,
    NotEnoughData,
    Raised,
    Rule,
    RuleInput,
    rates_above_zero,
)

_NO_BUFFER = ("no_buf", "nobuf", "missed", "out_of_buffer")
_QUEUE_MANAGERS = ("fq_codel", "codel", "cake", "fq_pie", "pie", "red")
_ON_PURPOSE = ("ingress", "clsact")


def utilisation(rule_input: RuleInput) -> Share:
    """Return the share of the link's speed that the fuller direction uses."""
    interface = rule_input.interface
    speed = interface.interface.speed_bits_per_sec
    if not speed:
        raise InputUnavailable(
            f"the speed of {interface.label} is not known, or not to be believed (virtual device)", applies=False
        )
    used = {d: rule_input.require_rate(interface.utilisation(d), "traffic") for d in DIRECTIONS}
    direction = max(used, key=lambda d: used[d])
    return Share(
        used[direction],
        f"{direction.upper()} utilisation with 24 B per frame",
        f"Link saturated: {direction.upper()} uses {pct(used[direction])} of {compact(speed)}",
        why=f"{direction.upper()} carries {si(interface.traffic(direction).totals.packets_per_sec, 'pps')}",
    )


def _no_buffer_counters(rule_input: RuleInput) -> list[tuple[str, float]]:
    """Return the driver's counters of a full receive ring whose rate is above zero, largest first."""
    rows = rates_above_zero(rule_input.snapshot, "nic", "count", rule_input.interface.label)
    names = ((str(key[1]), str(key[1]).lower(), rate) for key, rate in rows)
    return [
        (name, rate)
        for name, lower, rate in names
        if not lower.startswith("tx") and any(part in lower for part in _NO_BUFFER)
    ]


def rx_ring_overflow(rule_input: RuleInput) -> Raised | None:
    """Check packets that found the receive ring full, by the kernel's counters and by the driver's."""
    driver, lost = _no_buffer_counters(rule_input), _lost_in_ring(rule_input)
    if lost <= rule_input.limit("warning"):
        return None
    share = lost / max(lost, lost + rule_input.link("rx_packets"))
    severity: Severity = "critical" if share > rule_input.limit("critical") else "warning"
    facts = rule_input.interface.interface.facts
    ring = (facts.ring if facts else None) or {}
    small = ring.get("rx", 0) < ring.get("rx_max", 0)
    names = ", ".join(f"{name} {per_s(rate)}" for name, rate in driver[:3])
    return Raised(
        severity,
        f"RX ring overflows: {per_s(lost)} lost before the kernel saw them",
        (
            compare("rx_missed, rx_fifo, rx_over or the driver's own", lost, rule_input.limits["warning"]),
            compare("of all received", share, rule_input.limits["critical"]),
            *((f"driver: {names}",) if names else ()),
        ),
        f"the RX ring holds {ring['rx']} of at most {ring['rx_max']} packets" if small else "",
        Headline("packets lost in the ring", "warning", _lost_in_ring),
    )


def _lost_in_ring(rule_input: RuleInput) -> float:
    return max([ring_lost(rule_input), *(rate for _, rate in _no_buffer_counters(rule_input))])


def _bad_frames(rule_input: RuleInput) -> Rates:
    return {"rx_crc_errors": rule_input.link("rx_crc_errors"), "rx_frame_errors": rule_input.link("rx_frame_errors")}


def rx_dropped_harmless(rule_input: RuleInput) -> Raised | None:
    """Check rx_dropped over ten minutes in which neither ring nor backlog lost a packet."""
    seconds = rule_input.limits["over_s"].raised
    dropped, packets = rule_input.mean("dropped", seconds, 0), rule_input.mean("packets", seconds, 0)
    if dropped is None or packets is None:
        rule_input.link("rx_dropped")  # raises InputUnavailable where the counter cannot be read
        raise NotEnoughData(f"not enough samples yet: it needs {seconds:.0f} s of samples")
    if not packets or rule_input.mean("elsewhere", seconds, 0):
        return None
    share = dropped / packets
    if share < rule_input.limit("share") or packets * seconds <= rule_input.limit("packets"):
        return None
    return Raised(
        "info",
        f"{pct(share)} of received packets dropped because nothing here reads them",
        (
            compare("rx_dropped and rx_nohandler", share, rule_input.limits["share"]),
            f"neither the ring nor a backlog lost a packet in {seconds:.0f} s",
        ),
        "usually frames of protocols or VLANs that nobody here listens to",
        Headline("rx_dropped and rx_nohandler of all received", "share", _dropped_share, seconds),
    )


def _dropped_share(rule_input: RuleInput) -> float | None:
    packets = rule_input.link("rx_packets")
    return _dropped_or_no_handler(rule_input) / packets if packets else None


def _dropped_or_no_handler(rule_input: RuleInput) -> float:
    label = rule_input.interface.label
    no_handler = rule_input.reading("links", label).per_sec((label,), "rx_nohandler")  # None on old kernels
    return rule_input.link("rx_dropped") + (no_handler or 0.0)


def tx_drops(rule_input: RuleInput) -> Raised | None:
    """Check packets dropped by the device or its queueing disciplines on the way out."""
    device, rows, lost = rule_input.link("tx_dropped"), _qdisc_drops(rule_input), _lost_on_the_way_out(rule_input)
    share = lost / max(1.0, lost + rule_input.link("tx_packets"))
    large_share = share >= rule_input.limit("share") and lost >= rule_input.limit("share_floor")
    many = lost >= rule_input.limit("warning") and share >= rule_input.limit("warning_share")
    if not (large_share or many) or _slows_tcp_down(rule_input, lost):
        return None
    return Raised(
        "warning",
        f"{per_s(lost)} packets dropped on the way out",
        (
            compare("tx_dropped or qdisc drops", lost, rule_input.limits["warning"]),
            compare("of all sent", share, rule_input.limits["share"]),
            *((f"the device itself {per_s(device)}",) if device else ()),
        ),
        _why_not_sent(rows, device),
        Headline("tx_dropped or qdisc drops", "warning", _lost_on_the_way_out),
    )


def _qdisc_drops(rule_input: RuleInput) -> list[tuple[Key, float]]:
    rows = rates_above_zero(rule_input.snapshot, "qdiscs", "drops", rule_input.interface.label)
    return [(key, rate) for key, rate in rows if key[1] not in _ON_PURPOSE]  # filters drop there on purpose


def _lost_on_the_way_out(rule_input: RuleInput) -> float:
    """Return packets per second lost by device and qdiscs. A root qdisc counts its children's drops, a device none."""
    return rule_input.link("tx_dropped") + max((rate for _, rate in _qdisc_drops(rule_input)), default=0.0)


def _slows_tcp_down(rule_input: RuleInput, lost: float) -> bool:
    """Return True if the drops do no more than a shaper's work: TCP sends them again, and few of all its segments."""
    again = rule_input.counts_available("TcpRetransSegs")
    sent = rule_input.counts_available("TcpExtTCPOrigDataSent")
    return 0.5 * lost <= again < rule_input.limits["share"].raised * sent


def _why_not_sent(rows: Sequence[tuple[Key, float]], device: float) -> str:
    if not rows or rows[0][1] < device:
        return "the driver drops what it is given"
    names = ", ".join(f"{key[1]} {key[2]} {per_s(rate)}" for key, rate in rows[:3])
    if any(key[1] in _QUEUE_MANAGERS for key, _ in rows):
        return f"more is sent than the link takes, and the queue drops to make senders slower: {names}"
    return f"the queue is full: {names}"


def bond_leg_lost(rule_input: RuleInput) -> Raised | None:
    """Check legs of a bond that have no link."""
    interface = rule_input.interface.interface
    bond = None if interface.facts is None else interface.facts.bond
    if bond is None:
        if interface.kind == "bond":
            raise InputUnavailable(f"/proc/net/bonding/{rule_input.interface.label} cannot be read")
        return None
    down = [leg.name for leg in bond.legs if not leg.up]
    if len(down) < rule_input.limit("legs"):
        return None
    legs = len(bond.legs)
    return Raised(
        "warning",
        f"Bond has lost {len(down)} of {legs} legs: {', '.join(down)}",
        (f"configured {legs}, up {legs - len(down)} (/proc/net/bonding)",),
        f"no link on {', '.join(down)}",
        Headline("legs without a link", "legs", _legs_down),
    )


def _legs_down(rule_input: RuleInput) -> float | None:
    facts = rule_input.interface.interface.facts
    return None if facts is None or facts.bond is None else sum(not leg.up for leg in facts.bond.legs)


def irq_wrong_numa(rule_input: RuleInput) -> Raised | None:
    """Check interrupts of a busy device that CPUs of another NUMA node handle."""
    facts = rule_input.interface.interface.facts
    if facts is not None and facts.irqs == ():
        return None  # a virtual device has none
    if facts is None or facts.numa_node is None or facts.numa_node < 0 or not facts.numa_cpus or not facts.irqs:
        raise InputUnavailable(
            f"the NUMA node or the interrupts of {rule_input.interface.label} are not known", applies=False
        )
    rate = rule_input.require_rate(rule_input.interface.rx.totals.packets_per_sec, "packets")
    near = set(facts.numa_cpus)
    far = [irq for irq in facts.irqs if irq.effective_cpus and not near & set(irq.effective_cpus)]
    if not far or rate < rule_input.limit("packets"):
        return None
    return Raised(
        "info",
        f"{len(far)} of {len(facts.irqs)} interrupts are handled far from NUMA node {facts.numa_node}",
        (
            f"device on node {facts.numa_node}; IRQ {far[0].number} on CPU {far[0].effective_cpus}",
            f"RX {number(rate, '/s')} packets; looked at from {number(rule_input.limits['packets'].raised, '/s')}",
        ),
        "IRQ affinity names CPUs of another node",
        Headline("RX packets", "packets", lambda other: other.interface.rx.totals.packets_per_sec),
    )


RULES = (
    Rule(
        "link-saturated", "wire", "interface", ("links",), ("warning", "critical"),
        "bytes with 24 B per frame against the link's speed", share_over_limit(utilisation),
        {"warning": Limit(0.85, 0.80, "share", "pcp 85 %, netdata 90/85 %, glances 70/80/90 %"),
         "critical": Limit(0.95, 0.90, "share")},
        ("ip -s link show {iface}", "ethtool {iface}"),
        explains=("tx-drops", "rx-ring-overflow", "tcp-retransmits"),
        woken_by=(TRAFFIC, DEVICE),
    ),
    Rule(
        "rx-ring-overflow", "ring", "interface", ("links",), ("warning", "critical"),
        "rx_missed, rx_fifo, rx_over or the driver's no-buffer counters, for 10 s", rx_ring_overflow,
        {"warning": Limit(0.0, 0.0, "/s", "netdata 10min_fifo_errors > 0; pcp"),
         "critical": Limit(0.001, None, "share", "pcp")},
        ("ethtool -S {iface} | grep -E 'miss|drop|no_buf'", "ethtool -g {iface}"),
        explains=("tcp-retransmits",), for_s=10,
        woken_by=("links.rx_missed_errors", "links.rx_fifo_errors", "links.rx_over_errors", "nic"),
    ),
    Rule(
        "rx-crc-errors", "wire", "interface", ("links",), ("warning",),
        "rx_crc and rx_frame errors",
        rate_over_limit(
            _bad_frames, counters="rx_crc_errors and rx_frame_errors", title="Bad frames from the wire: {rate}"),
        {"warning": Limit(0.0, 0.0, "/s", "pcp > 15/s; node-mixin > 1 %")},
        ("ip -s -s link show {iface}", "ethtool {iface}", "ethtool -m {iface}"),
        explains=("tcp-retransmits",),
        woken_by=("links.rx_crc_errors", "links.rx_frame_errors"),
    ),
    Rule(
        "rx-dropped-harmless", "wire", "interface", ("links",), ("info",),
        "rx_dropped and rx_nohandler while nothing is missed and no backlog is full, over 10 min", rx_dropped_harmless,
        {"share": Limit(0.02, None, "share", "netdata"), "packets": Limit(10_000, 10_000, "packets", "netdata"),
         "over_s": Limit(600, 600, "s")},
        ("ip -s -s link show {iface}",),
        measures={"dropped": _dropped_or_no_handler, "elsewhere": lost_before_stack,
                  "packets": lambda rule_input: rule_input.link("rx_packets")},
        keep_s=610,
    ),
    Rule(
        "tx-drops", "tx", "interface", ("links",), ("warning",), "tx_dropped and drops of the queueing disciplines",
        tx_drops,
        {"warning": Limit(10, None, "/s"),
         "warning_share": Limit(0.001, None, "share", "a shaper drops some of what TCP sends, to slow it down"),
         "share": Limit(0.02, None, "share", "netdata"),
         "share_floor": Limit(1, None, "/s", "2 % of next to nothing is no finding")},
        ("tc -s qdisc show dev {iface}", "ip -s -s link show {iface}"),
        explains=("tcp-retransmits",),
        woken_by=("links.tx_dropped", "qdiscs.drops"),
    ),
    Rule(
        "bond-leg-lost", "wire", "interface", ("facts",), ("warning",), "legs of a bond that are down", bond_leg_lost,
        {"legs": Limit(1, 1, "legs")}, ("cat /proc/net/bonding/{iface}",), explains=("link-saturated",),
        woken_by=(DEVICE,),
    ),
    Rule(
        "irq-wrong-numa", "ring", "interface", ("facts",), ("info",),
        "interrupts handled on another NUMA node than the device's, under load", irq_wrong_numa,
        {"packets": Limit(10_000, None, "/s", "under this load it does not matter")},
        ("cat /sys/class/net/{iface}/device/numa_node", "cat /proc/interrupts"),
        woken_by=(TRAFFIC, DEVICE),
    ),
)  # fmt: skip
