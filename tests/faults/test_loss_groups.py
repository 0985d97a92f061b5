"""A flood to closed ports, a socket that nobody reads, and a backlog that overflows beside them: three groups."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.collect.procfs.counter_files import parse_line_pairs
from bpftop.demo.faults import packets
from bpftop.demo.faults.fault import Fault
from bpftop.demo.faults.namespace_changes import ip
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from bpftop.history.history import History
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.stages import GROUPS, LossGroup
from bpftop.render.path_rows import Losses, losses
from bpftop.render.selection import Selection
from tests.faults.scenarios.backlog import BacklogOverflow

pytestmark = pytest.mark.bpf

PORT, CLOSED = 9300, 9301
FLOOD_PACKETS, UNREAD_PACKETS = 60_000, 6_000
INTERVAL_S, MOST_TICKS = 0.5, 120


class FloodBesideUnread(Fault):
    """A number of datagrams to closed ports, and a number to a socket that nobody reads, both in some 4 s."""

    id = "flood-beside-unread"

    def prepare(self) -> None:
        # No ARP for the answers: a reply would be one more packet that the backlog may drop.
        ip(self.watched, f"neigh replace {GENERATOR.ipv4[0]} lladdr {GENERATOR.mac} dev {WATCHED.interface}")
        self.unread = self.watched(self._bind)
        self.keep(self.unread.close)
        flood = [packets.udp(1024 + n, CLOSED + n % 100, bytes(32)) for n in range(500)]
        self.send(flood, FLOOD_PACKETS / 4, most=FLOOD_PACKETS)
        self.send([packets.udp(7000, PORT, bytes(200))], UNREAD_PACKETS / 4, most=UNREAD_PACKETS)

    @staticmethod
    def _bind() -> socket.socket:
        unread = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        unread.bind((WATCHED.ipv4[0], PORT))
        unread.setblocking(False)
        return unread

    def held(self) -> int:
        """Take the datagrams that found room in the socket, and return their number."""
        count = 0
        while True:
            try:
                self.unread.recv(2048)
            except BlockingIOError:
                return count
            count += 1


def backlog_dropped() -> int:
    """Return the packets that the backlogs of all CPUs have dropped since boot."""
    return sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text().splitlines())


def dropped_by_device() -> int:
    """Return rx_dropped and tx_dropped of the watched interface, from a thread in its namespace.

    The backlog of the far end may drop one of the ICMP answers.
    """
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    (counts,) = (line.partition(":")[2].split() for line in lines if line.strip().startswith(f"{WATCHED.interface}:"))
    return int(counts[3]) + int(counts[11])


def watched_losses(source: LiveSource) -> Iterator[dict[LossGroup, Losses]]:
    """Yield the groups of each tick."""
    history = History()
    with closing(source.samples()) as samples:
        for _, sample in zip(range(MOST_TICKS), samples, strict=False):
            snapshot = history.push(sample)
            yield losses(Selection(snapshot, snapshot.interface(WATCHED.interface), history))


def test_three_groups_at_the_same_moment() -> None:
    """Each packet that was sent is in one group, or in the socket; what another namespace's CPU drops is elsewhere."""
    ticks: list[dict[LossGroup, Losses]] = []
    with (
        Lab(quiet=True) as lab,
        Lab(quiet=True) as neighbour,
        FloodBesideUnread(lab) as flood,
        BacklogOverflow(neighbour) as backlog,
        closing(LiveSource(
            [WATCHED.interface], LiveOptions(AttachRequest("tcx"), INTERVAL_S, netns=lab.netns_path())
        )) as source,
    ):  # fmt: skip
        dropped_before = backlog_dropped()
        for groups in watched_losses(source):
            ticks.append(groups)
            if len(ticks) == 2:
                backlog.begin()
                flood.begin()
            total = sum(groups[name].recent or 0 for name in GROUPS[:2])
            if total >= 0.99 * (FLOOD_PACKETS + UNREAD_PACKETS) and not groups["refused"].per_sec:
                break
        backlog.end()
        # A frame that the far end's backlog does not take is not sent (veth_xmit: NET_XMIT_DROP), and sent again.
        sent = sum(worker.stop()["sent"] for worker in flood.workers)
        no_ports = int(parse_line_pairs(flood.watched(Path("/proc/thread-self/net/snmp").read_text))["UdpNoPorts"])
        held, not_taken = flood.held(), flood.watched(dropped_by_device)
        dropped = backlog_dropped() - dropped_before
    last = {name: ticks[-1][name].recent or 0 for name in GROUPS}
    lost_at = {title for title, _, _ in (stage for groups in ticks for stage in groups["lost"].stages)}
    assert last["refused"] + last["lost"] + held == sent + not_taken, "each packet is counted once"
    assert "UDP sockets" in lost_at
    assert lost_at <= {"UDP sockets", "backlog", "TX drops"}
    assert last["refused"] == no_ports > 0
    assert 0 < last["elsewhere"] <= dropped
    together = [groups for groups in ticks if all(groups[name].per_sec for name in GROUPS)]
    assert together, [{name: round(groups[name].per_sec or 0) for name in GROUPS} for groups in ticks]
    assert {scope for groups in together for _, _, scope in groups["elsewhere"].stages} == {"host"}
    assert {(title, scope) for groups in together for title, _, scope in groups["refused"].stages} == {
        ("UDP no port", "netns")
    }
