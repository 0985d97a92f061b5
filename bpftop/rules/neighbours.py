"""Rules about the hosts beside this one: addresses that two hosts have, and neighbours that do not answer."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.model.sample import Key
from bpftop.rules.evidence import compare
from bpftop.rules.rule import Headline, InputUnavailable, Limit, Raised, Rule, RuleInput

_LEAST = {"moves": Limit(2, 2, "moves in 10 s", "a standby host that takes over moves an address once")}


def duplicate_address(rule_input: RuleInput) -> Raised | None:
    """Check addresses that two hosts have: neighbours, or this host and another one."""
    rows = _moving(rule_input, "address_moves", "neighbour")
    claims = rule_input.snapshot.reading("address_claims")
    if claims is not None:
        rows += _moving(rule_input, "address_claims", "own") + _moving(rule_input, "address_claims", "neighbour")
    if not rows:
        if claims is None:
            raise InputUnavailable(
                rule_input.snapshot.why_unavailable("address_claims") or "address_claims is not read"
            )
        return None
    (kind, device, address, place, other), moves = rows[0]
    hosts = f"{place} and {other}"
    if kind == "own":
        hosts = " and ".join(sorted((str(place), str(other)), key=lambda each: each != "this host"))
    return Raised(
        "warning",
        f"Two hosts have the address {address} on {device}: {hosts}",
        (
            compare("claimed in turn", moves, rule_input.limits["moves"]),
            *(f"{row[2]} on {row[1]}: {row[3]} and {row[4]}, {count} times" for row, count in rows[1:4]),
        ),
        "the same address is configured twice, or a copied virtual machine runs: packets reach one host or the other",
        _DUPLICATE,
    )


def mac_flapping(rule_input: RuleInput) -> Raised | None:
    """Check MAC addresses that move between the ports of a bridge of this host."""
    rows = _moving(rule_input, "address_moves", "bridge")
    if not rows:
        return None
    (_, bridge, address, port, other), moves = rows[0]
    more = f", and {len(rows) - 1} more" if len(rows) > 1 else ""
    return Raised(
        "warning",
        f"MAC address {address} moves between ports of {bridge}: {port} and {other}{more}",
        (
            compare("moved between the two", moves, rule_input.limits["moves"]),
            *(f"{row[2]}: {row[3]} and {row[4]}, {count} times" for row, count in rows[1:4]),
        ),
        "many addresses move at once: a loop in the network behind these ports"
        if len(rows) > 2
        else "two devices have the same MAC address, or a loop sends packets back by the other port",
        _FLAPPING,
    )


def _moving(rule_input: RuleInput, family: str, kind: str) -> list[tuple[Key, int]]:
    """Return the rows of a kind that moved as often as the limit says, most moves first."""
    rows = [row for row in _moves(rule_input, family, kind) if row[1] >= rule_input.limit("moves")]
    return sorted(rows, key=lambda row: -row[1])


def _moves(rule_input: RuleInput, family: str, kind: str) -> list[tuple[Key, int]]:
    reading = rule_input.reading(family)
    return [(key, reading.value(key, "moves") or 0) for key in reading.keys if key[0] == kind]


def _most_moves(*kinds: tuple[str, str]) -> Headline:
    """Return the most moves of one address among the rows (family, kind) that can be read, as a number of findings."""

    def value(rule_input: RuleInput) -> float:
        read = [kind for kind in kinds if rule_input.snapshot.reading(kind[0]) is not None]
        return max((moves for kind in read for _, moves in _moves(rule_input, *kind)), default=0)

    return Headline("moves of one address", "moves", value, 10.0)


_DUPLICATE = _most_moves(("address_moves", "neighbour"), ("address_claims", "own"), ("address_claims", "neighbour"))
_FLAPPING = _most_moves(("address_moves", "bridge"))


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
    return sum(rule_input.drops_by_interface(_DROPS).values()) + _unreachable_ipv6(rule_input)


def _unreachable_ipv6(rule_input: RuleInput) -> float:
    """Return packets per second to IPv6 neighbours that do not answer, by what their senders are told.

    The kernel names no reason for these drops (ndisc_error_report), and sends an ICMPv6 message for each of them, to a
    program of this host as well.
    """
    silent = rule_input.reading("unresolved_neighbours").keys
    return rule_input.counts_available("Icmp6OutDestUnreachs") if any(":" in str(key[1]) for key in silent) else 0.0


def _gateway_is_silent(rule_input: RuleInput) -> float:
    return float(any(key[2] for key in rule_input.reading("unresolved_neighbours").keys))


def _any_is_silent(rule_input: RuleInput) -> float:
    return float(bool(rule_input.reading("unresolved_neighbours").keys))


RULES = (
    Rule(
        "duplicate-address", "stack", "netns", ("address_moves", "address_claims"), ("warning",),
        "one IP address at two link-layer addresses in turn, or an address of this host at another host",
        duplicate_address, _LEAST,
        ("ip neigh", "ip address", "tcpdump -enc 20 -i {iface} arp"),
        explains=("neighbour-unresolved", "connect-unanswered", "tcp-retransmits", "rst-storm"),
        woken_by=("address_moves", "address_claims"),
    ),
    Rule(
        "mac-flapping", "wire", "netns", ("address_moves",), ("warning",),
        "a MAC address that moves between ports of a bridge of this host again and again", mac_flapping, _LEAST,
        ("bridge fdb show", "bridge -s link", "bridge monitor fdb"),
        explains=("duplicate-address", "broadcast-storm", "multicast-flood", "packet-storm", "tcp-retransmits"),
        woken_by=("address_moves",),
    ),
    Rule(
        "neighbour-unresolved", "stack", "netns", ("unresolved_neighbours", "drops"), ("warning", "critical"),
        "neighbours that answer neither ARP nor neighbour discovery while packets wait for them", neighbour_unresolved,
        {"warning": Limit(1, None, "/s", "packets dropped for want of an address"),
         "gateway_s": Limit(2, 2, "s", "the kernel asks once a second, and a neighbour answers within some ms"),
         "any_s": Limit(6, 6, "s", "where drop reasons are not known: two rounds of three requests")},
        ("ip -s neigh show nud incomplete nud failed", "ip route", "ip -s link", "ip neigh show"),
        explains=("connect-unanswered", "tcp-retransmits", "no-route-out"),
        measures={"gateway": _gateway_is_silent, "any": _any_is_silent},
        woken_by=("unresolved_neighbours",),
    ),
)  # fmt: skip
