"""Rules about UDP: sockets that are full, ports where nobody listens, floods and reflections."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bpftop.model.protocols import UDP
from bpftop.model.sample import REFLECTION_PORTS
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import pct
from bpftop.rules.counted import leads, of_protocol, packets, part, part_rate, udp
from bpftop.rules.evidence import against, per_s, socket
from bpftop.rules.link import backlog_dropped
from bpftop.rules.rule import Limit, Raised, Rule, RuleInput, tried

_OVERFLOWS = ("UdpRcvbufErrors", "Udp6RcvbufErrors")
_UNREACHABLE = ("UdpNoPorts", "Udp6NoPorts")
_SERVICES = {19: "chargen", 53: "DNS", 123: "NTP", 161: "SNMP", 389: "CLDAP", 1900: "SSDP", 11211: "memcached"}


def udp_socket_overflow(seen: RuleInput) -> Raised | None:
    memory = _no_memory(seen)
    lost = seen.counts(*_OVERFLOWS) + memory
    if lost <= seen.limit("warning"):
        return None
    signal = seen.view.reading("udp_sockets")
    rows = [] if signal is None else [(rate, key) for key, rate in signal.rates("drops") if rate]
    rows.sort(key=lambda row: -row[0])
    named = socket(rows[0][1]) if rows else ""
    why = f"{named} does not read as fast as datagrams come" if named else ""
    if memory > 0.5 * lost:
        why = "all memory for UDP is in use (net.ipv4.udp_mem): sockets that are not read hold it"
    return Raised(
        "warning",
        f"UDP socket overflows: {per_s(lost)} datagrams dropped" + (f" at {named}" if named else ""),
        (
            against("RcvbufErrors" + (" and MemErrors" if memory else ""), lost, seen.limits["warning"]),
            *(f"{socket(key)} drops {per_s(rate)}" for rate, key in rows[:3]),
        ),
        why,
    )


def _no_memory(seen: RuleInput) -> float:
    """Datagrams for which all of UDP had no memory; Linux 5.11 and newer count them apart."""
    return sum(tried(partial(seen.counts, name)) or 0.0 for name in ("UdpMemErrors", "Udp6MemErrors"))


def udp_port_unreachable(seen: RuleInput) -> Raised | None:
    lost = seen.counts(*_UNREACHABLE)
    if lost <= seen.limit("info"):
        return None
    return Raised(
        "info",
        f"{per_s(lost)} UDP datagrams for ports where nobody listens",
        (against("NoPorts", lost, seen.limits["info"]),),
        "no socket is bound to the port they are sent to",
    )


def udp_amplification(seen: RuleInput) -> Raised | None:
    whole, datagrams = packets(seen), udp(seen)
    later = part_rate(seen, "fragments", "later")
    if not whole or datagrams <= seen.limit("share") * whole:
        return None
    rates = {port: part(seen, "udp_ports", port) for port in REFLECTION_PORTS}
    port = max(rates, key=lambda p: rates[p].packets_per_sec or 0.0)
    rate = rates[port].packets_per_sec or 0.0
    first = max(1.0, datagrams - later)  # later fragments carry no port
    mean = rates[port].mean_size_bytes or 0.0
    fragments = (later + part_rate(seen, "fragments", "first")) / whole
    asked = sum(_asked(seen, other, port) for other in seen.view.interfaces)  # answers may take another way
    if rate < seen.limit("packets") or rate < seen.limit("port_share") * first:
        return None
    if mean < seen.limit("mean_bytes") and fragments < seen.limit("fragments"):
        return None
    if rate < seen.limit("answers") * asked:
        return None
    return Raised(
        "critical",
        f"UDP amplification: {per_s(rate)} answers from port {port} ({_SERVICES[port]}) that few here asked for",
        (
            against("UDP of all packets", datagrams / whole, seen.limits["share"]),
            f"source port {port}: {per_s(rate)}, {pct(rate / first)} of UDP; limit "
            f"{per_s(seen.limits['packets'].raised)} and {pct(seen.limits['port_share'].raised)}",
            f"mean {mean:.0f} B (limit {seen.limits['mean_bytes'].raised:.0f} B), fragments {pct(fragments)}",
            f"sent to that port {per_s(asked)}; a flood from {seen.limits['answers'].raised:.0f} answers a question",
        ),
        f"servers on port {port} reflect requests that somebody sends them with this host's address",
    )


def _asked(seen: RuleInput, watched: InterfaceSnapshot, port: int) -> float:
    """What an interface sends to the port. Raises Blind where nobody counts it: a resolver would look like a victim."""
    return part_rate(replace(seen, watched=watched), "udp_ports", port, direction="tx")


def udp_flood(seen: RuleInput) -> Raised | None:
    whole, datagrams = packets(seen), udp(seen)
    if datagrams < seen.limit("packets") or datagrams < seen.limit("share") * whole:
        return None
    parts = {
        "no port": seen.counts(*_UNREACHABLE),
        "full sockets": seen.counts(*_OVERFLOWS),
        "backlog": backlog_dropped(seen),
    }
    wasted = sum(parts.values())
    if wasted < seen.limit("wasted") * datagrams or not leads(seen, lambda watched: of_protocol(watched, UDP)):
        return None
    worst = max(parts, key=lambda name: parts[name])
    return Raised(
        "warning",
        f"UDP flood: {per_s(datagrams)}, {pct(min(1.0, wasted / datagrams))} of it for nothing",
        (
            against("UDP", datagrams, seen.limits["packets"]),
            against("of all packets", datagrams / whole, seen.limits["share"]),
            f"dropped: {', '.join(f'{name} {per_s(rate)}' for name, rate in parts.items() if rate)}; limit "
            f"{pct(seen.limits['wasted'].raised)} of UDP",
        ),
        {
            "no port": "nobody listens on the port they are sent to",
            "full sockets": "the socket they are sent to does not read as fast",
            "backlog": "a CPU cannot take them as fast as they come",
        }[worst],
    )


_FOLLOWS = ("packet-storm", "cpu-imbalance", "backlog-overflow", "softirq-squeeze", "udp-socket-overflow",
            "udp-port-unreachable", "rx-ring-overflow", "link-saturated", "conntrack-full",
            "firewall-drops")  # fmt: skip

RULES = (
    Rule(
        "udp-amplification", "udp", "interface", ("protocols", "udp_ports", "fragments"), ("critical",),
        "large answers from a port that reflects, which nobody here asked for", udp_amplification,
        {"share": Limit(0.5, 0.4, "share"), "port_share": Limit(0.5, 0.4, "share"), "packets": Limit(1_000, None, "/s"),
         "mean_bytes": Limit(400, 300, "B"), "fragments": Limit(0.2, 0.15, "share"),
         "answers": Limit(3, 2, "x", "a resolver gets about one answer a question")},
        ("bpftop {iface}, key 4: the flows", "nstat -az UdpNoPorts UdpInDatagrams"),
        explains=(*_FOLLOWS, "udp-flood", "fragment-flood"),
    ),
    Rule(
        "udp-flood", "udp", "interface", ("protocols", "snmp", "softnet"), ("warning",),
        "mostly UDP, and a fifth of it for nothing", udp_flood,
        {"packets": Limit(10_000, None, "/s"), "share": Limit(0.8, 0.7, "share"), "wasted": Limit(0.2, 0.15, "share")},
        ("bpftop {iface}, key 4: the flows", "ss -lunp", "nstat -az UdpNoPorts UdpRcvbufErrors"),
        explains=_FOLLOWS,
    ),
    Rule(
        "udp-socket-overflow", "udp", "netns", ("snmp",), ("warning",), "datagrams dropped at full sockets",
        udp_socket_overflow, {"warning": Limit(10, None, "/s", "netdata udp_errors")},
        ("ss -lunpm", "nstat -az UdpRcvbufErrors Udp6RcvbufErrors", "sysctl net.core.rmem_max"),
    ),
    Rule(
        "udp-port-unreachable", "udp", "netns", ("snmp",), ("info",), "datagrams to ports where nobody listens",
        udp_port_unreachable, {"info": Limit(100, None, "/s")}, ("ss -lun", "nstat -az UdpNoPorts Udp6NoPorts"),
    ),
)  # fmt: skip
