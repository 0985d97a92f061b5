"""Rule about a service that ended while its clients go on.

The kernel keeps no trace of a closed socket. The minute before shows that a service was there. A bpftop that began
later has the counters since the namespace began: more was served than refused, and now hardly anything is served and
requests to one port are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bpftop.fields import frozen
from bpftop.model.stack_counters import family_of
from bpftop.model.units import si
from bpftop.rules.check_factories import lasting
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.rule import NO_BASELINE, Headline, Limit, NotEnoughData, Raised, Rule, RuleInput

ServiceRate = Callable[[RuleInput], float]


def _sum_of(*counters: str) -> ServiceRate:
    return lambda rule_input: rule_input.counts(*counters)


_SERVED_BY = {"UDP": ("UdpInDatagrams", "Udp6InDatagrams"), "TCP": ("TcpPassiveOpens",)}
_REFUSED_BY = {"UDP": ("UdpNoPorts", "Udp6NoPorts"), "TCP": ("TcpOutRsts",)}
_SERVED = {protocol: _sum_of(*counters) for protocol, counters in _SERVED_BY.items()}
_REFUSED = {protocol: _sum_of(*counters) for protocol, counters in _REFUSED_BY.items()}
_UNITS = {"UDP": "datagrams", "TCP": "connection requests"}


@frozen
class _Change:
    """Requests of one protocol per second, by their fate."""

    protocol: str
    served: float
    refused: float
    served_before: float
    refused_before: float


def service_gone(rule_input: RuleInput) -> Raised | None:
    """Check requests that are refused since about as many are served less, compared with the minute before.

    Without that minute: requests to one port, in a namespace that has served more than it has refused.
    """
    refusing = [protocol for protocol in _SERVED if _REFUSED[protocol](rule_input) >= rule_input.limit("refused")]
    changes = [change for protocol in refusing if (change := _change(rule_input, protocol)) is not None]
    gone = [change for change in changes if _explains_itself(rule_input, change)]
    if not gone:
        asked = [raised for protocol in refusing if (raised := _one_port_asked(rule_input, protocol)) is not None]
        if not asked and len(changes) < len(refusing):
            raise NotEnoughData(NO_BASELINE)
        return asked[0] if asked else None
    worst = max(gone, key=lambda change: change.refused)
    unit, ports = _UNITS[worst.protocol], _closed_ports(rule_input, worst.protocol)
    port = ports[0][0] if len(ports) == 1 else _asked_port(rule_input, worst.protocol)
    where = f" on port {port}" if port else ""
    return Raised(
        "warning",
        f"A {worst.protocol} service{where} has ended and is still asked: {per_s(worst.refused)} {unit} refused",
        (
            compare(f"{unit} refused", worst.refused, rule_input.limits["refused"]),
            f"served {per_s(worst.served)}; in the minute before {per_s(worst.served_before)}, "
            f"refused {per_s(worst.refused_before)}",
            *(f"{worst.protocol} port {port}: last seen open {age_ms / 1000:.0f} s ago" for port, age_ms in ports[:3]),
        ),
        "the program that served these clients has ended, or no longer has its socket",
        Headline(f"{unit} refused", "refused", _REFUSED[worst.protocol]),
    )


def _change(rule_input: RuleInput, protocol: str) -> _Change | None:
    """Return the change; None where the minute before is not known."""
    served_before, refused_before = (rule_input.baselines.get(f"{what} {protocol}") for what in ("served", "refused"))
    if served_before is None or refused_before is None:
        return None
    served, refused = _SERVED[protocol](rule_input), _REFUSED[protocol](rule_input)
    return _Change(protocol, served, refused, served_before, refused_before)


def _explains_itself(rule_input: RuleInput, change: _Change) -> bool:
    """Return True if the additional refusals were served before, and are no small part of a service that fluctuates."""
    grown, fallen = change.refused - change.refused_before, change.served_before - change.served
    return (
        grown >= 0.5 * change.refused
        and fallen >= rule_input.limit("share") * grown
        and fallen >= FLUCTUATION * change.served_before
    )


FLUCTUATION = 0.1
"""Share of a service's traffic that comes and goes without a cause."""


