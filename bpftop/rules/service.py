"""Rule about a service that ended while its clients go on."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.fields import frozen
from bpftop.rules.evidence import compare, per_s
from bpftop.rules.rule import NO_BASELINE, Headline, Limit, NotEnoughData, Raised, Rule, RuleInput
from bpftop.rules.shapes import lasting

ServiceRate = Callable[[RuleInput], float]


def _sum_of(*counters: str) -> ServiceRate:
    return lambda rule_input: rule_input.counts(*counters)


_SERVED = {"UDP": _sum_of("UdpInDatagrams", "Udp6InDatagrams"), "TCP": _sum_of("TcpPassiveOpens")}
_REFUSED = {"UDP": _sum_of("UdpNoPorts", "Udp6NoPorts"), "TCP": _sum_of("TcpOutRsts")}
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
    """Check requests that are refused since about as many are served less, compared with the minute before."""
    changes = [change for protocol in _SERVED if (change := _change(rule_input, protocol)) is not None]
    gone = [change for change in changes if _explains_itself(rule_input, change)]
    if not gone:
        return None
    worst = max(gone, key=lambda change: change.refused)
    unit, ports = _UNITS[worst.protocol], _closed_ports(rule_input, worst.protocol)
    where = f" on port {ports[0][0]}" if len(ports) == 1 else ""
    return Raised(
        "warning",
        f"A {worst.protocol} service{where} has ended and is still asked: {per_s(worst.refused)} {unit} refused",
        (
            compare(f"{unit} refused", worst.refused, rule_input.limits["refused"]),
            f"served {per_s(worst.served)}; in the minute before {per_s(worst.served_before)}, "
            f"refused {per_s(worst.refused_before)}",
            *(f"{worst.protocol} port {port} was open until {age_ms / 1000:.0f} s ago" for port, age_ms in ports[:3]),
        ),
        "the program that served these clients has ended, or no longer has its socket",
        Headline(f"{unit} refused", "refused", _REFUSED[worst.protocol]),
    )


def _change(rule_input: RuleInput, protocol: str) -> _Change | None:
    """Return the change; None where little is refused. Raises NotEnoughData where the minute before is not known."""
    refused = _REFUSED[protocol](rule_input)
    if refused < rule_input.limit("refused"):
        return None
    served_before, refused_before = (rule_input.baselines.get(f"{what} {protocol}") for what in ("served", "refused"))
    if served_before is None or refused_before is None:
        raise NotEnoughData(NO_BASELINE)
    return _Change(protocol, _SERVED[protocol](rule_input), refused, served_before, refused_before)


def _explains_itself(rule_input: RuleInput, change: _Change) -> bool:
    """Return True if what is refused more was served before, and is not a small part of a service that fluctuates."""
    grown, fallen = change.refused - change.refused_before, change.served_before - change.served
    return (
        grown >= 0.5 * change.refused
        and fallen >= rule_input.limit("share") * grown
        and fallen >= FLUCTUATION * change.served_before
    )


FLUCTUATION = 0.1
"""Share of what is served that comes and goes without a cause."""


def _closed_ports(rule_input: RuleInput, protocol: str) -> list[tuple[int | str, int]]:
    """Return (port, ms since it was closed) of the ports that were closed lately, the newest first."""
    reading = rule_input.snapshot.reading("closed_ports")
    keys = () if reading is None else tuple(key for key in reading.keys if key[0] == protocol)
    rows = [(key[1], reading.value(key, "since_ms") or 0) for key in keys] if reading is not None else []
    return sorted(rows, key=lambda row: row[1])


RULES = (
    Rule(
        "service-gone", "stack", "netns", ("snmp", "snmp6", "closed_ports"), ("warning",),
        "requests that are refused now and were served in the minute before",
        lasting("refused", service_gone),
        {"refused": Limit(10, None, "/s"),
         "share": Limit(0.5, 0.3, "share", "of what is refused more, as much is served less")},
        ("ss -lntup", "systemctl --failed", "journalctl -n 50 -p warning", "nstat -az UdpNoPorts TcpOutRsts"),
        explains=("udp-port-unreachable", "port-scan", "rst-storm", "udp-flood"),
        measures={
            **{f"served {protocol}": measure for protocol, measure in _SERVED.items()},
            **{f"refused {protocol}": measure for protocol, measure in _REFUSED.items()},
            "refused": lambda rule_input: sum(measure(rule_input) for measure in _REFUSED.values()),
        },
    ),
)  # fmt: skip
