"""The rows and columns of many hosts: a row per host and interface, and a row for a host without a snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bpftop.fields import frozen
from bpftop.fleet.host_state import HostState
from bpftop.history.history import History
from bpftop.model.cpu_readings import CpuReadings
from bpftop.model.findings import Finding
from bpftop.model.snapshot import NOTHING, Counts, InterfaceSnapshot
from bpftop.model.units import pct
from bpftop.render.columns import Column, Look, bits_text, clipped
from bpftop.render.gravest_finding import MARKS, gravest_finding
from bpftop.render.path_rows import losses
from bpftop.render.selection import Selection


@frozen
class FleetLine:
    """An interface of a host with its last interval; ``label`` is empty for a host without a snapshot.

    ``softirq`` is the part of its time that the host's busiest CPU spent in softirqs. Nothing is known while the host
    is not watched.
    """

    state: HostState
    label: str
    rx: Counts = NOTHING
    tx: Counts = NOTHING
    lost_per_sec: float | None = None
    softirq: float | None = None
    finding: Finding | None = None
    link: str = "up"
    """State of the interface."""


def fleet_lines(states: Iterable[HostState]) -> list[FleetLine]:
    """Return the rows of all hosts, in their order."""
    return [line for state in states for line in host_lines(state)]


def host_lines(state: HostState) -> list[FleetLine]:
    """Return the rows of a host, one at least."""
    snapshot = state.snapshot
    if snapshot is None or not snapshot.interfaces:
        return [FleetLine(state, "")]
    if state.contact != "watching":
        return [FleetLine(state, interface.label) for interface in snapshot.interfaces]
    shares = [share for share in CpuReadings(snapshot, ()).softirq if share is not None]
    return [_line(state, interface, max(shares, default=None)) for interface in snapshot.interfaces]


def _line(state: HostState, interface: InterfaceSnapshot, softirq: float | None) -> FleetLine:
    assert state.snapshot is not None
    return FleetLine(
        state,
        interface.label,
        interface.rx.totals,
        interface.tx.totals,
        losses(Selection(state.snapshot, interface, History()), ("lost",))["lost"].per_sec,
        softirq,
        gravest_finding(state.snapshot, interface.label),
        interface.interface.state,
    )


def remark(line: FleetLine) -> str:
    """Return what there is to say about a row: why the host is not watched, or the gravest finding."""
    state = line.state
    if state.contact == "watching":
        words = [] if line.link == "up" else [line.link]
        words += [] if line.finding is None else [f"{MARKS[line.finding.severity]} {line.finding.title}"]
        return "  ".join(words)
    again = ""
    if state.retry_s is not None:
        again = f"; next attempt in {max(0, round(state.retry_s - time.monotonic()))} s"
    return f"{state.contact}{': ' if state.why else ''}{state.why}{again}"


def _look(line: FleetLine) -> Look:
    grave = line.finding is not None and line.finding.severity != "info"
    return "notice" if grave or line.state.contact in ("failed", "silent") else "text"


FLEET_COLUMNS: tuple[Column[FleetLine], ...] = (
    Column("host", "host", "", 16, "Name of the host, as on the command line.",
          lambda r: r.state.host, lambda r, width: clipped(r.state.host, width), gap=0, left=True, stretch=24,
          look="name", source="the command line"),
    Column("interface", "interface", "", 12, "Interface of the host's default route.",
          lambda r: r.label, lambda r, width: clipped(r.label, width), gap=2, left=True, stretch=5,
          source="the samples that bpftop on the host writes"),
    Column("rx_packets_per_sec", "RX pps", "packets/s", 8, "Packets received per second, over the last interval.",
          lambda r: r.rx.packets_per_sec, source="the samples that bpftop on the host writes"),
    Column("rx_bits_per_sec", "RX bit/s", "bits/s", 11, "Bits received per second.",
          lambda r: r.rx.bits_per_sec, form=bits_text, source="the samples that bpftop on the host writes"),
    Column("tx_packets_per_sec", "TX pps", "packets/s", 8, "Packets sent per second.",
          lambda r: r.tx.packets_per_sec, rank=1, source="the samples that bpftop on the host writes"),
    Column("tx_bits_per_sec", "TX bit/s", "bits/s", 11, "Bits sent per second.",
          lambda r: r.tx.bits_per_sec, form=bits_text, rank=1, source="the samples that bpftop on the host writes"),
    Column("lost_per_sec", "LOST", "packets/s", 7, "Packets lost by the interface or its network namespace per second.",
          lambda r: r.lost_per_sec, source="the samples that bpftop on the host writes"),
    Column("softirq", "CPU", "%", 6, "Part of its time that the busiest CPU of the host spent in softirqs.",
          lambda r: r.softirq, form=pct, rank=2, source="the samples that bpftop on the host writes"),
    Column("finding", "finding", "", 24, "The gravest finding, or why the host is not watched.",
          lambda r: remark(r), lambda r, width: clipped(remark(r), width), gap=2, left=True, stretch=200, look=_look,
          source="the samples that bpftop on the host writes"),
)  # fmt: skip
