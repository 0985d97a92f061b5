"""The findings that matter most, each by its real fault: in time, alone, and from the middle of it as well.

`make faults` has all of them, their ends, and the healthy traffic in full.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from tests.faults.healthy.traffic import ShortConnections
from tests.faults.scenario import Scenario
from tests.faults.scenarios import FAULTS
from tests.faults.scenarios.addresses import DuplicateAddress
from tests.faults.scenarios.conntrack import ConntrackFull
from tests.faults.scenarios.ip import (
    ChecksumErrors,
    FirewallDrops,
    FragmentFlood,
    IcmpFlood,
    LostFragments,
    ReversePathFilter,
)
from tests.faults.scenarios.route import DeadGateway, MtuBlackHole, NoCarrier, NoRouteOut
from tests.faults.scenarios.tcp import (
    AcceptQueueOverflow,
    BehindShaper,
    ConnectUnanswered,
    OddFlagsScan,
    RstStorm,
    SynFlood,
    TcpRetransmits,
)
from tests.faults.scenarios.tx import TxDrops
from tests.faults.scenarios.udp import UdpAmplification, UdpServiceDied, UdpSocketOverflow
from tests.faults.scenarios.wire import Solicitations, XdpExceptions, XdpProgramReplaced
from tests.faults.suite.trial import BRIEF, WITH_ITS_END, provoke

CHOSEN: tuple[type[Scenario], ...] = (
    SynFlood,
    AcceptQueueOverflow,
    UdpSocketOverflow,
    UdpAmplification,
    IcmpFlood,
    RstStorm,
    ChecksumErrors,
    ConntrackFull,
    ReversePathFilter,
    TcpRetransmits,
    FirewallDrops,
    TxDrops,
    NoCarrier,
    NoRouteOut,
    DeadGateway,
    ConnectUnanswered,
    DuplicateAddress,
    MtuBlackHole,
    OddFlagsScan,
    UdpServiceDied,
)
ENDS: tuple[type[Scenario], ...] = (XdpExceptions, XdpProgramReplaced, FragmentFlood, LostFragments, BehindShaper)
"""Faults whose counters may go on after their end, or whose losses are seldom: named and cleared too late once."""
EXIT_CODES: dict[type[Scenario], int] = {
    AcceptQueueOverflow: 4,
    ReversePathFilter: 3,
    RstStorm: 3,
    Solicitations: 3,
    ShortConnections: 0,
}


def test_there_are_as_many_findings_as_promised() -> None:
    assert len({kind.finds() for kind in FAULTS}) >= 18
    assert len({kind.finds() for kind in CHOSEN}) == len(CHOSEN)


@pytest.mark.bpf
@pytest.mark.parametrize("kind", CHOSEN, ids=lambda kind: kind.id)
def test_its_finding_is_there_in_time_and_no_other(kind: type[Scenario]) -> None:
    outcome = provoke(kind, BRIEF)
    assert not outcome.complaints, str(outcome)


@pytest.mark.bpf
@pytest.mark.parametrize("kind", ENDS, ids=lambda kind: kind.id)
def test_its_finding_comes_and_goes_in_time(kind: type[Scenario]) -> None:
    """By the samples' own times: named within 5 s, and cleared within 15 s."""
    outcome = provoke(kind, WITH_ITS_END)
    assert outcome.quiet_s is not None, str(outcome)
    assert outcome.clear_s is not None, str(outcome)


@pytest.mark.bpf
@pytest.mark.parametrize("kind", EXIT_CODES, ids=lambda kind: kind.id)
def test_the_exit_code_of_diagnose_says_how_bad_it_is(kind: type[Scenario]) -> None:
    with Lab(quiet=True) as lab, kind(lab) as fault:
        fault.begin()
        command = ["diagnose", WATCHED.interface, "--netns", str(lab.pid()), "--duration", "4", "--format", "json"]
        done = subprocess.run(
            [sys.executable, "-m", "bpftop.cli", *command], capture_output=True, text=True, timeout=60
        )
        fault.end()
    assert done.returncode == EXIT_CODES[kind], f"exit {done.returncode}: {done.stderr}{done.stdout}"
    grave = [found["id"] for found in json.loads(done.stdout)["findings"] if found["severity"] != "info"]
    assert grave == ([kind.finds()] if EXIT_CODES[kind] else []), done.stdout
