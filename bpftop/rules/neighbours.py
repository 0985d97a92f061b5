"""Rule about neighbours that do not answer: ARP and IPv6 neighbour discovery in vain."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.model.sample import Key
from bpftop.rules.evidence import compare
from bpftop.rules.rule import Headline, Limit, Raised, Rule, RuleInput

_DROPS = ("NEIGH_FAILED", "NEIGH_QUEUEFULL")
_LASTING = 0.9


def neighbour_unresolved(rule_input: RuleInput) -> Raised | None:
    """Check neighbours for which packets wait: critical for a default gateway, a warning while packets are lost."""
    silent = rule_input.reading("unresolved_neighbours").keys
    if not silent:
        return None
    gateways = [key for key in silent if key[2]]
    lost = _lost(rule_input)
    by_gateway = bool(gateways) and _lasts(rule_input, "gateway", "gateway_s")
    others = lost >= rule_input.limit("warning") if _drops_known(rule_input) else _lasts(rule_input, "any", "any_s")
    if not by_gateway and not others:
        return None
    severity: Severity = "critical" if by_gateway else "warning"
    first = (gateways if by_gateway else silent)[0]
    more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return Raised(
        severity,
        f"{'The default gateway' if by_gateway else 'A neighbour'} does not answer: {_name(first)}{more}",
        (
            compare("packets dropped for want of a link-layer address", lost, rule_input.limits["warning"])
            if _drops_known(rule_input)
            else "drop reasons are not known here",
            f"no answer from {len(silent)}: {', '.join(map(_name, silent[:3]))}",
        ),
        "the host is down, the address is wrong, or the network between (VLAN, switch port, tunnel) does not carry it",
        Headline("packets dropped", "warning", _lost) if _drops_known(rule_input) else None,
    )


def _name(key: Key) -> str:
    return f"{key[1]} on {key[0]}"


def _lasts(rule_input: RuleInput, measure: str, limit: str) -> bool:
    if rule_input.clearing:
        return True
    return (rule_input.mean(measure, rule_input.limit(limit) + 0.1, 0) or 0.0) >= _LASTING


def _drops_known(rule_input: RuleInput) -> bool:
    return rule_input.snapshot.reading("drops") is not None


def _lost(rule_input: RuleInput) -> float:
    return sum(rule_input.drops_by_interface(_DROPS).values())


def _gateway_is_silent(rule_input: RuleInput) -> float:
    return float(any(key[2] for key in rule_input.reading("unresolved_neighbours").keys))


def _any_is_silent(rule_input: RuleInput) -> float:
    return float(bool(rule_input.reading("unresolved_neighbours").keys))


RULES = (
    Rule(
        "neighbour-unresolved", "stack", "netns", ("unresolved_neighbours", "drops"), ("warning", "critical"),
        "neighbours that answer neither ARP nor neighbour discovery while packets wait for them", neighbour_unresolved,
        {"warning": Limit(1, None, "/s", "packets dropped for want of an address"),
         "gateway_s": Limit(2, 2, "s", "the kernel asks once a second, and a neighbour answers within some ms"),
         "any_s": Limit(6, 6, "s", "where drop reasons are not known: two rounds of three requests")},
        ("ip -s neigh show nud incomplete nud failed", "ip route", "ip -s link", "ip neigh show"),
        explains=("connect-unanswered", "tcp-retransmits", "no-route-out"),
        measures={"gateway": _gateway_is_silent, "any": _any_is_silent},
    ),
)  # fmt: skip
