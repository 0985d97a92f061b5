"""Rules about addresses that two hosts have, or that move between two places again and again."""

from __future__ import annotations

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


RULES = (
    Rule(
        "duplicate-address", "stack", "netns", ("address_moves", "address_claims"), ("warning",),
        "one IP address at two link-layer addresses in turn, or an address of this host at another host",
        duplicate_address, _LEAST,
        ("ip neigh", "ip address", "tcpdump -enc 20 -i {iface} arp"),
        explains=("neighbour-unresolved", "connect-unanswered", "tcp-retransmits", "rst-storm"),
    ),
    Rule(
        "mac-flapping", "wire", "netns", ("address_moves",), ("warning",),
        "a MAC address that moves between ports of a bridge of this host again and again", mac_flapping, _LEAST,
        ("bridge fdb show", "bridge -s link", "bridge monitor fdb"),
        explains=("duplicate-address", "broadcast-storm", "multicast-flood", "packet-storm", "tcp-retransmits"),
    ),
)  # fmt: skip
