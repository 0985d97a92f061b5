"""The one table of rules. The rest of DIAGNOSES, bpf-map-full and bpf-program-cost, waits for the inventory of BPF."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.model.rules import cpu, link, stack, tcp, traffic, udp
from bpftop.model.rules.rule import Rule

RULES: tuple[Rule, ...] = (*tcp.RULES, *udp.RULES, *traffic.RULES, *cpu.RULES, *stack.RULES, *link.RULES)
"""Causes before what follows from them, where two explain each other."""

BY_ID: Mapping[str, Rule] = {rule.id: rule for rule in RULES}
