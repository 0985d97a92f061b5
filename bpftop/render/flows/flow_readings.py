"""The readings of flows: the tables, and the sockets that flows belong to."""

from __future__ import annotations

from bpftop.fields import frozen
from bpftop.model.families import FLOW_LABELS, LIMITS
from bpftop.model.readings import RatedReading
from bpftop.model.sample import Direction, Key
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot, sum_known

UNKNOWN_PROCESS = "(process not known)"


@frozen
class FlowOwner:
    """The socket of a flow on this host. ``process`` is empty and ``pid`` 0 where the process is not known.

    ``service``: its container, or else its systemd unit. ``netns``: inode of the network namespace, empty for the
    watched one. None is unknown, or (all from ``rtt_us`` on) no TCP connection.
    """

    process: str
    pid: int
    user: str
    service: str
    netns: str
    is_listening: bool
    rtt_us: int | None = None
    min_rtt_us: int | None = None
    lost: int | None = None
    cwnd: int | None = None
    delivery_rate_bits_per_sec: int | None = None
    limit: str | None = None
    retransmits: int | None = None
    retransmits_per_sec: float | None = None

    @property
    def name(self) -> str:
        """Return ``nginx[812]``, or the user where the process is not known."""
        return f"{self.process}[{self.pid}]" if self.pid else f"a process of {self.user}"

    @property
    def holder(self) -> FlowOwner:
        """Return the owner without the facts of its socket, for a group of flows."""
        return FlowOwner(self.process, self.pid, self.user, self.service, self.netns, is_listening=False)


@frozen
class FlowTables:
    """The fill level and the cost of the flow tables of a direction. None is unknown."""

    entries: int
    max_entries: int
    sampled_1_in: int
    read_ns: int
    added_ns_per_packet: int | None


def flow_tables(snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction) -> FlowTables | None:
    """Add up the tables of an interface or of the total; None where there is no table."""
    rows: list[tuple[int | None, ...]] = [
        reading.reading.totals[key]
        for reading in flow_readings(snapshot, interface, direction, "flow_table")
        for key in reading.keys
    ]
    if not rows:
        return None
    entries, most, _, sampled, read_ns, added = zip(*rows, strict=True)
    costs = [cost for cost in added if cost is not None]
    return FlowTables(
        sum_known(entries) or 0, sum_known(most) or 0, max(n or 1 for n in sampled), sum_known(read_ns) or 0,
        max(costs, default=None),
    )  # fmt: skip


def flow_owners(snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction) -> dict[Key, FlowOwner]:
    """Return the key of a flow -> its socket on this host."""
    owners: dict[Key, FlowOwner] = {}
    for reading in flow_readings(snapshot, interface, direction, "flow_sockets"):
        sent = snapshot.reading("flow_retransmits", str(reading.keys[0][0]), direction) if reading.keys else None
        for key in reading.keys:
            flow, (process, pid, user, service, netns) = key[:FLOW_LABELS], key[FLOW_LABELS:]
            listening, rtt, min_rtt, lost, cwnd, rate, limit = reading.reading.totals[key]
            owners[flow] = FlowOwner(
                str(process), int(pid), str(user), str(service), str(netns), bool(listening), rtt, min_rtt, lost, cwnd,
                None if rate is None else 8 * rate, None if limit is None else LIMITS.get(limit),
                None if sent is None else sent.value(flow, "retransmits"),
                None if sent is None else sent.per_sec(flow, "retransmits"),
            )  # fmt: skip
    return owners


def flow_readings(
    snapshot: Snapshot, interface: InterfaceSnapshot, direction: Direction, family: str
) -> list[RatedReading]:
    """Return a reading per interface; for the total, of the interfaces whose packets no other interface counts."""
    labels = [interface.label]
    if interface is snapshot.total:
        labels = [each.label for each in snapshot.interfaces if each.label not in snapshot.left_out]
    return [reading for label in labels if (reading := snapshot.reading(family, label, direction)) is not None]
