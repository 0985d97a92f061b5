"""The registry of families: the one list of all counters and gauges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bpftop.fields import frozen

Scope = Literal["interface", "netns", "host"]


@frozen
class Family:
    """One kind of counter or gauge: its labels name a row, its columns the cells of the row.

    Everything that is known about a family is a field here; a new counter is one entry and one collector.
    """

    name: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    help: str
    kind: Literal["counter", "gauge"] = "counter"
    wrap_bits: int = 64
    per_cpu: bool = False
    sparse: bool = False
    """Rows whose cells are all zero are left out: an absent row of the same epoch is zero and not unknown."""
    scope: Scope = "interface"
    every_ns: int = 0
    """The least time between two readings; 0 means every tick."""
    collector: str = ""
    """The collector that reads it; empty: of the same name."""
    number_label: str = ""
    """The label whose value is a number that code calculates with: a CPU, a protocol, a port, an ICMP type."""
    metric: str = ""
    """Its name within a Prometheus metric; empty: its own name."""
    in_metrics: bool = True
    """False for settings, interrupts, and rows whose names come and go without bound."""
    in_series: bool = True
    """True: recordings have its rows as plain SQL rows too. False for rows that are others with every tick."""
    step: int = 1
    """All values are multiples of this number; recordings divide by it."""
    thinned: bool = False
    """True: recordings leave out its cells per CPU in most frames."""
    checked_over_time: bool = True
    """True: a check takes rates of it over several seconds, or may one day; else the engine keeps no past of it."""

    @property
    def absent(self) -> int | None:
        """The value of every cell of an absent row."""
        return 0 if self.sparse else None

    @property
    def collector_name(self) -> str:
        return self.collector or self.name

    @property
    def metric_name(self) -> str:
        return self.metric or self.name

    @property
    def series_labels(self) -> tuple[int, ...]:
        """Positions of the labels that metrics and plain rows have; rows that differ in other labels are added up.

        A series per CPU, interrupt, queue or inode would take five series and more for each.
        """
        return tuple(at for at, label in enumerate(self.labels) if label not in _WITHOUT_SERIES)


APPLICATION, RECEIVE_WINDOW, SEND_BUFFER, NETWORK = 1, 2, 3, 4
LIMITS: Mapping[int, str] = {
    APPLICATION: "application",
    RECEIVE_WINDOW: "receive window",
    SEND_BUFFER: "send buffer",
    NETWORK: "network",
}
"""Values of ``limit`` in flow_sockets. ``application``: it has not more to send. ``network``: the congestion window."""

UNREAD_BYTES = 16_384
"""A program that reads leaves less than this in a receive queue; a closed window leaves several times as much."""

_WITHOUT_SERIES = frozenset(("cpu", "irq", "handle", "inode", "id", "attached", "owners"))

_SECOND_NS = 10**9
_TRAFFIC = ("packets", "bytes")
_WHERE = ("interface", "direction")
_FLOW = (*_WHERE, "saddr", "daddr", "sport", "dport", "l4_proto")
FLOW_LABELS = len(_FLOW)
ANYBODY = ("0.0.0.0", "::")
"""Remote end of a socket that takes what comes from everywhere; its port is 0."""

LINK_COLUMNS = (
    *("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"),
    *("rx_errors", "tx_errors", "rx_dropped", "tx_dropped"),
    *("multicast", "collisions"),
    *("rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors", "rx_fifo_errors", "rx_missed_errors"),
    *("tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors", "tx_heartbeat_errors", "tx_window_errors"),
    *("rx_nohandler", "rx_otherhost_dropped", "carrier_changes"),
)
"""The kernel's names (struct rtnl_link_stats64, and IFLA_CARRIER_CHANGES); older kernels lack the last names."""

TRAFFIC_FAMILIES = (
    Family("protocols", (*_WHERE, "protocol"), _TRAFFIC, "frames by IP protocol or pseudo-protocol, per CPU",
           per_cpu=True, sparse=True, number_label="protocol", thinned=True),
    Family("joint", (*_WHERE, "l3", "cast", "size"), _TRAFFIC, "frames by L3 class, cast and size", sparse=True),
    Family("tcp_flags", (*_WHERE, "flag"), _TRAFFIC, "TCP segments by flags", sparse=True, metric="tcp_flag"),
    Family("udp_ports", (*_WHERE, "port"), _TRAFFIC, "UDP datagrams of reflection ports", sparse=True,
           number_label="port", metric="udp_port"),
    Family("icmp_types", (*_WHERE, "protocol", "type"), _TRAFFIC, "ICMP and ICMPv6 by type", sparse=True,
           number_label="type", metric="icmp_type"),
    Family("fragments", (*_WHERE, "part"), _TRAFFIC, "IP fragments, first and later", sparse=True, metric="fragment"),
    Family("vlans", (*_WHERE, "tags"), _TRAFFIC, "frames by number of VLAN tags", sparse=True,
           metric="vlan", checked_over_time=False),
)  # fmt: skip
"""Counters of our own BPF programs: the traffic of each direction of an interface."""

