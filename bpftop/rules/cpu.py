"""Rules about the CPUs that do the work: backlog, budget, balance."""

from __future__ import annotations

from bpftop.model.cpu_readings import softirq_share
from bpftop.model.findings import Severity
from bpftop.model.units import pct, si
from bpftop.rules.evidence import against, per_s
from bpftop.rules.link import backlog_dropped, per_cpu
from bpftop.rules.rule import InputUnavailable, Limit, Raised, Rule, RuleInput
from bpftop.rules.why_one_cpu import made_of, why_one_cpu


def backlog_overflow(seen: RuleInput) -> Raised | None:
    rates = per_cpu(seen, "dropped")
    lost = sum(rates.values())
    if lost <= seen.limit("warning"):
        return None
    worst = max(rates, key=lambda cpu: rates[cpu])
    severity: Severity = "warning"
    evidence = [against("softnet dropped", lost, seen.limits["warning"]), f"CPU {worst}: {per_s(rates[worst])}"]
    limits = seen.view.reading("sysctls")
    longest = None if limits is None else limits.value(("net.core.netdev_max_backlog",), "value")
    minute = seen.means("dropped", 60, 0)
    if longest and minute is not None and minute * 60 > longest * seen.limit("critical"):
        severity = "critical"
        evidence.append(
            f"{si(minute * 60)} in the last minute; critical from netdev_max_backlog / 32 = {longest / 32:.0f} "
            f"({seen.limits['critical'].source})"
        )
    return Raised(
        severity,
        f"Backlog overflows: {per_s(lost)} packets dropped before the stack",
        tuple(evidence),
        _why_backlog(seen, worst, rates[worst]),
    )


STEERED_PER_SEC = 10
"""Interrupts by which other CPUs tell one of packets for it (rps_trigger_softirq): each stands for many packets."""


def _why_backlog(seen: RuleInput, cpu: int, lost: float) -> str:
    """The first that has evidence: one flow, RPS, a CPU that has no time."""
    if per_cpu(seen, "flow_limit_count").get(cpu, 0.0) >= 0.5 * lost:
        return f"a few flows fill the backlog of CPU {cpu}, and its flow limit drops their packets first"
    busy = softirq_share(seen.view, cpu)
    spent = f"CPU {cpu} spends {pct(busy)} of its time in softirqs" if busy is not None and busy >= 0.5 else ""
    told, steers = per_cpu(seen, "received_rps").get(cpu, 0.0), _steered_to(seen, cpu)
    if told >= STEERED_PER_SEC or (told and steers):
        by = f"RPS of {', '.join(steers)}" if steers else "RPS"
        return f"{by} sends CPU {cpu} packets faster than it takes them" + (f"; {spent}" if spent else "")
    return spent


def _steered_to(seen: RuleInput, cpu: int) -> list[str]:
    """The watched interfaces whose RPS names that CPU. While it works at a burst it is not told of more packets."""
    named = []
    for watched in seen.view.interfaces:
        facts = watched.interface.facts
        queues = (facts.queues if facts is not None else None) or ()
        if any(queue.direction == "rx" and cpu in (queue.cpus or ()) for queue in queues):
            named.append(watched.label)
    return named


def softirq_squeeze(seen: RuleInput) -> Raised | None:
    squeezed = per_cpu(seen, "time_squeeze")
    total = sum(squeezed.values())
    if total <= seen.limit("squeezes"):
        return None
    evidence = [against("time_squeeze", total, seen.limits["squeezes"])]
    severity: Severity = "info"
    why = "the budget of a poll ran out; no packet is lost by that"
    drops = per_cpu(seen, "dropped")
    for cpu in sorted(squeezed, key=lambda cpu: -squeezed[cpu]):
        busy, dropped = softirq_share(seen.view, cpu) or 0.0, drops.get(cpu, 0.0)
        if busy >= seen.limit("softirq") or dropped > 0:
            severity = "warning"
            why = f"CPU {cpu} is {pct(busy)} in softirqs and drops {per_s(dropped)}"
            evidence.append(against(f"softirq of CPU {cpu}", busy, seen.limits["softirq"]))
            break
    return Raised(severity, f"Softirqs run out of budget: {per_s(total)}", tuple(evidence), why)


def cpu_imbalance(seen: RuleInput) -> Raised | None:
    traffic = seen.interface.rx
    rate = seen.known(traffic.totals.packets_per_sec, "packets")
    if traffic.hook.hook == "none":
        raise InputUnavailable(f"no program counts packets per CPU on {seen.interface.label}")
    if len(traffic.online_cpus) < 2 or rate < seen.limit("packets"):
        return None
    rates = [traffic.cpu_rates[cpu] or 0.0 for cpu in traffic.online_cpus if cpu < len(traffic.cpu_rates)]
    if not rates:
        raise InputUnavailable(f"packets per CPU are not known on {seen.interface.label}")
    busiest = max(range(len(rates)), key=lambda i: rates[i])
    cpu, part = traffic.online_cpus[busiest], rates[busiest] / max(1.0, sum(rates))
    if part < seen.limit("share"):
        return None
    busy = softirq_share(seen.view, cpu)
    severity: Severity = "critical" if busy is not None and busy >= seen.limit("softirq") else "info"
    evidence = [
        against(f"CPU {cpu} of RX", part, seen.limits["share"]),
        f"RX {si(rate, 'pps')}, from {si(seen.limits['packets'].raised, 'pps')}",
    ]
    if busy is not None:
        evidence.append(against(f"softirq of CPU {cpu}", busy, seen.limits["softirq"]))
    evidence += made_of(seen, cpu)
    title = f"CPU {cpu} carries {pct(part)} of RX" + (f" (softirq {pct(busy)})" if severity == "critical" else "")
    return Raised(severity, title, tuple(evidence), why_one_cpu(seen, cpu))


RULES = (
    Rule(
        "cpu-imbalance", "cpu", "interface", ("protocols", "cpu_times"), ("info", "critical"),
        "one CPU has nearly all packets of a busy interface", cpu_imbalance,
        {"packets": Limit(10_000, None, "/s", "below this load one CPU is enough"),
         "share": Limit(0.80, 0.70, "share"), "softirq": Limit(0.80, 0.70, "share")},
        ("cat /proc/interrupts", "ethtool -l {iface}", "cat /sys/class/net/{iface}/queues/rx-*/rps_cpus",
         "mpstat -P ALL 1 3"),
        explains=("backlog-overflow", "softirq-squeeze", "rx-ring-overflow"),
    ),
    Rule(
        "backlog-overflow", "backlog", "host", ("softnet",), ("warning", "critical"),
        "packets dropped at a full backlog of a CPU", backlog_overflow,
        {"warning": Limit(10, None, "/s", "netdata"), "critical": Limit(1 / 32, None, "", "bpftune")},
        ("cat /proc/net/softnet_stat", "sysctl net.core.netdev_max_backlog", "mpstat -P ALL 1 3"),
        explains=("softirq-squeeze", "tcp-retransmits"),
        measures={"dropped": backlog_dropped},
    ),
    Rule(
        "softirq-squeeze", "backlog", "host", ("softnet", "cpu_times"), ("info", "warning"),
        "polls that ended with work left", softirq_squeeze,
        {"squeezes": Limit(10, None, "/s", "netdata: no loss implied"), "softirq": Limit(0.80, 0.70, "share")},
        ("cat /proc/net/softnet_stat", "sysctl net.core.netdev_budget net.core.netdev_budget_usecs"),
    ),
)  # fmt: skip