def _one_port_asked(rule_input: RuleInput, protocol: str) -> Raised | None:
    """Check requests to one port where nobody listens, in a namespace that once served more than it refused."""
    served, refused = _SERVED[protocol](rule_input), _REFUSED[protocol](rule_input)
    served_ever, refused_ever = (_since_the_start(rule_input, each[protocol]) for each in (_SERVED_BY, _REFUSED_BY))
    port = _asked_port(rule_input, protocol)
    reverse = served <= FLUCTUATION * refused and served_ever >= refused_ever
    if not port or not reverse or refused >= rule_input.limits["flood"].raised:
        return None
    unit = _UNITS[protocol]
    return Raised(
        "warning",
        f"{protocol} port {port} is asked and no program listens there: {per_s(refused)} {unit} refused",
        (
            compare(f"{unit} refused", refused, rule_input.limits["refused"]),
            f"served {per_s(served)}; since this namespace began {si(served_ever)} served and {si(refused_ever)} "
            "refused",
        ),
        "the program that served these clients has probably ended: bpftop was started later, and has not seen it",
        Headline(f"{unit} refused", "refused", _REFUSED[protocol]),
    )


def _since_the_start(rule_input: RuleInput, counters: Sequence[str]) -> int:
    """Return the sum of counters since the namespace began. A counter that is not there adds nothing."""
    readings = ((rule_input.snapshot.reading(family_of(counter)), counter) for counter in counters)
    return sum(reading.value((counter,), "count") or 0 for reading, counter in readings if reading is not None)


def _asked_port(rule_input: RuleInput, protocol: str) -> int | str | None:
    """Return the port that nearly all refused requests of a sample were sent to; None without such a port."""
    reading = rule_input.snapshot.reading("refused_ports")
    keys = [] if reading is None else [key for key in reading.keys if key[0] == protocol]
    rows = [] if reading is None else [(reading.value(key, "packets") or 0, key[1]) for key in keys]
    most, port = max(rows, default=(0, None), key=lambda row: row[0])
    return port if most >= rule_input.limits["one_port"].raised * sum(packets for packets, _ in rows) else None


def _closed_ports(rule_input: RuleInput, protocol: str) -> list[tuple[int | str, int]]:
    """Return (port, ms since it was last seen open) of the ports that were closed lately, the newest first."""
    reading = rule_input.snapshot.reading("closed_ports")
    keys = () if reading is None else tuple(key for key in reading.keys if key[0] == protocol)
    rows = [(key[1], reading.value(key, "since_ms") or 0) for key in keys] if reading is not None else []
    return sorted(rows, key=lambda row: row[1])


RULES = (
    Rule(
        "service-gone", "stack", "netns", ("snmp", "snmp6", "closed_ports", "refused_ports"), ("warning",),
        "requests that are refused now and were served before",
        lasting("refused", service_gone),
        {"refused": Limit(10, None, "/s"),
         "share": Limit(0.5, 0.3, "share", "of what is refused more, as much is served less"),
         "one_port": Limit(0.9, None, "share", "without a baseline: of a sample of refused requests, to one port"),
         "flood": Limit(10_000, None, "/s", "without a baseline: from here on a udp-flood or a port-scan")},
        ("ss -lntup", "systemctl --failed", "journalctl -n 50 -p warning", "nstat -az UdpNoPorts TcpOutRsts"),
        explains=("udp-port-unreachable", "port-scan", "rst-storm", "udp-flood"),
        measures={
            **{f"served {protocol}": measure for protocol, measure in _SERVED.items()},
            **{f"refused {protocol}": measure for protocol, measure in _REFUSED.items()},
            "refused": lambda rule_input: sum(measure(rule_input) for measure in _REFUSED.values()),
        },
    ),
)  # fmt: skip
