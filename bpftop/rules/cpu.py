"""Rules about the CPUs that do the work: backlog, budget, balance."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.model.cpu_readings import softirq_share
from bpftop.model.device import DeviceFacts, Queue
from bpftop.model.findings import Severity
from bpftop.model.units import pct, si
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.moved_inputs import TRAFFIC
from bpftop.rules.packet_rates import backlog_dropped, softnet_rates
from bpftop.rules.rule import Headline, InputUnavailable, Limit, Raised, Rule, RuleInput, rates_above_zero


def backlog_overflow(rule_input: RuleInput) -> Raised | None:
    """Check packets dropped at the full backlog of a CPU."""
    rates = softnet_rates(rule_input, "dropped")
    lost = sum(rates.values())
    if lost <= rule_input.limit("warning"):
        return None
    worst = max(rates, key=lambda cpu: rates[cpu])
    severity: Severity = "warning"
    evidence = [compare("softnet dropped", lost, rule_input.limits["warning"]), f"CPU {worst}: {per_s(rates[worst])}"]
    limits = rule_input.snapshot.reading("sysctls")
    longest = None if limits is None else limits.value(("net.core.netdev_max_backlog",), "value")
    minute = rule_input.mean("dropped", 60, 0)
    if longest and minute is not None and minute * 60 > longest * rule_input.limit("critical"):
        severity = "critical"
        evidence.append(
            f"{si(minute * 60)} in the last minute; critical from netdev_max_backlog / 32 = {longest / 32:.0f} "
            f"({rule_input.limits['critical'].source})"
        )
    return Raised(
        severity,
        f"Backlog overflows: {per_s(lost)} packets dropped before the stack",
        tuple(evidence),
        _why_backlog(rule_input, worst, rates[worst]),
        Headline("softnet dropped", "warning", backlog_dropped),
    )


STEERED_PER_SEC = 10
"""Interrupts per second by which RPS wakes a CPU (rps_trigger_softirq); each stands for many packets."""


def _why_backlog(rule_input: RuleInput, cpu: int, lost: float) -> str:
    """Return the first cause that has evidence: a few flows, RPS, a busy CPU."""
    if softnet_rates(rule_input, "flow_limit_count").get(cpu, 0.0) >= 0.5 * lost:
        return f"a few flows fill the backlog of CPU {cpu}, and its flow limit drops their packets first"
    busy = softirq_share(rule_input.snapshot, cpu)
    spent = f"CPU {cpu} spends {pct(busy)} of its time in softirqs" if busy is not None and busy >= 0.5 else ""
    wakes, steers = softnet_rates(rule_input, "received_rps").get(cpu, 0.0), _steered_to(rule_input, cpu)
    if wakes >= STEERED_PER_SEC or (wakes and steers):
        by = f"RPS of {', '.join(steers)}" if steers else "RPS"
        return f"{by} sends CPU {cpu} packets faster than it takes them" + (f"; {spent}" if spent else "")
    return spent


def _steered_to(rule_input: RuleInput, cpu: int) -> list[str]:
    """Return the interfaces whose RPS names that CPU.

    A CPU that still works on a burst is not woken again, so that few wakes may stand for many packets.
    """
    named = []
    for interface in rule_input.snapshot.interfaces:
        facts = interface.interface.facts
        queues = (facts.queues if facts is not None else None) or ()
        if any(queue.direction == "rx" and cpu in (queue.cpus or ()) for queue in queues):
            named.append(interface.label)
    return named


def softirq_squeeze(rule_input: RuleInput) -> Raised | None:
    """Check polls that ended with work left."""
    squeezed = softnet_rates(rule_input, "time_squeeze")
    total = sum(squeezed.values())
    if total <= rule_input.limit("squeezes"):
        return None
    evidence = [compare("time_squeeze", total, rule_input.limits["squeezes"])]
    severity: Severity = "info"
    why = "the budget of a poll ran out; no packet is lost by that"
    drops = softnet_rates(rule_input, "dropped")
    for cpu in sorted(squeezed, key=lambda cpu: -squeezed[cpu]):
        busy, dropped = softirq_share(rule_input.snapshot, cpu) or 0.0, drops.get(cpu, 0.0)
        if busy >= rule_input.limit("softirq") or dropped > 0:
            severity = "warning"
            why = f"CPU {cpu} is {pct(busy)} in softirqs and drops {per_s(dropped)}"
            evidence.append(compare(f"softirq of CPU {cpu}", busy, rule_input.limits["softirq"]))
            break
    number = Headline("time_squeeze", "squeezes", lambda other: sum(softnet_rates(other, "time_squeeze").values()))
    return Raised(severity, f"Softirqs run out of budget: {per_s(total)}", tuple(evidence), why, number)


def cpu_imbalance(rule_input: RuleInput) -> Raised | None:
    """Check a busy interface with nearly all packets on one CPU."""
    traffic = rule_input.interface.rx
    rate = rule_input.require_rate(traffic.totals.packets_per_sec, "packets")
    if traffic.hook.hook == "none":
        raise InputUnavailable(f"no program counts packets per CPU on {rule_input.interface.label}")
    if len(traffic.online_cpus) < 2 or rate < rule_input.limit("packets"):
        return None
    rates = [traffic.cpu_rates[cpu] or 0.0 for cpu in traffic.online_cpus if cpu < len(traffic.cpu_rates)]
    if not rates:
        raise InputUnavailable(f"packets per CPU are not known on {rule_input.interface.label}")
    busiest = max(range(len(rates)), key=lambda i: rates[i])
    cpu, share = traffic.online_cpus[busiest], rates[busiest] / max(1.0, sum(rates))
    if share < rule_input.limit("share"):
        return None
    busy = softirq_share(rule_input.snapshot, cpu)
    severity: Severity = "critical" if busy is not None and busy >= rule_input.limit("softirq") else "info"
    loses = bool(softnet_rates(rule_input, "dropped").get(cpu))
    works = busy is None or busy >= rule_input.limit("noticed")
    if severity == "info" and not loses and not (works and _lasts(rule_input)):
        return None  # a single flow is on one CPU by nature, and that CPU has time left
    evidence = [
        compare(f"CPU {cpu} of RX", share, rule_input.limits["share"]),
        f"RX {si(rate, 'pps')}, from {si(rule_input.limits['packets'].raised, 'pps')}",
    ]
    if busy is not None:
        evidence.append(compare(f"softirq of CPU {cpu}", busy, rule_input.limits["softirq"]))
    evidence += protocols_on_cpu(rule_input, cpu)
    title = f"CPU {cpu} carries {pct(share)} of RX" + (f" (softirq {pct(busy)})" if severity == "critical" else "")
    number = Headline(f"RX on CPU {cpu}", "share", lambda other: _share_of_cpu(other, cpu))
    return Raised(severity, title, tuple(evidence), why_one_cpu(rule_input, cpu), number)


def _share_of_cpu(rule_input: RuleInput, cpu: int) -> float | None:
    """Return the share of received packets on one CPU; None where nothing comes."""
    rates = [rate or 0.0 for rate in rule_input.interface.rx.cpu_rates]
    whole = sum(rates)
    return rates[cpu] / whole if whole and cpu < len(rates) else None


def _one_cpu(rule_input: RuleInput) -> float:
    """Return 1.0 if one CPU has nearly all packets of a busy interface, else 0.0."""
    traffic = rule_input.interface.rx
    rate = traffic.totals.packets_per_sec or 0.0
    rates = [cpu_rate or 0.0 for cpu_rate in traffic.cpu_rates]
    share = rule_input.limits["share"].raised
    return float(rate >= rule_input.limits["packets"].raised and max(rates, default=0.0) >= share * sum(rates))


def _lasts(rule_input: RuleInput) -> bool:
    return (rule_input.mean("one_cpu", rule_input.limit("lasting"), 0) or 0.0) >= 0.9


MOST = 0.8
"""Share of the packets, or of the interrupts, from which one flow or one queue is named."""


def why_one_cpu(rule_input: RuleInput, cpu: int) -> str:
    """Return the first cause that has evidence: one flow, RPS, one queue, pinned interrupts, RSS; else empty."""
    facts = rule_input.interface.interface.facts
    return _one_flow(rule_input) or (_by_device(rule_input, facts, cpu) if facts is not None else "")


def protocols_on_cpu(rule_input: RuleInput, cpu: int) -> list[str]:
    """Return evidence of the three largest protocols on a CPU."""
    last = rule_input.last_interval
    rows = () if last is None else last.interface(rule_input.interface.label).rx.cpu_protocols(cpu)[:3]
    rates = [f"{row.name} {si(row.counts.packets_per_sec, 'pps')}" for row in rows]
    return [f"on CPU {cpu}: {', '.join(rates)}"] if rates else []


def _one_flow(rule_input: RuleInput) -> str:
    """Return the flow that has most packets. Flows are known while they are counted, or sampled."""
    flows = rates_above_zero(rule_input.snapshot, "flows", "packets", rule_input.interface.label, "rx")
    whole = rule_input.interface.rx.totals.packets_per_sec or 0.0
    if not flows or not whole:
        return ""
    key, most = flows[0]
    if most < MOST * whole:
        return ""
    saddr, daddr, sport, dport = key[2:6]
    endpoints = f"{saddr} port {sport} to {daddr} port {dport}"
    return f"one flow is {pct(min(1.0, most / whole))} of the packets, {endpoints}: no queue can spread it"


def _by_device(rule_input: RuleInput, facts: DeviceFacts, cpu: int) -> str:
    label = rule_input.interface.label
    queues = [queue for queue in facts.queues or () if queue.direction == "rx"]
    masks = {queue.cpus for queue in queues}
    if queues and masks == {(cpu,)}:
        return f"RPS of {label} names CPU {cpu} alone"
    spread = any(queue.cpus for queue in queues)
    if len(queues) == 1 and not spread:
        return f"{label} has one RX queue and RPS is off"
    irqs = facts.irqs or ()
    if irqs and all(irq.affinity_cpus == (cpu,) for irq in irqs):
        return f"all interrupts of {label} are pinned to CPU {cpu}"
    if irqs and all(irq.effective_cpus == (cpu,) for irq in irqs):
        return f"all interrupts of {label} go to CPU {cpu}, though some may go elsewhere"
    return _one_queue(rule_input, facts, queues, spread)


def _one_queue(rule_input: RuleInput, facts: DeviceFacts, queues: Sequence[Queue], spread: bool) -> str:
    if facts.rss and len(facts.rss) == 1 and len(queues) > 1:
        return f"the RSS table of {rule_input.interface.label} names RX queue {next(iter(facts.rss))} alone"
    if spread or not queues:
        return ""
    busy = _busiest_irq(rule_input, facts)
    if busy:
        return f"{busy}: RSS puts these packets on one of {len(queues)} RX queues, as it does with one flow; RPS is off"
    return "RPS is off, and the device puts these packets on one of its queues"


def _busiest_irq(rule_input: RuleInput, facts: DeviceFacts) -> str:
    """Return the interrupt that fires most often, with nearly all interrupts of the device; else empty."""
    last = rule_input.last_interval
    rows = [] if last is None else rates_above_zero(last, "irqs", "count", rule_input.interface.label)
    if not rows:
        return ""
    key, most = rows[0]
    share = most / sum(rate for _, rate in rows)
    name = next((irq.name for irq in facts.irqs or () if str(irq.number) == str(key[1])), "")
    return f"interrupt {key[1]} {name}".rstrip() + f" is {pct(share)} of the device's" if share >= MOST else ""


RULES = (
    Rule(
        "cpu-imbalance", "cpu", "interface", ("protocols", "cpu_times"), ("info", "critical"),
        "one CPU has nearly all packets of a busy interface", cpu_imbalance,
        {"packets": Limit(10_000, None, "/s", "below this load one CPU is enough"),
         "share": Limit(0.80, 0.70, "share"), "softirq": Limit(0.80, 0.70, "share"),
         "noticed": Limit(0.40, 0.30, "share", "of softirq; with less, one flow on one CPU is not worth a line"),
         "lasting": Limit(30, 30, "s", "while the CPU has time left: a short imbalance harms nobody")},
        ("cat /proc/interrupts", "ethtool -l {iface}", "cat /sys/class/net/{iface}/queues/rx-*/rps_cpus",
         "mpstat -P ALL 1 3"),
        explains=("backlog-overflow", "softirq-squeeze", "rx-ring-overflow"),
        measures={"one_cpu": _one_cpu},
        woken_by=(TRAFFIC,),
    ),
    Rule(
        "backlog-overflow", "backlog", "host", ("softnet",), ("warning", "critical"),
        "packets dropped at a full backlog of a CPU", backlog_overflow,
        {"warning": Limit(10, None, "/s", "netdata"), "critical": Limit(1 / 32, None, "", "bpftune")},
        ("cat /proc/net/softnet_stat", "sysctl net.core.netdev_max_backlog", "mpstat -P ALL 1 3"),
        explains=("softirq-squeeze", "tcp-retransmits"),
        measures={"dropped": backlog_dropped},
        woken_by=("softnet.dropped",),
    ),
    Rule(
        "softirq-squeeze", "backlog", "host", ("softnet", "cpu_times"), ("info", "warning"),
        "polls that ended with work left", softirq_squeeze,
        {"squeezes": Limit(10, None, "/s", "netdata: no loss implied"), "softirq": Limit(0.80, 0.70, "share")},
        ("cat /proc/net/softnet_stat", "sysctl net.core.netdev_budget net.core.netdev_budget_usecs"),
        woken_by=("softnet.time_squeeze",),
    ),
)  # fmt: skip
