"""Rules that no fault in a namespace can trigger, from files through the collectors to the finding.

The files are recorded or made up, which proves less than a real fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bpftop.collect.collector import Collector, Unavailable
from bpftop.collect.devices.device_facts import device_facts
from bpftop.collect.devices.driver_counters import Nic
from bpftop.collect.devices.rtnetlink_counters import links_reading
from bpftop.collect.procfs.neighbours import Neighbours
from bpftop.collect.procfs.sockstat import Sockstat
from bpftop.collect.procfs.softnet import Softnet
from bpftop.collect.procfs.sysctls import Sysctls
from bpftop.collect.procfs.tree import Tree
from bpftop.kernel.net.ethtool import Ethtool
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.model.derive import derive_snapshot
from bpftop.model.device import DeviceFacts
from bpftop.model.families import LINK_COLUMNS
from bpftop.model.findings import Diagnosis, Finding
from bpftop.model.sample import Interface, Reading, Sample
from bpftop.rules.engine import RuleEngine
from bpftop.rules.table import chosen
from tests.collect import large_machines
from tests.collect.moments import ETH0, copy_of
from tests.collect.test_driver_counters import Driver
from tests.samples import interface, sample

SECOND = 10**9


@dataclass
class Host:
    """A machine whose clock advances by a second per tick. Its collectors' readings have the time of that clock."""

    collectors: Sequence[Collector] = ()
    interface: Interface = ETH0
    per_sec: dict[str, int] = field(default_factory=dict)
    """Column of rtnetlink -> gain per second."""
    unavailable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seq = 0
        self._counters = dict.fromkeys(LINK_COLUMNS, 10**6)
        self._engine = RuleEngine(chosen())
        self._before: Sample | None = None
        self.now = Diagnosis()

    def run(self, seconds: int, each: Callable[[int], object] = lambda second: None) -> None:
        for _ in range(seconds):
            each(self._seq)
            self._tick()

    def finding(self, rule: str) -> Finding:
        finding = next((each for each in self.now.findings if each.id == rule), None)
        assert finding is not None, self.now
        return finding

    def silent(self, rule: str) -> bool:
        return rule not in {*(f.id for f in self.now.findings), *self.now.without_input}

    def _tick(self) -> None:
        now_ns = self._seq * SECOND
        readings: dict[str, Reading] = {}
        for collector in self.collectors:
            try:
                fresh = collector.read([self.interface])
            except Unavailable as error:
                self.unavailable[collector.name] = str(error)
                continue
            readings |= {name: replace(reading, read_ns=now_ns) for name, reading in fresh.items()}
        for column, gained in self.per_sec.items():
            self._counters[column] += gained
        device = Device(2, "eth0", 1, 0, 1500, counters=self._counters)
        readings["links/eth0"] = links_reading(self.interface.label, device, now_ns, 0, 0)
        taken = sample(
            self._seq, seq=self._seq, interfaces=[self.interface], online_cpus=(0, 1), readings=readings,
            unavailable=dict(self.unavailable),
        )  # fmt: skip
        self.now = self._engine.push(taken, derive_snapshot(self._before, taken))
        self._before, self._seq = taken, self._seq + 1


@pytest.fixture
def netdev() -> Iterator[Netdev]:
    netdev = Netdev()
    yield netdev
    netdev.close()


# The wire and the ring: rtnetlink's counters, ethtool -S


def test_link_saturated() -> None:
    """At 1 Gb/s: 80 000 frames of 1 400 B, and 24 B per frame that rtnetlink does not count."""
    host = Host(interface=replace(ETH0, speed_bits_per_sec=10**9))
    host.per_sec = {"rx_packets": 80_000, "rx_bytes": 80_000 * 1_400}
    host.run(6)
    finding = host.finding("link-saturated")
    assert (finding.severity, finding.title) == ("warning", "Link saturated: RX uses 91 % of 1G")
    host.per_sec = {"tx_packets": 86_000, "tx_bytes": 86_000 * 1_400}
    host.run(6)
    assert host.finding("link-saturated").severity == "critical"
    host.per_sec = {}
    host.run(8)
    assert host.silent("link-saturated")


def test_rx_ring_overflow_by_the_kernels_counters() -> None:
    host = Host(per_sec={"rx_packets": 100_000, "rx_missed_errors": 500, "rx_fifo_errors": 500})
    host.interface = replace(ETH0, facts=DeviceFacts(ring={"rx": 512, "rx_max": 4096}))
    host.run(11)
    finding = host.finding("rx-ring-overflow")
    assert (finding.severity, finding.why) == ("critical", "the RX ring holds 512 of at most 4096 packets")


def test_rx_ring_overflow_by_the_drivers_own_counters() -> None:
    """Without a free descriptor ixgbe counts rx_no_dma_resources and rx_missed_errors, mlx5 rx_out_of_buffer."""
    driver = Driver({"rx_packets": 5, "rx_out_of_buffer": 0, "tx_timeout_count": 0})
    host = Host((Nic(driver),), per_sec={"rx_packets": 100_000})
    host.run(12, lambda second: driver.counters.update(rx_out_of_buffer=20 * second))
    finding = host.finding("rx-ring-overflow")
    assert finding.severity == "warning"
    assert "driver: rx_out_of_buffer 20/s" in finding.evidence