PROTOCOLS = TRAFFIC_FAMILIES[0].name
"""The family that counts every frame exactly once."""

BREAKDOWN_FAMILIES = TRAFFIC_FAMILIES[1:]
"""Families that count the same frames again, by other labels."""

TRAFFIC = frozenset(family.name for family in TRAFFIC_FAMILIES)

INTERFACE_FAMILIES = (
    Family("links", ("interface",), LINK_COLUMNS, "counters of the interface in the kernel (rtnetlink)",
           metric="link"),
    Family("qdiscs", ("interface", "kind", "handle"), ("packets", "bytes", "drops", "overlimits", "requeues"),
           "packets sent and dropped by each queueing discipline of the interface (rtnetlink)", wrap_bits=32,
           metric="qdisc"),
    Family("qdisc_backlog", ("interface", "kind", "handle"), ("queued_packets", "backlog_bytes"),
           "packets waiting in each queueing discipline of the interface", kind="gauge", collector="qdiscs"),
    Family("nic", ("interface", "counter"), ("count",),
           "loss counters of the driver (ethtool -S), by the driver's own names", sparse=True, every_ns=_SECOND_NS),
    Family("irqs", ("interface", "irq"), ("count",), "interrupts of the interface's queues, per CPU (/proc/interrupts)",
           per_cpu=True, wrap_bits=32, in_metrics=False, checked_over_time=False),
    Family("xdp_exceptions", ("interface", "prog_id", "action"), ("packets",),
           "packets that an XDP program gave an action that failed or is none (tracepoint xdp_exception)", sparse=True),
    Family("xdp_redirect_errors", ("interface", "prog_id", "errno"), ("packets",),
           "packets that XDP could not redirect (tracepoint xdp_redirect_err)", sparse=True),
    Family("xdp_verdicts", ("interface", "prog_id", "verdict"), ("packets",),
           "packets by the verdict of another's XDP program on the interface, per CPU (fexit)", per_cpu=True,
           sparse=True),
    Family("flows", _FLOW, _TRAFFIC,
           "the busiest flows, counted only on request; estimates where they are sampled",
           in_metrics=False, in_series=False),
    Family("flow_groups", (*_WHERE, "group", "member"), _TRAFFIC,
           "the busiest sources, destinations and destination ports of all flows that are in the table",
           in_metrics=False, in_series=False, checked_over_time=False),
    Family("flow_sources", (*_WHERE, "member"), ("sources",),
           "source addresses of the flows to each of the busiest destination ports; where flows are sampled, of the "
           "sampled ones", kind="gauge", in_metrics=False, in_series=False, checked_over_time=False),
    Family("flow_ages", _FLOW, ("age_ns",),
           "time since the first packet of each of the busiest flows", kind="gauge",
           in_metrics=False, in_series=False, checked_over_time=False),
    Family("flow_sockets", (*_FLOW, "process", "pid", "user", "service", "netns"),
           ("listening", "rtt_us", "min_rtt_us", "lost", "cwnd", "delivery_rate_bytes_per_sec", "limit"),
           "the process, user and container of each of the busiest flows, and its TCP connection (sock_diag, /proc); "
           "without a remote end: the socket that takes what is sent to the busiest port; "
           "netns: inode of another network namespace than the watched one", kind="gauge",
           in_metrics=False, in_series=False, checked_over_time=False),
    Family("flow_retransmits", _FLOW, ("retransmits",),
           "segments that this host sent again on each of the busiest TCP connections (sock_diag)", wrap_bits=32,
           in_metrics=False, in_series=False, checked_over_time=False),
    Family("flow_table", _WHERE,
           ("entries", "max_entries", "removed_idle", "sampled_1_in", "read_ns", "added_ns_per_packet"),
           "entries of the table of flows, flows that gave way to others, and its cost", kind="gauge",
           in_metrics=False, checked_over_time=False),
)  # fmt: skip

_MOVES = ("kind", "device", "address", "place", "other_place")

