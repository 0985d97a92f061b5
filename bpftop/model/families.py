"""The registry of families: the one list of what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Family:
    """One kind of counter or gauge: its labels name a row, its columns the cells of the row.

    ``sparse``: rows whose cells are all zero are left out, so an absent row of the same epoch is zero and not unknown.
    ``every_ns``: the least time between two readings; 0 means every tick.
    """

    name: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    help: str
    kind: Literal["counter", "gauge"] = "counter"
    wrap_bits: int = 64
    per_cpu: bool = False
    sparse: bool = False
    scope: Literal["interface", "netns", "host"] = "interface"
    every_ns: int = 0


_SECOND_NS = 10**9
_TRAFFIC = ("packets", "bytes")
_WHERE = ("interface", "direction")

LINK_COLUMNS = (
    *("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"),
    *("rx_errors", "tx_errors", "rx_dropped", "tx_dropped"),
    *("multicast", "collisions"),
    *("rx_length_errors", "rx_over_errors", "rx_crc_errors", "rx_frame_errors", "rx_fifo_errors", "rx_missed_errors"),
    *("tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors", "tx_heartbeat_errors", "tx_window_errors"),
    *("rx_nohandler", "rx_otherhost_dropped", "carrier_changes"),
)
"""The kernel's names (struct rtnl_link_stats64, and IFLA_CARRIER_CHANGES); older kernels lack the last ones."""

TRAFFIC_FAMILIES = (
    Family("protocols", (*_WHERE, "protocol"), _TRAFFIC, "frames by IP protocol or pseudo-protocol, per CPU",
           per_cpu=True, sparse=True),
    Family("joint", (*_WHERE, "l3", "cast", "size"), _TRAFFIC, "frames by L3 class, cast and size", sparse=True),
    Family("tcp_flags", (*_WHERE, "flag"), _TRAFFIC, "TCP segments by flags", sparse=True),
    Family("udp_ports", (*_WHERE, "port"), _TRAFFIC, "UDP datagrams of reflection ports", sparse=True),
    Family("icmp_types", (*_WHERE, "protocol", "type"), _TRAFFIC, "ICMP and ICMPv6 by type", sparse=True),
    Family("fragments", (*_WHERE, "part"), _TRAFFIC, "IP fragments, first and later", sparse=True),
    Family("vlans", (*_WHERE, "tags"), _TRAFFIC, "frames by number of VLAN tags", sparse=True),
)  # fmt: skip
"""What our own programs count: the readings that flows of an interface are made of."""

INTERFACE_FAMILIES = (
    Family("links", ("interface",), LINK_COLUMNS, "what the kernel counted for the interface (rtnetlink)"),
    Family("qdiscs", ("interface", "kind", "handle"), ("packets", "bytes", "drops", "overlimits", "requeues"),
           "what each queueing discipline of the interface sent and dropped (rtnetlink, TCA_STATS2)", wrap_bits=32),
    Family("qdisc_backlog", ("interface", "kind", "handle"), ("queued_packets", "backlog_bytes"),
           "what waits in each queueing discipline of the interface", kind="gauge"),
    Family("nic", ("interface", "counter"), ("count",),
           "loss counters of the driver (ethtool -S), by the driver's own names", sparse=True, every_ns=_SECOND_NS),
    Family("irqs", ("interface", "irq"), ("count",), "interrupts of the interface's queues, per CPU (/proc/interrupts)",
           per_cpu=True, wrap_bits=32),
    Family("xdp_exceptions", ("interface", "prog_id", "action"), ("packets",),
           "packets that an XDP program gave an action that failed or is none (tracepoint xdp_exception)", sparse=True),
    Family("xdp_redirect_errors", ("interface", "prog_id", "errno"), ("packets",),
           "packets that XDP could not redirect (tracepoint xdp_redirect_err)", sparse=True),
    Family("xdp_verdicts", ("interface", "prog_id", "verdict"), ("packets",),
           "what the XDP program of somebody else on the interface returned, per CPU (fexit)", per_cpu=True,
           sparse=True),
    Family("flows", (*_WHERE, "saddr", "daddr", "sport", "dport", "l4_proto"), _TRAFFIC,
           "the busiest flows, counted only while somebody looks at them; estimates where they are sampled"),
    Family("flow_groups", (*_WHERE, "group", "member"), _TRAFFIC,
           "the busiest sources, destinations and destination ports of all flows that are in the table"),
    Family("flow_ages", (*_WHERE, "saddr", "daddr", "sport", "dport", "l4_proto"), ("age_ns",),
           "how long ago the busiest flows were first seen", kind="gauge"),
    Family("flow_table", _WHERE,
           ("entries", "max_entries", "removed_idle", "sampled_1_in", "read_ns", "added_ns_per_packet"),
           "how full the table of flows is, how many idle ones were removed from it, and what it costs", kind="gauge"),
)  # fmt: skip

