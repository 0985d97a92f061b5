"""The signals of the made-up source: counters of the whole path; some of them lose packets, one cannot be read.

The backlog and the listening socket lose all the time, the UDP socket only for the first half minute; connection
tracking cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bpftop.model import stack_counters
from bpftop.model.device import DeviceFacts, Irq, Queue
from bpftop.model.families import LINK_COLUMNS
from bpftop.model.sample import Key, Reading, reading_key
from tests.samples import packed

UNAVAILABLE = {"conntrack": "connection tracking: cannot read /proc/sys/net/netfilter/nf_conntrack_max: No such file"}
BACKLOG_DROPS, ACCEPT_DROPS, SYN_DROPS, UDP_DROPS, QDISC_DROPS = 1_200.0, 800.0, 40.0, 12.0, 3.0
UDP_STOPS_S = 30.0
STACK: Mapping[str, float] = {
    "IpInReceives": 900_000.0, "UdpNoPorts": 2.0, "TcpExtListenDrops": ACCEPT_DROPS + SYN_DROPS,
    "TcpExtListenOverflows": ACCEPT_DROPS, "TcpExtTCPReqQFullDrop": SYN_DROPS, "TcpPassiveOpens": 300.0,
}  # fmt: skip


class FakeSignals:
    """Readings per tick for any number of CPUs; keys stay the same objects, as with real collectors."""

    def __init__(self, cpus: int) -> None:
        self.cpus = cpus
        self._busy = min(3, cpus - 1)
        self._cpu_keys: tuple[Key, ...] = tuple((cpu,) for cpu in range(cpus))
        self._keys: dict[str, tuple[Key, ...]] = {
            name: tuple((counter,) for counter in table) for name, table in stack_counters.STACK.items()
        }

    def readings(self, labels: Sequence[str], offset_s: float, mono_ns: int) -> dict[str, Reading]:
        """Return all counters of a machine with these interfaces after so many seconds."""
        self._mono_ns = mono_ns
        self._found: dict[str, Reading] = {}
        for table in stack_counters.STACK:
            self._add(table, (self._stack(str(key[0]), offset_s) for key in self._keys[table]), self._keys[table])
        self._per_cpu(offset_s)
        self._sockets(offset_s)
        for label in labels:
            self._interface(label, offset_s)
        return self._found

    def _stack(self, name: str, offset_s: float) -> float:
        if name == "UdpRcvbufErrors":
            return UDP_DROPS * min(offset_s, UDP_STOPS_S)
        return STACK.get(name, 0.0) * offset_s

    def _add(self, family: str, cells: Iterable[float], keys: Sequence[Key], *where: str) -> None:
        kept = keys if isinstance(keys, tuple) else tuple(keys)
        self._found[reading_key(family, *where)] = packed(
            family, kept, map(int, cells), read_ns=self._mono_ns, cost_ns=20_000
        )

    def _per_cpu(self, offset_s: float) -> None:
        busy = [1.0 if cpu == self._busy else 0.01 for cpu in range(self.cpus)]
        softnet = (
            cell * offset_s
            for cpu, part in enumerate(busy)
            for cell in (1e6 * part, BACKLOG_DROPS * (cpu == self._busy), 40 * part, 0, 0)
        )
        self._add("softnet", softnet, self._cpu_keys)
        self._add("softnet_backlog", (700 * (cpu == self._busy) for cpu in range(self.cpus)), self._cpu_keys)
        self._add("softirqs", (cell * offset_s for p in busy for cell in (52_000 * p, 300 * p)), self._cpu_keys)
        times = (1e9 * cell * offset_s for p in busy for cell in (0, 0, 0.01, 0.98 * (1 - p), 0, 0, 0.98 * p, 0.01))
        self._add("cpu_times", times, self._cpu_keys)
        self._add("neighbours", [0] * 8, (("arp_cache",), ("ndisc_cache",)))
        self._add("sysctls", [1000], (("net.core.netdev_max_backlog",),))

    def _sockets(self, offset_s: float) -> None:
        udp: Key = ("4", "0.0.0.0", 53, 4711, "named")
        web: Key = ("4", "0.0.0.0", 443, 815, "nginx")
        self._add("udp_sockets", [UDP_DROPS * min(offset_s, UDP_STOPS_S)], (udp,))
        self._add("listen_sockets", [129, 128], (web,))
        reasons: tuple[Key, ...] = (
            ("eth0", "CPU_BACKLOG"), ("eth0", "NETFILTER_DROP"), ("", "SOCKET_RCVBUFF"), ("eth0", "NO_SOCKET"),
        )  # fmt: skip
        gone = (BACKLOG_DROPS * offset_s, 75 * offset_s, UDP_DROPS * min(offset_s, UDP_STOPS_S), 2 * offset_s)
        self._add("drops", gone, reasons)

    def _interface(self, label: str, offset_s: float) -> None:
        counts = dict.fromkeys(LINK_COLUMNS, 0.0)
        counts |= {"rx_packets": 1e6, "rx_bytes": 9e8, "tx_packets": 2.5e5, "tx_bytes": 1.8e8}
        counts |= {"rx_dropped": BACKLOG_DROPS}
        self._add("links", (rate * offset_s for rate in counts.values()), ((label,),), label)
        root, child = (label, "htb", "1:"), (label, "fq_codel", "10:")
        qdiscs = (cell * offset_s for _ in range(2) for cell in (2.5e5, 1.8e8, QDISC_DROPS, 0, 0))
        self._add("qdiscs", qdiscs, (root, child), label)
        self._add("nic", [5 * offset_s, 17], ((label, "rx_no_dma_resources"), (label, "rx_crc_errors")), label)
        self._add("xdp_exceptions", (), (), label)
        self._add("xdp_redirect_errors", (), (), label)
        queues = min(16, self.cpus)
        irqs = (
            9_000 * offset_s if cpu == queue and cpu == self._busy else 90 * offset_s if cpu == queue else 0
            for queue in range(queues)
            for cpu in range(self.cpus)
        )
        self._add("irqs", irqs, tuple((label, 40 + queue) for queue in range(queues)), label)


def facts(cpus: int) -> DeviceFacts:
    """Return the facts of a NIC with one queue and interrupt per CPU, at most 16, RPS off."""
    queues = min(16, cpus)
    return DeviceFacts(
        ring={"rx": 512, "rx_max": 4096, "tx": 512, "tx_max": 4096},
        channels={"combined": queues},
        rss=dict.fromkeys(range(queues), 128 // queues),
        numa_node=0,
        queues=tuple(Queue(d, i, ()) for d in ("rx", "tx") for i in range(queues)),
        irqs=tuple(Irq(40 + i, f"eth0-{i}", (i,), (i,)) for i in range(queues)),
    )
