"""Made-up samples of a large, busy server: every family, with the noise of real traffic.

Every protocol moves on every CPU with every tick, with a Poisson's spread; that is more than any machine does, so
files of these samples are as large as recordings get.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bpftop.model.device import Bond, BondLeg, DeviceFacts, Irq, Queue
from bpftop.model.families import FAMILIES, LINK_COLUMNS, Family
from bpftop.model.protocols import REFLECTION_PORTS
from bpftop.model.sample import (
    CAST_LABELS,
    DIRECTIONS,
    FLAG_LABELS,
    FRAGMENT_LABELS,
    SIZE_LABELS,
    Direction,
    Hook,
    Key,
    Reading,
    Sample,
)
from bpftop.model.stack_counters import NETSTAT, SNMP, SNMP6, XFRM
from tests.samples import interface, packed, sample

PROTOCOLS = (6, 17, 1, 58, 50, 47, 132, 256, 2, 89, 103, 112, 4, 41, 51, 115, 257, 260, 263, 136)
RATES_PER_SEC = (900_000, 400_000, 900, 400, 60_000, 20_000, 5_000, 30, 8, 4, 2, 5, 900, 700, 300, 40, 1, 2, 10, 60)
JOINT = (
    *(("ipv4", cast, size) for cast in CAST_LABELS for size in SIZE_LABELS),
    *(("ipv6", cast, size) for cast in CAST_LABELS[:2] for size in SIZE_LABELS),
    *(("arp", cast, size) for cast in ("unicast", "broadcast") for size in SIZE_LABELS[:2]),
    *(("other", cast, size) for cast in CAST_LABELS for size in SIZE_LABELS[:3]),
)
"""Possible cells: IPv6 has no broadcast, ARP is short."""

FLOW_GROUPS = ("source", "destination", "destination_port")
OWNER = ("nginx", 812, "www-data", "docker 0123456789ab", "")

START_WALL_NS = 1_764_126_764 * 10**9  # 2025-11-26T03:12:44Z


@dataclass
class Machine:
    """A made-up server. ``flows`` adds the families that are read only while flows are counted.

    Of its 100 flows, ten are new in each tick.
    """

    cpus: int = 4
    protocols: int = len(PROTOCOLS)
    label: str = "eth0"
    interval_ns: int = 10**9
    flows: bool = False
    seed: int = 1
    _counts: dict[str, array[int]] = field(default_factory=dict)
    _keys: dict[str, tuple[Key, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._facts = facts(self.cpus)
        self._flows = [_flow(number) for number in range(100)]

    def samples(self, count: int) -> Iterator[Sample]:
        return (self.sample(seq) for seq in range(count))

    def sample(self, seq: int) -> Sample:
        for new in range(10 * seq, 10 * seq + 10):
            self._flows[new % len(self._flows)] = _flow(len(self._flows) + new)
        mono_ns = 5_000 * 10**9 + seq * self.interval_ns + self._dice.randrange(200_000)
        readings = {}
        for name, family, rows in self._families():
            reading = self._reading(name, family, rows, mono_ns, seq)
            readings[name] = reading
        rx, tx = Hook("xdp", "native", 77, 9.0, True), Hook("tcx", None, 78, 14.0, True)
        hooks: dict[Direction, Hook] = {"rx": rx, "tx": tx}
        one = interface(
            self.label, driver="ixgbe", mtu=1500, speed_bits_per_sec=10**11,
            counting_since_ns=START_WALL_NS, hooks=hooks, notices=("made up",), facts=self._facts,
        )  # fmt: skip
        wall_ns = START_WALL_NS + seq * self.interval_ns
        return sample(
            mono_ns / 1e9, seq=seq, host="web-17", wall_ns=wall_ns, mono_ns=mono_ns, cpus=self.cpus, interfaces=[one],
            readings=readings, unavailable={"nic": "no counters"}, kernel="6.18.5",
        )  # fmt: skip

    def _families(self) -> Iterator[tuple[str, Family, Mapping[Key, float]]]:
        """Yield the name of a reading, its family, and row key -> rate of the first column."""
        for family in FAMILIES.values():
            if family.name.startswith("flow") and not self.flows:
                continue
            if "direction" in family.labels:
                for direction in DIRECTIONS:
                    where = (self.label, direction)
                    rows = {(*where, *key): rate for key, rate in self._rows(family).items()}
                    yield "/".join((family.name, *where)), family, rows
            elif family.scope == "interface":
                yield (
                    f"{family.name}/{self.label}",
                    family,
                    {(self.label, *k): r for k, r in self._rows(family).items()},
                )
            else:
                yield family.name, family, self._rows(family)

    def _rows(self, family: Family) -> dict[Key, float]:
        queues = range(self.cpus)
        rows: dict[str, dict[Key, float]] = {
            "protocols": {(n,): r for n, r in zip(PROTOCOLS[: self.protocols], RATES_PER_SEC, strict=False)},
            "joint": {key: 9e5 / (1 + 7 * i) for i, key in enumerate(JOINT)},
            "tcp_flags": {(flag,): 9e4 for flag in FLAG_LABELS},
            "udp_ports": {(port,): 4e3 for port in REFLECTION_PORTS},
            "icmp_types": {(p, t): 60.0 for p in ("icmp", "icmpv6") for t in (0, 3, 8, 11, 135)},
            "fragments": {(part,): 100.0 for part in FRAGMENT_LABELS},
            "vlans": {(tags,): 5e4 for tags in (1, 2)},
            "links": {(): 1e6},
            "qdiscs": {("mq", "0:"): 1e6, **{("fq_codel", f"0:{q:x}"): 1e6 / self.cpus for q in queues}},
            "qdisc_backlog": {("mq", "0:"): 0.0, **{("fq_codel", f"0:{q:x}"): 0.0 for q in queues}},
            "nic": {(f"rx_queue_{q}_drops",): 0.2 for q in range(8)},
            "irqs": {(60 + q,): 3e3 for q in queues},
            "xdp_exceptions": {(77, "aborted"): 1.0},
            "xdp_redirect_errors": {(77, 100): 1.0},
            "xdp_verdicts": {},
            "flows": {flow: 9e3 / (1 + i) for i, flow in enumerate(self._flows)},
            "flow_groups": {(kind, f"{kind} {i}"): 9e3 / (1 + i) for kind in FLOW_GROUPS for i in range(32)},
            "flow_sources": {(f"destination_port {i}",): 4e4 for i in range(32)},
            "flow_ages": dict.fromkeys(self._flows, 1000000000.0),
            "flow_sockets": {(*flow, *OWNER): 9e3 for flow in self._flows[:50]},
            "flow_retransmits": dict.fromkeys(self._flows[:50], 2.0),
            "flow_table": {(): 4e4},
            "snmp": {(name,): 5e3 / (1 + i) for i, name in enumerate(SNMP)},
            "snmp6": {(name,): 5e2 / (1 + i) for i, name in enumerate(SNMP6)},
            "netstat": {(name,): 5e2 / (1 + i) for i, name in enumerate(NETSTAT)},
            "xfrm": {(name,): 0.0 for name in XFRM},
            "udp_sockets": {("4", "0.0.0.0", 53, 9000 + i, "unbound"): 2.0 for i in range(5)},
            "listen_sockets": {("4", "0.0.0.0", 443, 8000, "nginx"): 20.0},
            "connecting_sockets": {("4", "192.0.2.7", 443, 8001, "curl"): 1.0},
            "stalled_sockets": {("4", "192.0.2.8", 443, 8002, "rsync"): 1.0},
            "unresolved_neighbours": {("eth0", "192.0.2.1", "gateway"): 1.0},
            "drops": {
                ("eth0", reason): 3.0 for reason in ("NO_SOCKET", "NETFILTER_DROP", "SOCKET_RCVBUFF", "TCP_CSUM")
            },
            "sysctls": {(f"net.core.limit_{i}",): 0.0 for i in range(15)},
            "neighbours": {("arp",): 0.1, ("ndisc",): 0.1},
            "neighbour_entries": {("arp",): 40.0, ("ndisc",): 9.0},
        }
        if family.labels == ("cpu",):
            return {(cpu,): 9e3 for cpu in queues}
        return rows.get(family.name, {} if family.labels else {(): 50.0})

    def _reading(self, name: str, family: Family, rows: Mapping[Key, float], mono_ns: int, seq: int) -> Reading:
        keys = tuple(rows)
        if self._keys.get(name) != keys:
            self._keys[name] = keys
        width = len(family.columns) * (self.cpus if family.per_cpu else 1)
        old = self._counts.get(name, array("Q", bytes(8 * width * len(rows))))
        if len(old) != width * len(rows):
            old = array("Q", bytes(8 * width * len(rows)))
        if family.kind == "gauge":
            now = array("Q", [self._noisy(rate) for rate in rows.values() for _ in range(width)])
        elif seq == 0:
            unit = 10_000_000 if family.name == "cpu_times" else 1
            now = array("Q", [unit * self._dice.randrange(10**9) for _ in old])
        else:
            now = self._moved(family, rows, old)
        self._counts[name] = now
        read_ns = mono_ns - self._dice.randrange(10**6, 2 * 10**6)
        cost_ns = self._dice.randrange(10**4, 10**5)
        return packed(family.name, self._keys[name], now, read_ns=read_ns, cost_ns=cost_ns, epoch=3)

    def _moved(self, family: Family, rows: Mapping[Key, float], old: array[int]) -> array[int]:
        gained: list[int] = []
        for row, rate in enumerate(rows.values()):
            if family.name == "irqs":  # each goes to one CPU
                gained += [self._noisy(rate) if cpu == row else 0 for cpu in range(self.cpus)]
                continue
            if family.name == "cpu_times":
                gained += self._spent()
                continue
            cpus = self.cpus if family.per_cpu else 1
            first = [self._noisy(rate / cpus) for _ in range(cpus)]
            gained += first
            for column in family.columns[1:]:
                if family.columns == LINK_COLUMNS and column not in LINK_COLUMNS[:4]:
                    gained += [0] * cpus
                elif column == "bytes":  # frames of all sizes: the mean is never the same
                    gained += [int(n * self._dice.uniform(390, 410)) for n in first]
                elif column in ("processed", "net_rx", "net_tx", "tx_packets", "tx_bytes", "received_rps", "cpu_ns"):
                    gained += [self._noisy(rate / cpus) for _ in range(cpus)]
                else:
                    gained += [int(self._dice.random() < 0.02) for _ in range(cpus)]
        return array("Q", [a + b for a, b in zip(old, gained, strict=True)])

    def _spent(self) -> list[int]:
        """Return ns of user, nice, system, idle, iowait, irq, softirq, steal, which add up to the interval."""
        user, system, softirq = (self._dice.randrange(n) for n in (30, 15, 25))
        idle = round(self.interval_ns / 1e7) - user - system - softirq
        return [10_000_000 * n for n in (user, 0, system, idle, 0, 0, softirq, 0)]

    def _noisy(self, mean: float) -> int:
        mean *= self.interval_ns / 1e9
        if mean < 10:  # few events: most ticks have none
            return sum(self._dice.random() < mean / 10 for _ in range(10))
        return max(0, int(self._dice.gauss(mean, mean**0.5)))


def facts(cpus: int) -> DeviceFacts:
    queues = [Queue(direction, i, (i,)) for direction in DIRECTIONS for i in range(cpus)]
    return DeviceFacts(
        firmware="8.1", bus="0000:3b:00.0", ring={"rx": 512, "rx_max": 4096}, channels={"combined": cpus},
        coalesce={"rx_usecs": 3}, features=("rx-gro", "rx-checksum"), rss=dict.fromkeys(range(cpus), 4), numa_node=0,
        numa_cpus=tuple(range(cpus)), queues=tuple(queues),
        irqs=tuple(Irq(60 + i, f"eth0-TxRx-{i}", (i,), (i,)) for i in range(cpus)),
        bond=Bond("802.3ad", None, (BondLeg("eth1", True),)), unreadable={"coalesce": "EOPNOTSUPP"},
    )  # fmt: skip


def _flow(number: int) -> Key:
    return (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "192.0.2.7", 1024 + number % 60_000, 443, 6)
