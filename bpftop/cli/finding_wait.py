"""Wait until a check finds something, and choose the packets that the finding is about."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from bpftop.cli.live_source import flow_sampling, live_session, with_notices
from bpftop.cli.output import complain
from bpftop.errors import BpftopError, UsageError, spelling_hint
from bpftop.history.analyzer import Analyzer
from bpftop.history.finding_packets import FINDING_PACKETS, interfaces_of, packets_of
from bpftop.model.packet_filter import PacketFilter
from bpftop.rules.flow_evidence import FLOW_RULES
from bpftop.rules.rule import Rule
from bpftop.rules.table import BY_ID, chosen

_FLOWS_WAIT_NS = 3 * 10**9
"""Time that flows have to name a port: two readings, and the swap of the programs."""


class FoundPackets(NamedTuple):
    """The packets of a finding, the interfaces to capture on, and the title of the finding."""

    wanted: PacketFilter
    names: tuple[str, ...]
    title: str


def rule_of(id: str) -> Rule:
    """Return the check with this id. Raises UsageError: there is none, or it is about no packets."""
    if id not in BY_ID:
        raise UsageError(f"there is no check {id!r}{spelling_hint(id, BY_ID)}; `bpftop diagnose --list` lists them")
    if id not in FINDING_PACKETS:
        raise UsageError(f"the finding {id} is about no packets; `bpftop diagnose` shows it")
    return BY_ID[id]


def wait_for(rule: Rule, arguments: argparse.Namespace) -> FoundPackets:
    """Watch the interfaces until the rule's finding is there, and until flows name its port, where they can.

    Raises BpftopError where the rule's input cannot be read, Ended by a signal.
    """
    settings = arguments.loaded.settings
    others = dict.fromkeys(("xdp", "yes", "bpf", "lists_bpf", "inner"), False)
    live = argparse.Namespace(**{**vars(arguments), **others, "attach": None, "drops": True})
    analyzer = Analyzer(each for each in chosen(settings.thresholds) if each.id == rule.id)
    is_told, found_ns = False, None
    with live_session(live, settings) as (samples, source):
        look_at = flow_sampling(settings, source)
        for sample in with_notices(samples):
            snapshot = analyzer.push(sample)
            look_at(snapshot)
            finding = next(iter(snapshot.diagnosis.findings), None)
            if finding is None:
                found_ns = None
                without_input = {**snapshot.diagnosis.blind, **snapshot.diagnosis.not_applicable}
                if rule.id in without_input:
                    raise BpftopError(f"cannot wait for {rule.id}: {without_input[rule.id]}")
                if not is_told and not snapshot.diagnosis.waiting:
                    is_told = True
                    complain(f"waiting for {rule.id}: {rule.description}; Ctrl-C ends it")
                continue
            found_ns = snapshot.mono_ns if found_ns is None else found_ns
            wanted = packets_of(snapshot, finding)
            assert wanted is not None, "rule_of() refuses rules without packets"
            flows_may_come = rule.id in FLOW_RULES and settings.flows_on_finding == "auto" and not wanted.dropped
            if flows_may_come and wanted.port is None and snapshot.mono_ns - found_ns < _FLOWS_WAIT_NS:
                continue
            return FoundPackets(wanted, interfaces_of(snapshot, finding), finding.title)
    raise BpftopError(f"the samples ended before {rule.id} was found")
