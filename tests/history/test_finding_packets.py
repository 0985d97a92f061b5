"""The packets of findings, for every rule of the table."""

from __future__ import annotations

from bpftop.collect.bpf.drops import REASON_PREFIX, kernel_drop_reasons
from bpftop.collect.capture.request import REASONS_MOST
from bpftop.history.finding_packets import FINDING_PACKETS
from bpftop.rules.table import BY_ID

ABOUT_NO_PACKETS = {
    "no-carrier", "port-exhaustion", "softirq-squeeze", "rx-crc-errors", "rx-dropped-harmless", "bond-leg-lost",
    "irq-wrong-numa", "bpf-map-full", "bpf-program-cost",
}  # fmt: skip


def test_every_rule_has_its_packets_or_none_for_a_reason() -> None:
    assert {*FINDING_PACKETS} | ABOUT_NO_PACKETS == {*BY_ID}
    assert not {*FINDING_PACKETS} & ABOUT_NO_PACKETS


def test_reasons_are_known_to_this_kernel_and_fit_a_capture() -> None:
    known = {name.removeprefix(REASON_PREFIX) for name in kernel_drop_reasons().names.values()}
    assert {reason for wanted in FINDING_PACKETS.values() for reason in wanted.reasons} - known == set()
    assert all(len(wanted.reasons) <= REASONS_MOST for wanted in FINDING_PACKETS.values())
    assert all(wanted.reasons or not wanted.dropped for wanted in FINDING_PACKETS.values())