NETNS_FAMILIES = (
    Family("snmp", ("counter",), ("count",), "IPv4, ICMP, TCP and UDP counters of the stack (/proc/net/snmp)",
           scope="netns"),
    Family("snmp6", ("counter",), ("count",), "IPv6, ICMPv6 and UDP counters of the stack (/proc/net/snmp6)",
           scope="netns"),
    Family("netstat", ("counter",), ("count",), "TcpExt and IpExt counters of the stack (/proc/net/netstat)",
           scope="netns"),
    Family("xfrm", ("counter",), ("count",), "packets that IPsec drops (/proc/net/xfrm_stat)", scope="netns",
           every_ns=_SECOND_NS),
    Family("sockstat", (), ("tcp_inuse", "tcp_time_wait", "udp_inuse", "fragments_inuse", "fragments_memory_bytes"),
           "sockets and reassembly memory of the namespace (/proc/net/sockstat, sockstat6)", kind="gauge",
           scope="netns"),
    Family("udp_sockets", ("version", "address", "port", "inode", "process"), ("drops",),
           "datagrams dropped at sockets that dropped any (sock_diag, or /proc/net/udp and udp6)", wrap_bits=32,
           sparse=True, scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("listen_sockets", ("version", "address", "port", "inode", "process"),
           ("accept_queue", "accept_queue_max"),
           "listening TCP sockets with connections that wait to be accepted (sock_diag)", kind="gauge",
           scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("connecting_sockets", ("version", "address", "port", "inode", "process"), ("retransmits",),
           "TCP sockets whose connection request was sent again, by destination (sock_diag)", kind="gauge",
           scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("stalled_sockets", ("version", "address", "port", "inode", "process"),
           ("receive_queue_bytes", "send_queue_bytes", "window_probe"),
           "TCP sockets whose peer has closed the window, or with much that is not read, by destination (sock_diag)",
           kind="gauge", scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("closed_ports", ("protocol", "port"), ("since_ms",),
           "ports of services that ended within the last minute: UDP sockets and listening TCP sockets (sock_diag)",
           kind="gauge", scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("timed_out_sockets", ("version", "address", "port", "inode", "process"),
           ("retransmits", "segment_bytes", "queued_bytes", "acked_bytes", "peer_acked_bytes", "timer_ms",
            "since_ack_ms", "path_mtu"),
           "TCP sockets that sent the same segment twice and more without an answer, by destination (sock_diag)",
           kind="gauge", scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("port_use", ("version", "source", "destination", "port"), ("used", "ports"),
           "local ports in use towards one destination, where more than a tenth of the range is (sock_diag)",
           kind="gauge", scope="netns", every_ns=2 * _SECOND_NS, in_metrics=False),
    Family("unresolved_neighbours", ("interface", "address", "role"), ("since_ms",),
           "neighbours that answer neither ARP nor neighbour discovery (rtnetlink)", kind="gauge", scope="netns",
           every_ns=_SECOND_NS, in_metrics=False),
    Family("address_moves", _MOVES, ("moves",),
           "moves of neighbours between link-layer addresses, and of MAC addresses between ports of a bridge, in the "
           "last 10 s (rtnetlink)", kind="gauge", scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("address_claims", _MOVES, ("moves",),
           "addresses that two hosts claim in turn, or another host and this one, in the last 10 s (ARP by a packet "
           "socket, IPv6 by rtnetlink)", kind="gauge", scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("conntrack", (), ("entries", "max_entries"), "connections that are tracked (nf_conntrack_count and _max)",
           kind="gauge", scope="netns"),
    Family("conntrack_events", (), ("invalid", "insert_failed", "drop", "early_drop", "search_restart"),
           "failures of connection tracking, all CPUs (/proc/net/stat/nf_conntrack)", scope="netns",
           collector="conntrack"),
    Family("drops", ("interface", "reason"), ("packets",),
           "packets that the kernel dropped, by its reason (tracepoint kfree_skb); no interface: none of those watched",
           sparse=True, scope="netns", metric="drop"),
    Family("rejected_sends", ("version", "origin"), ("packets",),
           "packets and connection requests that a blackhole, unreachable or prohibit route refused: sent by this host "
           "(tracepoints fib_table_lookup and fib6_table_lookup), or to be forwarded (blackhole, and IPv4 prohibit); "
           "counted as long as there is such a route", scope="netns", every_ns=_SECOND_NS),
    Family("destinations", ("trouble", "address", "process"), ("packets",),
           "destinations of packets without a route, and of those whose TTL ends here, in a sample of ten seconds "
           "(tracepoints fib_table_lookup, fib6_table_lookup and kfree_skb)", kind="gauge", scope="netns",
           every_ns=_SECOND_NS, in_metrics=False),
    Family("refused_ports", ("kind", "port"), ("packets",),
           "packets to ports where nobody listens, in a sample of ten seconds: UDP, TCP (connection requests); without "
           "their port TCP odd flags (neither SYN nor ACK) and TCP other (tracepoint kfree_skb)", kind="gauge",
           scope="netns", every_ns=_SECOND_NS, in_metrics=False),
    Family("sysctls", ("name",), ("value",), "limits that explain losses (/proc/sys/net)", kind="gauge", scope="netns",
           every_ns=10 * _SECOND_NS, in_metrics=False),
)  # fmt: skip

HOST_FAMILIES = (
    Family("softnet", ("cpu",), ("processed", "dropped", "time_squeeze", "received_rps", "flow_limit_count"),
           "packets through each CPU's backlog (/proc/net/softnet_stat)", wrap_bits=32, scope="host",
           number_label="cpu"),
    Family("softnet_backlog", ("cpu",), ("queued_packets",), "packets that wait in each CPU's backlog (Linux 5.10)",
           kind="gauge", scope="host", collector="softnet", number_label="cpu"),
    Family("softirqs", ("cpu",), ("net_rx", "net_tx"), "network softirqs of each CPU (/proc/softirqs)", wrap_bits=32,
           scope="host", number_label="cpu", checked_over_time=False),
    Family("cpu_times", ("cpu",),
           ("user_ns", "nice_ns", "system_ns", "idle_ns", "iowait_ns", "irq_ns", "softirq_ns", "steal_ns"),
           "time of each CPU by use (/proc/stat)", scope="host", number_label="cpu",
           metric="cpu_time", step=10_000_000),
    Family("socket_memory", (), ("tcp_memory_pages", "udp_memory_pages", "tcp_orphans"),
           "memory of all sockets of the machine, and connections that no process holds (/proc/net/sockstat)",
           kind="gauge", scope="host", collector="sockstat"),
    Family("neighbours", ("table",), ("table_fulls", "unresolved_discards", "forced_gc_runs", "res_failed"),
           "failures of the neighbour tables, all CPUs (/proc/net/stat/arp_cache, ndisc_cache)", scope="host",
           metric="neighbour"),
    Family("neighbour_entries", ("table",), ("entries", "gc_thresh3"),
           "entries of the neighbour tables and their limit",
           kind="gauge", scope="host", collector="neighbours", metric="neighbour"),
    Family("bpf_programs", ("id", "type", "name", "attached", "owners"),
           ("run_cnt", "run_time_ns", "recursion_misses"),
           "runs of each loaded BPF program, and their time, which grows while run statistics are on", scope="host",
           every_ns=10 * _SECOND_NS, collector="bpf_objects", in_metrics=False, in_series=False),
    Family("bpf_program_sizes", ("id", "type", "name", "attached", "owners"), ("insns", "jited_bytes", "memory_bytes"),
           "sizes of each loaded BPF program", kind="gauge", scope="host", every_ns=10 * _SECOND_NS,
           collector="bpf_objects", in_metrics=False, in_series=False, checked_over_time=False),
    Family("bpf_maps", ("id", "type", "name", "owners"), ("entries", "max_entries", "memory_bytes"),
           "entries of each BPF map", kind="gauge", scope="host", every_ns=10 * _SECOND_NS, collector="bpf_objects",
           in_metrics=False, in_series=False),
    Family("bpf_maps_in_part", ("id",), ("entries",),
           "entries of each BPF map that was too large to be counted to its end: it has at least so many",
           kind="gauge", scope="host", every_ns=10 * _SECOND_NS, collector="bpf_objects", in_metrics=False,
           in_series=False, checked_over_time=False),
    Family("bpf_statistics", (), ("are_on", "added_ps"),
           "whether run statistics are on, and the picoseconds that they add to the time of each run", kind="gauge",
           scope="host", every_ns=10 * _SECOND_NS, collector="bpf_objects", in_metrics=False, in_series=False),
    Family("self", (), ("cpu_ns", "poll_ns"), "CPU time of this process, and time in map reads", scope="host",
           checked_over_time=False),
    Family("self_memory", (), ("resident_bytes",), "resident memory of this process", kind="gauge", scope="host",
           checked_over_time=False),
)  # fmt: skip

FAMILIES: Mapping[str, Family] = {
    family.name: family for family in (*TRAFFIC_FAMILIES, *INTERFACE_FAMILIES, *NETNS_FAMILIES, *HOST_FAMILIES)
}
