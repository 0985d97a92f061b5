"""Rule about the carrier of a device: none at all, or lost again and again."""

from __future__ import annotations

from bpftop.model.findings import Severity
from bpftop.rules.rule import Headline, InputUnavailable, Limit, Raised, Rule, RuleInput

_FLAP_WINDOWS_S = (60.0, 45.0, 30.0, 20.0, 14.0, 10.0, 7.0, 5.0, 3.1)
"""The longest of these windows that bpftop has watched is the one over which losses of the carrier are counted. Each
covers most of the time until the next, so that `diagnose` over 10 s misses no loss."""

_FLAPPING_S = 10.0
"""Time without a change of the carrier after which the link flaps no more."""


def no_carrier(rule_input: RuleInput) -> Raised | None:
    """Check a device that is administratively up and has no carrier, or loses the carrier repeatedly."""
    interface = rule_input.interface.interface
    if interface.state == "down" and interface.admin_up is None:
        raise InputUnavailable("the recording does not say whether the interface was switched off or had no carrier")
    if interface.admin_up and not interface.carrier and rule_input.mean("no_carrier", 1.1, 0) != 0.0:
        return _absent(rule_input)
    return _flaps(rule_input)


def _absent(rule_input: RuleInput) -> Raised:
    interface = rule_input.interface.interface
    reading = rule_input.reading("links", interface.label)
    changes = reading.value((interface.label,), "carrier_changes")
    received = reading.value((interface.label,), "rx_packets")
    severity: Severity = "critical"
    why = "the cable, the port at the other end, or the peer of a veth is down"
    if interface.kind == "bridge":
        severity, why = "info", "no port of the bridge is up"
    elif received == 0:
        severity, why = "info", "nothing was ever received: the port may never have been connected"
    return Raised(
        severity,
        f"No carrier on {interface.label}: nothing can be sent or received",
        (
            "administratively up, no carrier (IFF_UP without IFF_LOWER_UP)",
            f"carrier changes since the device exists: {'unknown' if changes is None else changes}",
        ),
        why,
    )


def _flaps(rule_input: RuleInput) -> Raised | None:
    losses, seconds = _losses(rule_input)
    if rule_input.mean("carrier_changes", _FLAPPING_S, 0) == 0.0 or losses < rule_input.limit("losses"):
        return None
    return Raised(
        "critical",
        f"The link flaps: carrier lost {losses:.0f} times in {seconds:.0f} s",
        (f"limit {rule_input.limits['losses'].raised:.0f} losses in 60 s (carrier_changes of rtnetlink)",),
        "the cable, a transceiver, or the port at the other end",
        Headline("losses of the carrier", "losses", lambda other: _losses(other)[0], _FLAP_WINDOWS_S[0]),
    )


def _losses(rule_input: RuleInput) -> tuple[float, float]:
    """Return how often the carrier was lost in the longest window that bpftop has watched, and the window's seconds."""
    for seconds in _FLAP_WINDOWS_S:
        per_sec = rule_input.mean("carrier_changes", seconds, 0)
        if per_sec is not None:
            return per_sec * seconds / 2, seconds  # each loss and each return is a change
    return 0.0, 0.0


def _carrier_changes(rule_input: RuleInput) -> float:
    """Return carrier changes per second; zero while the interface is switched off, which takes the carrier away."""
    if rule_input.interface.interface.admin_up is False:
        return 0.0
    label = rule_input.interface.label
    return rule_input.reading("links", label).per_sec((label,), "carrier_changes") or 0.0


def _without_carrier(rule_input: RuleInput) -> float:
    interface = rule_input.interface.interface
    return float(bool(interface.admin_up) and not interface.carrier)


RULES = (
    Rule(
        "no-carrier", "wire", "interface", ("links",), ("info", "critical"),
        "an interface that is switched on and has no carrier, or loses it three times in a minute", no_carrier,
        {"losses": Limit(3, 2, "", "an interface that is switched off and on again loses its carrier once")},
        ("ip -s link show {iface}", "ethtool {iface}", "dmesg | grep -i {iface}"),
        explains=("no-route-out", "neighbour-unresolved", "connect-unanswered", "tcp-retransmits", "tx-drops",
                  "bond-leg-lost"),
        measures={"no_carrier": _without_carrier, "carrier_changes": _carrier_changes},
    ),
)  # fmt: skip
