"""Each signal that can be made to move in a namespace is made to move by real traffic, and no other loss does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.demo.lab import Lab
from bpftop.demo.sides import WATCHED
from bpftop.model.sample import Sample
from tests.faults.losses import Gain, gains, is_loss
from tests.faults.scenario import Scenario
from tests.faults.scenarios.backlog import BacklogOverflow, SoftirqSqueeze
from tests.faults.scenarios.conntrack import ConntrackFull, ConntrackInvalid
from tests.faults.scenarios.ip import (
    ChecksumErrors,
    FirewallDrops,
    FragmentFlood,
    MalformedPackets,
    ReversePathFilter,
)
from tests.faults.scenarios.tcp import AcceptQueueOverflow, SynFlood, TcpRetransmits
from tests.faults.scenarios.tunnels import (
    ClearInsteadOfEncrypted,
    EspWithoutAssociation,
    PolicyWithoutAssociation,
    VxlanUnknownNetwork,
)
from tests.faults.scenarios.tx import TxDrops
from tests.faults.scenarios.udp import UdpPortUnreachable, UdpSocketOverflow
from tests.faults.scenarios.wire import XdpExceptions, XdpIllegalAction

pytestmark = pytest.mark.bpf

SIGNALS: tuple[type[Scenario], ...] = (
    XdpExceptions,
    XdpIllegalAction,
    BacklogOverflow,
    SoftirqSqueeze,
    MalformedPackets,
    FragmentFlood,
    ReversePathFilter,
    ChecksumErrors,
    FirewallDrops,
    ConntrackFull,
    ConntrackInvalid,
    EspWithoutAssociation,
    PolicyWithoutAssociation,
    ClearInsteadOfEncrypted,
    VxlanUnknownNetwork,
    SynFlood,
    AcceptQueueOverflow,
    TcpRetransmits,
    UdpSocketOverflow,
    UdpPortUnreachable,
    TxDrops,
)
INTERVAL_S = 0.25
LEAST_S, MOST_S = 1.5, 8.0


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(quiet=True) as lab:
        yield lab


class Observed:
    """Gains of the counters during a fault, for LEAST_S, or longer until all expected counters moved, at most MOST_S.

    A busy machine makes the traffic thinner, not the test fail: ``missing`` asks for a rate over LEAST_S alone.
    """

    def __init__(self, lab: Lab, fault: Scenario) -> None:
        self.fault = fault
        source = LiveSource([WATCHED.interface], LiveOptions(netns=lab.netns_path(), interval_s=INTERVAL_S))
        samples = source.samples()
        try:
            next(samples)  # the attachment is new: its first packets may be on their way
            self.before = self.after = next(sample for sample in samples if self._sees_all(sample))
            fault.begin()
            for self.after in samples:
                if self.seconds >= MOST_S or (self.seconds >= LEAST_S and not self.missing()):
                    break
        finally:
            fault.end()
            samples.close()

    def _sees_all(self, sample: Sample) -> bool:
        """Return True if all that must move is read: tracepoints are loaded beside the first samples."""
        assert sample.seq * INTERVAL_S < MOST_S, f"not read: {dict(sample.unavailable)}"
        wanted = {"drops", *(cell.family for cell in self.fault.moves)}
        return wanted <= {reading.family for reading in sample.readings.values()}

    @property
    def seconds(self) -> float:
        return (self.after.mono_ns - self.before.mono_ns) / 1e9

    @property
    def moved(self) -> list[Gain]:
        return list(gains(self.before, self.after))

    def missing(self) -> list[str]:
        """Return the counters that did not move, or moved too little."""
        moved = self.moved
        counts = {cell: sum(gain.count for gain in moved if cell.matches(gain)) for cell in self.fault.moves}
        return [f"{cell}: {count}" for cell, count in counts.items() if count < cell.per_sec * LEAST_S]

    def unexpected(self) -> list[str]:
        """Losses that moved and should not."""
        expected = (*self.fault.moves, *self.fault.may_move)
        return [str(gain) for gain in self.moved if is_loss(gain) and not any(cell.matches(gain) for cell in expected)]

    def __str__(self) -> str:
        families = {cell.family for cell in self.fault.moves}
        moved = ", ".join(str(gain) for gain in self.moved if is_loss(gain) or gain.family in families)
        done = [worker.result for worker in self.fault.workers]
        return f"in {self.seconds:.1f} s {done} moved {moved}; unavailable: {dict(self.after.unavailable)}"


@pytest.mark.parametrize("scenario", SIGNALS, ids=lambda scenario: scenario.id)
def test_its_row_moves_and_no_other(lab: Lab, scenario: type[Scenario]) -> None:
    with scenario(lab) as fault:
        observed = Observed(lab, fault)
    assert not observed.missing(), str(observed)
    assert not observed.unexpected(), str(observed)