@pytest.mark.parametrize("column", ["rx_crc_errors", "rx_frame_errors"])
def test_rx_crc_errors(column: str) -> None:
    host = Host(per_sec={"rx_packets": 1_000, column: 2})
    host.run(5)
    assert host.finding("rx-crc-errors").title == "Bad frames from the wire: 2/s"
    host.per_sec = {}
    host.run(8)
    assert host.silent("rx-crc-errors")


def test_rx_dropped_harmless(tmp_path: Path) -> None:
    root = copy_of("new", tmp_path)
    host = Host((Softnet(Tree(root)),), per_sec={"rx_packets": 100, "rx_dropped": 3, "rx_nohandler": 2})
    host.run(500)
    assert "600 s" in host.now.waiting["rx-dropped-harmless"]
    host.run(110)
    assert host.finding("rx-dropped-harmless").severity == "info"


# Facts of the device


def test_bond_leg_lost(netdev: Netdev, tmp_path: Path) -> None:
    large_machines.make(tmp_path, 256)
    bond = interface("bond0", 3, kind="bond")
    host = Host(interface=replace(bond, facts=device_facts(Tree(tmp_path), netdev.ethtool, bond)))
    host.run(4)
    assert host.finding("bond-leg-lost").title == "Bond has lost 1 of 2 legs: eth1"
    path = tmp_path / "proc/net/bonding/bond0"
    path.write_text(path.read_text().replace("MII Status: down", "MII Status: up"))
    host.interface = replace(bond, facts=device_facts(Tree(tmp_path), netdev.ethtool, bond))
    host.run(1)
    assert host.silent("bond-leg-lost")
    path.unlink()
    host.interface = replace(bond, facts=device_facts(Tree(tmp_path), netdev.ethtool, bond))
    host.run(1)
    assert "/proc/net/bonding/bond0" in host.now.blind["bond-leg-lost"]


def test_irq_wrong_numa(netdev: Netdev, tmp_path: Path) -> None:
    """The device is on node 1; its first queues interrupt CPUs of node 0."""
    large_machines.make(tmp_path, 256, queues=8)
    facts = device_facts(Tree(tmp_path), netdev.ethtool, large_machines.ETH0)
    host = Host(interface=replace(large_machines.ETH0, facts=facts), per_sec={"rx_packets": 50_000})
    host.run(5)
    finding = host.finding("irq-wrong-numa")
    assert finding.severity == "info"
    assert "device on node 1; IRQ " in finding.evidence[0]
    host.per_sec = {"rx_packets": 10}
    host.run(8)
    assert host.silent("irq-wrong-numa")


# Memory and tables of the machine


def test_tcp_memory(tmp_path: Path) -> None:
    """sockstat counts pages, and so does tcp_mem."""
    root = copy_of("new", tmp_path)
    low, pressure, most = map(int, (root / "proc/sys/net/ipv4/tcp_mem").read_text().split())
    host = Host((Sockstat(Tree(root)), Sysctls(Tree(root))))
    path = root / "proc/net/sockstat"
    quiet = path.read_text()
    host.unavailable = {}

    def used(pages: int) -> None:
        path.write_text(quiet.replace("mem 346", f"mem {pages}"))

    host.run(5)
    assert low < pressure < most
    used(pressure + 1)
    host.run(1)
    assert host.finding("tcp-memory").severity == "warning"
    used(most * 95 // 100)
    host.run(1)
    assert host.finding("tcp-memory").title == "TCP runs out of memory: 95 % of tcp_mem"
    assert host.finding("tcp-memory").severity == "critical"
    used(346)
    host.run(6)
    assert host.silent("tcp-memory")


def test_neighbour_table_full(tmp_path: Path) -> None:
    root = copy_of("new", tmp_path)
    path = root / "proc/net/stat/arp_cache"
    head, first, second = path.read_text().splitlines()
    host = Host((Neighbours(Tree(root)),))

    def fill(tick: int) -> None:
        words = first.split()
        path.write_text("\n".join((head, " ".join((*words[:-1], f"{10 * tick:08x}")), second)) + "\n")

    host.run(6, fill)
    finding = host.finding("neighbour-table-full")
    assert finding.title == "Neighbour table arp_cache is full: 10/s could not be added"
    assert "(gc_thresh3)" in finding.evidence[1]
    path.unlink()
    (root / "proc/net/stat/ndisc_cache").unlink()
    host.run(1)
    assert "arp_cache" in host.now.blind["neighbour-table-full"]


def test_without_driver_counters_the_kernels_are_used() -> None:
    refusing: Ethtool = Driver({}, refuses=95)
    host = Host((Nic(refusing),), per_sec={"rx_packets": 1_000, "rx_over_errors": 5})
    host.run(12)
    assert host.finding("rx-ring-overflow").severity == "critical"