NETNS_FAMILIES = (
    Family("snmp", ("counter",), ("count",), "IPv4, ICMP, TCP and UDP counters of the stack (/proc/net/snmp)",
           scope="netns"),
    Family("snmp6", ("counter",), ("count",), "IPv6, ICMPv6 and UDP counters of the stack (/proc/net/snmp6)",
           scope="netns"),
    Family("netstat", ("counter",), ("count",), "TcpExt and IpExt counters of the stack (/proc/net/netstat)",
           scope="netns"),
    Family("sockstat", (), ("tcp_inuse", "tcp_time_wait", "udp_inuse", "fragments_inuse", "fragments_memory_bytes"),
           "sockets and reassembly memory of the namespace (/proc/net/sockstat, sockstat6)", kind="gauge",
           scope="netns"),
    Family("udp_sockets", ("version", "address", "port", "inode", "process"), ("drops",),
           "datagrams dropped at sockets that dropped any (sock_diag, or /proc/net/udp and udp6)", wrap_bits=32,
           sparse=True, scope="netns", every_ns=_SECOND_NS),
    Family("listen_sockets", ("version", "address", "port", "inode", "process"),
           ("accept_queue", "accept_queue_max"),
           "listening TCP sockets with connections that nobody has accepted yet (sock_diag)", kind="gauge",
           scope="netns", every_ns=_SECOND_NS),
    Family("conntrack", (), ("entries", "max_entries"), "connections that are tracked (nf_conntrack_count and _max)",
           kind="gauge", scope="netns"),
    Family("conntrack_events", (), ("invalid", "insert_failed", "drop", "early_drop", "search_restart"),
           "what connection tracking could not do, all CPUs (/proc/net/stat/nf_conntrack)", scope="netns"),
    Family("drops", ("interface", "reason"), ("packets",),
           "packets that the kernel dropped, by its reason (tracepoint kfree_skb); no interface: none of those watched",
           sparse=True, scope="netns"),
    Family("sysctls", ("name",), ("value",), "limits that explain losses (/proc/sys/net)", kind="gauge", scope="netns",
           every_ns=10 * _SECOND_NS),
)  # fmt: skip

HOST_FAMILIES = (
    Family("softnet", ("cpu",), ("processed", "dropped", "time_squeeze", "received_rps", "flow_limit_count"),
           "packets through each CPU's backlog (/proc/net/softnet_stat)", wrap_bits=32, scope="host"),
    Family("softnet_backlog", ("cpu",), ("queued_packets",), "packets that wait in each CPU's backlog (Linux 5.10)",
           kind="gauge", scope="host"),
    Family("softirqs", ("cpu",), ("net_rx", "net_tx"), "network softirqs of each CPU (/proc/softirqs)", wrap_bits=32,
           scope="host"),
    Family("cpu_times", ("cpu",),
           ("user_ns", "nice_ns", "system_ns", "idle_ns", "iowait_ns", "irq_ns", "softirq_ns", "steal_ns"),
           "what each CPU spent its time on (/proc/stat)", scope="host"),
    Family("socket_memory", (), ("tcp_memory_pages", "udp_memory_pages", "tcp_orphans"),
           "memory of all sockets of the machine, and connections that no process holds (/proc/net/sockstat)",
           kind="gauge", scope="host"),
    Family("neighbours", ("table",), ("table_fulls", "unresolved_discards", "forced_gc_runs", "res_failed"),
           "what the neighbour tables could not do, all CPUs (/proc/net/stat/arp_cache, ndisc_cache)", scope="host"),
    Family("neighbour_entries", ("table",), ("entries", "gc_thresh3"), "how full the neighbour tables are",
           kind="gauge", scope="host"),
    Family("self", (), ("cpu_ns", "poll_ns"), "CPU time of this process, and time in map reads", scope="host"),
    Family("self_memory", (), ("resident_bytes",), "resident memory of this process", kind="gauge", scope="host"),
)  # fmt: skip

FAMILIES: Mapping[str, Family] = {
    family.name: family for family in (*TRAFFIC_FAMILIES, *INTERFACE_FAMILIES, *NETNS_FAMILIES, *HOST_FAMILIES)
}
