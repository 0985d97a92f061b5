"""Rules about UDP: sockets that are full, ports where nobody listens, floods and reflections."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.fields import replace
from bpftop.model.protocols import REFLECTION_PORTS, UDP
from bpftop.model.snapshot import InterfaceSnapshot
from bpftop.model.units import pct
from bpftop.rules.check_factories import Rates, counter_rates, rate_over_limit
from bpftop.rules.evidence import compare, per_s, socket
from bpftop.rules.moved_inputs import TRAFFIC
from bpftop.rules.packet_rates import backlog_dropped, cell, cell_rate, has_most, packets, protocol_rate, udp
from bpftop.rules.rule import Headline, Limit, Raised, Rule, RuleInput, if_available, rates_above_zero

_OVERFLOWS = ("UdpRcvbufErrors", "Udp6RcvbufErrors")
_MEMORY = ("UdpMemErrors", "Udp6MemErrors")
_UNREACHABLE = ("UdpNoPorts", "Udp6NoPorts")


def _socket_drops(rule_input: RuleInput) -> Rates:
    memory = rule_input.counts_available(*_MEMORY)  # since Linux 5.11
    return {"RcvbufErrors": rule_input.counts(*_OVERFLOWS), "MemErrors": memory}


def _full_sockets(rule_input: RuleInput) -> list[tuple[str, float]]:
    rows = rates_above_zero(rule_input.snapshot, "udp_sockets", "drops")
    return [(socket(key), rate) for key, rate in rows]


def _socket_title(rule_input: RuleInput, rates: Rates) -> str:
    full = _full_sockets(rule_input)
    at = f" at {full[0][0]}" if full else ""
    return f"UDP socket overflows: {per_s(sum(rates.values()))} datagrams dropped{at}"


def _socket_details(rule_input: RuleInput, rates: Rates) -> Iterable[str]:
    return [f"{name} drops {per_s(rate)}" for name, rate in _full_sockets(rule_input)[:3]]


def _why_socket_drops(rule_input: RuleInput, rates: Rates) -> str:
    if rates["MemErrors"] > 0.5 * sum(rates.values()):
        return "all memory for UDP is in use (net.ipv4.udp_mem): sockets that are not read hold it"
    full = _full_sockets(rule_input)
    return f"{full[0][0]} does not read as fast as datagrams come" if full else ""


def udp_amplification(rule_input: RuleInput) -> Raised | None:
    """Check large answers from a reflecting port to which this host sent few requests."""
    whole, datagrams = packets(rule_input), udp(rule_input)
    later = cell_rate(rule_input, "fragments", "later")
    if not whole or datagrams <= rule_input.limit("share") * whole:
        return None
    cells = {port: cell(rule_input, "udp_ports", port) for port in REFLECTION_PORTS}
    port = max(cells, key=lambda p: cells[p].packets_per_sec or 0.0)
    rate = cells[port].packets_per_sec or 0.0
    first = max(1.0, datagrams - later)  # later fragments carry no port
    mean = cells[port].mean_size_bytes or 0.0
    fragments = (later + cell_rate(rule_input, "fragments", "first")) / whole
    # Answers may come in by another interface than requests go out.
    requests = sum(_requests(rule_input, other, port) for other in rule_input.snapshot.interfaces)
    if rate < rule_input.limit("packets") or rate < rule_input.limit("port_share") * first:
        return None
    if mean < rule_input.limit("mean_bytes") and fragments < rule_input.limit("fragments"):
        return None
    if rate < rule_input.limit("answers") * requests or _answers_wanted(rule_input, rate, requests):
        return None
    return Raised(
        "critical",
        f"UDP amplification: {per_s(rate)} answers from port {port} ({REFLECTION_PORTS[port]}) that few here asked for",
        (
            compare("UDP of all packets", datagrams / whole, rule_input.limits["share"]),
            f"source port {port}: {per_s(rate)}, {pct(rate / first)} of UDP; limit "
            f"{per_s(rule_input.limits['packets'].raised)} and {pct(rule_input.limits['port_share'].raised)}",
            f"mean {mean:.0f} B (limit {rule_input.limits['mean_bytes'].raised:.0f} B), fragments {pct(fragments)}",
            f"sent to that port {per_s(requests)}; limit {rule_input.limits['answers'].raised:.0f} answers a request",
        ),
        f"servers on port {port} reflect requests that somebody sends them with this host's address",
        Headline(f"from port {port}", "packets", lambda other: cell_rate(other, "udp_ports", port)),
    )


def _answers_wanted(rule_input: RuleInput, rate: float, requests: float) -> bool:
    """Return True if sockets here take the answers to requests of this host, or the answers are for other hosts.

    memcached answers one request with many datagrams. A mirror port receives answers to others: the stack drops frames
    for other MAC addresses before it counts them (ip_rcv_core).
    """
    delivered = rule_input.counts("UdpInDatagrams", "Udp6InDatagrams")
    if delivered >= 0.8 * rate and requests >= rule_input.limit("requests") * rate:
        return True
    arrived = rule_input.counts("IpInReceives", "Ip6InReceives")
    return arrived + (if_available(lambda: backlog_dropped(rule_input)) or 0.0) < 0.5 * rate


def _requests(rule_input: RuleInput, interface: InterfaceSnapshot, port: int) -> float:
    """Return packets per second that an interface sends to the port.

    Raises InputUnavailable where no program counts them: a resolver would look like a victim.
    """
    return cell_rate(replace(rule_input, interface_snapshot=interface), "udp_ports", port, direction="tx")


def udp_flood(rule_input: RuleInput) -> Raised | None:
    """Check UDP that is most of the traffic and that is dropped in large part."""
    whole, datagrams = packets(rule_input), udp(rule_input)
    if datagrams < rule_input.limit("packets") or datagrams < rule_input.limit("share") * whole:
        return None
    drops = {
        "no port": rule_input.counts(*_UNREACHABLE),
        "full sockets": rule_input.counts(*_OVERFLOWS),
        "backlog": backlog_dropped(rule_input),
    }
    wasted = sum(drops.values())
    if wasted < rule_input.limit("wasted") * datagrams or not has_most(rule_input, lambda i: protocol_rate(i, UDP)):
        return None
    worst = max(drops, key=lambda name: drops[name])
    return Raised(
        "warning",
        f"UDP flood: {per_s(datagrams)}, {pct(min(1.0, wasted / datagrams))} of it dropped",
        (
            compare("UDP", datagrams, rule_input.limits["packets"]),
            compare("of all packets", datagrams / whole, rule_input.limits["share"]),
            f"dropped: {', '.join(f'{name} {per_s(rate)}' for name, rate in drops.items() if rate)}; limit "
            f"{pct(rule_input.limits['wasted'].raised)} of UDP",
        ),
        {
            "no port": "nobody listens on the port they are sent to",
            "full sockets": "the socket they are sent to does not read as fast",
            "backlog": "a CPU cannot take them as fast as they come",
        }[worst],
        Headline("UDP", "packets", udp),
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
         "answers": Limit(3, 2, "x", "a resolver gets about one answer a question"),
         "requests": Limit(0.01, None, "share", "of the answers that sockets take; memcached sends many")},
        ("bpftop {iface}, key 4: the flows", "nstat -az UdpNoPorts UdpInDatagrams"),
        explains=(*_FOLLOWS, "udp-flood", "fragment-flood"),
        woken_by=(TRAFFIC,),
    ),
    Rule(
        "udp-flood", "udp", "interface", ("protocols", "snmp", "softnet"), ("warning",),
        "mostly UDP, and a fifth of it dropped", udp_flood,
        {"packets": Limit(10_000, None, "/s"), "share": Limit(0.8, 0.7, "share"), "wasted": Limit(0.2, 0.15, "share")},
        ("bpftop {iface}, key 4: the flows", "ss -lunp", "nstat -az UdpNoPorts UdpRcvbufErrors"),
        explains=_FOLLOWS,
        woken_by=(TRAFFIC,),
    ),
    Rule(
        "udp-socket-overflow", "udp", "netns", ("snmp",), ("warning",), "datagrams dropped at full sockets",
        rate_over_limit(
            _socket_drops, counters="RcvbufErrors and MemErrors", title=_socket_title, details=_socket_details,
            why=_why_socket_drops),
        {"warning": Limit(10, None, "/s", "netdata udp_errors")},
        ("ss -lunpm", "nstat -az UdpRcvbufErrors Udp6RcvbufErrors", "sysctl net.core.rmem_max"),
        woken_by=(*_OVERFLOWS, *_MEMORY),
    ),
    Rule(
        "udp-port-unreachable", "udp", "netns", ("snmp",), ("info",), "datagrams to ports where nobody listens",
        rate_over_limit(
            counter_rates(*_UNREACHABLE), counters="NoPorts",
            title="{rate} UDP datagrams for ports where nobody listens",
            why="no socket is bound to the port they are sent to"),
        {"info": Limit(100, None, "/s")}, ("ss -lun", "nstat -az UdpNoPorts Udp6NoPorts"),
        woken_by=_UNREACHABLE,
    ),
)  # fmt: skip
