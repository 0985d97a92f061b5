"""The path of a packet as one table of stages: where packets die, by which counter, and in which sum they count.

Three sums (``LossGroup``): lost here, refused, and lost elsewhere on the host. The stages of one sum are chosen so that
one packet is in one of them only; ``counted`` says for each stage why it is in or out, with the place in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bpftop.fields import computed_once, frozen
from bpftop.model.families import FAMILIES, Scope
from bpftop.model.readings import Key, ReadingPair
from bpftop.model.stack_counters import family_of

StageKind = Literal["loss", "part", "seen"]
"""``loss`` is a loss of its own; ``part`` is included in the loss of the row above; ``seen`` is no loss, or may be
counted by another stage."""

LossGroup = Literal["lost", "refused", "elsewhere"]
GROUPS: tuple[LossGroup, ...] = ("lost", "refused", "elsewhere")
"""``lost``: by the interface or its namespace. ``refused``: closed ports, no route, firewall. ``elsewhere``: by
counters of the whole host, without the part that is the interface's own."""


@frozen
class StageCounter:
    """One column of a family: in one row, or in all rows whose key ``keep`` accepts, added up or the largest of them.

    ``row`` is the key of the row, without the interface where the family has one.
    """

    family: str
    column: str
    row: Key | None = None
    keep: Callable[[Key], bool] | None = None
    largest: bool = False
    name: str = ""

    @property
    def display_name(self) -> str:
        """The counter's name in the output of ip or nstat, or in the kernel's file."""
        return self.name or (str(self.row[0]) if self.row else self.column)

    @computed_once
    def of_interface(self) -> bool:
        """True if the family has readings of each interface."""
        return FAMILIES[self.family].scope == "interface"

    @computed_once
    def is_only_column(self) -> bool:
        """True if the family has no other column."""
        return len(FAMILIES[self.family].columns) == 1

    def includes(self, key: Key) -> bool:
        """Return whether a row of the family counts."""
        return self.keep is None or self.keep(key)

    def rests(self, label: str, pair: ReadingPair | None) -> bool:
        """Return True if the counter is as it was in the reading before: known if it was known, and without a gain."""
        moved = None if pair is None or pair.after.missing else pair.moved
        if not moved:
            return moved is not None
        if self.is_only_column:
            return self.row is not None and self.key(label, self.row) not in moved
        return self.column not in moved

    def key(self, label: str, row: Key) -> Key:
        """Return the whole key of a row: with the interface where the family has one."""
        return (label, *row) if self.of_interface else row


@frozen
class Stage:
    """One row of the path. ``largest``: its counters count the same packets, so the largest gain stands for all.

    ``within``: the id of the host-wide stage that includes this interface's loss; the loss is capped at that stage's.
    ``rare``: the stage is shown once a packet was dropped there.
    """

    id: str
    title: str
    kind: StageKind
    counters: tuple[StageCounter, ...]
    help: str
    counted: str
    largest: bool = False
    refused: bool = False
    within: str = ""
    rare: bool = False

    @computed_once
    def group(self) -> LossGroup | None:
        """The sum that the stage counts into; None: no sum."""
        if self.refused:
            return "refused"
        if self.within:
            return "lost"
        return None if self.kind != "loss" else "elsewhere" if self.scope == "host" else "lost"

    @property
    def scope(self) -> Scope:
        return FAMILIES[self.counters[0].family].scope

    @property
    def counter(self) -> str:
        """The names of its counters, in one line."""
        return (" | " if self.largest else " + ").join(counter.display_name for counter in self.counters)


def _link(*columns: str) -> tuple[StageCounter, ...]:
    return tuple(StageCounter("links", column, ()) for column in columns)


def _stack(*names: str) -> tuple[StageCounter, ...]:
    """Return counters of the stack by their names in `nstat -az`."""
    return tuple(StageCounter(family_of(name), "count", (name,)) for name in names)


def _conntrack(*columns: str) -> tuple[StageCounter, ...]:
    return tuple(StageCounter("conntrack_events", column, ()) for column in columns)


def _last_is(*words: str) -> Callable[[Key], bool]:
    return lambda key: str(key[-1]).upper().removeprefix("XDP_") in words


def _dropped(*reasons: str) -> tuple[StageCounter, ...]:
    """Return a counter of packets that were dropped for reasons by the kernel's names."""
    name = f"drop reason {' + '.join(reasons)}"
    return (StageCounter("drops", "packets", keep=_last_is(*reasons), name=name),)


def _sends(key: Key) -> bool:
    return key[1] not in ("ingress", "clsact")


_NOT_REDIRECT = (StageCounter("xdp_exceptions", "packets", keep=lambda key: not _last_is("REDIRECT")(key),
                         name="tracepoint xdp_exception"),)  # fmt: skip

STAGES: tuple[Stage, ...] = (
    Stage("wire", "wire", "loss", _link("rx_crc_errors", "rx_frame_errors", "rx_length_errors"),
          "Damaged frames: a bad checksum, cut, or of a wrong length. Look at cable, transceiver and switch port.",
          "Counted: a frame is damaged in one way (IEEE 802.3 keeps FCS and alignment errors apart). rx_errors is left "
          "out: it holds these again, and in some drivers the ring's too."),
    Stage("ring", "NIC ring", "loss", _link("rx_missed_errors", "rx_fifo_errors", "rx_over_errors"),
          "Frames dropped at a full ring: the CPU did not take frames out in time.",
          "Counted: the largest of the three, because drivers put one event into several of them (mlx4: into all "
          "three). The counters of `ethtool -S` stand below and are not added.", largest=True),
    Stage("device_errors", "device errors", "seen", _link("rx_errors"),
          "Frames that the driver counts as faulty, for any reason.",
          "Not counted: it holds the wire's again, and in some drivers the ring's. Where those stand still and this "
          "one moves, the driver does not tell its errors apart; `ethtool -S` may, below."),
    Stage("device", "device drops", "seen", _link("rx_dropped"),
          "Frames the device or its driver dropped after receiving them.",
          "Not counted: the kernel adds to it every packet that the backlog drops (enqueue_to_backlog) and those of a "
          "protocol that nobody handles; veth adds what XDP drops."),
    Stage("nohandler", "no handler", "seen", _link("rx_nohandler", "rx_otherhost_dropped"),
          "Frames without a reader: on the idle leg of a bond, or sent to another machine.",
          "Not counted: they were not meant for this machine."),
    Stage("xdp_exceptions", "XDP exceptions", "loss", _NOT_REDIRECT,
          "Packets an XDP program gave ABORTED or no valid action, or that could not be sent by XDP_TX.",
          "Counted, without failed redirects: several drivers (ixgbe, i40e) report those a second time here."),
    Stage("xdp_redirects", "XDP redirects", "loss",
          (StageCounter("xdp_redirect_errors", "packets", name="tracepoint xdp_redirect_err"),),
          "Packets that XDP could not redirect: no such target, or its queue was full.", "Counted."),
    Stage("xdp_drops", "XDP_DROP of another", "seen",
          (StageCounter("xdp_verdicts", "packets", keep=_last_is("DROP"), name="fexit: XDP_DROP"),),
          "Packets that another's XDP program on this interface dropped.",
          "Refused: such drops are the purpose of that program.", refused=True),
    Stage("xdp_aborted", "ABORTED of another", "seen",
          (StageCounter("xdp_verdicts", "packets", keep=_last_is("ABORTED"), name="fexit: XDP_ABORTED"),),
          "Packets on which another's XDP program failed.", "Not counted: each is an XDP exception too."),
    Stage("backlog", "backlog", "loss", (StageCounter("softnet", "dropped", name="softnet_stat dropped"),),
          "Packets dropped at the full queue of a CPU, between the interface and the stack (RPS, veth, loopback).",
          "Elsewhere on the host, but for the row below: one counter for all interfaces of the machine."),
    Stage("backlog_here", "  of this interface", "part", _link("rx_dropped"),
          "The part of the backlog's drops that were received by this interface.",
          "Counted: rx_dropped, at most what the backlog dropped (enqueue_to_backlog adds each of its drops to "
          "rx_dropped of the packet's interface).", within="backlog"),
    Stage("flow_limit", "  flow limit", "part",
          (StageCounter("softnet", "flow_limit_count", name="softnet_stat flow_limit_count"),),
          "Packets of a flow that had more than its part of a half-full backlog.",
          "Counted in the row above: the backlog drops them (skb_flow_limit)."),
    Stage("ip_header", "IP header", "loss",
          _stack("IpInHdrErrors", "IpExtInTruncatedPkts", "Ip6InHdrErrors", "Ip6InTruncatedPkts"),
          "IP packets with a bad header, or cut; on a router also those whose TTL ran out.",
          "Counted. IpExtInCsumErrors is left out: each is in IpInHdrErrors too (ip_rcv_core)."),
    Stage("ip_address", "IP address, route", "loss",
          _stack("IpInAddrErrors", "IpExtInNoRoutes", "Ip6InAddrErrors", "Ip6InNoRoutes"),
          "IP packets to an address that is not of this machine, or that have no route from here.",
          "Refused: the kernel counts a packet as one or the other (ip_error).", refused=True),
    Stage("ip_discards", "IP discards", "loss", _stack("IpInDiscards", "Ip6InDiscards"),
          "IP packets without a fault that were dropped: no memory.", "Counted."),
    Stage("ip_reassembly", "IP reassembly", "loss", _stack("IpReasmFails", "Ip6ReasmFails"),
          "Fragmented packets that could not be put together: fragments missing, late, or too many.",
          "Counted, one for a packet and not for a fragment. ReasmTimeout is left out: each is in ReasmFails too "
          "(ip_expire)."),
    Stage("ip_unknown", "IP protocol unknown", "seen", _stack("IpInUnknownProtos", "Ip6InUnknownProtos"),
          "IP packets of a protocol without a handler on this host.",
          "Refused: the sender is told (ip_protocol_deliver_rcu).", refused=True),
    Stage("tunnels", "tunnels", "seen", _dropped("VXLAN_VNI_NOT_FOUND", "XFRM_POLICY"),
          "Packets of a VXLAN network that no device here has, and packets that an IPsec policy refused.",
          "Refused: they are in no other row (vxlan_rcv, xfrm4_policy_check).", refused=True, rare=True),
    Stage("rpf", "reverse path filter", "loss", _stack("TcpExtIPReversePathFilter"),
          "IPv4 packets whose source would not be reached through the interface they came by (rp_filter).",
          "Refused: they are in no other counter of the stack (ip_rcv_finish_core).", refused=True),
    Stage("conntrack", "conntrack", "loss", _conntrack("drop", "insert_failed"),
          "Packets that connection tracking dropped: its table is full, or two packets raced for one entry.",
          "Counted: the larger of the two, because a lost race is in both (nf_ct_resolve_clash).", largest=True),
    Stage("conntrack_evicted", "conntrack evicted", "seen", _conntrack("early_drop"),
          "Tracked connections thrown out to make room for new ones in a full table.",
          "Not counted: these are connections and not packets."),
    Stage("conntrack_invalid", "conntrack invalid", "seen", _conntrack("invalid"),
          "Packets that belong to no connection that can be tracked.",
          "Not counted: conntrack lets them pass; whether they are dropped is for the firewall to say."),
    Stage("tc_filters", "tc filters", "seen", _dropped("TC_INGRESS", "TC_EGRESS"),
          "Packets that filters and programs of tc and tcx dropped, on the way in and out.",
          "Refused: filters drop on purpose; what their queueing discipline counts is left out there.",
          refused=True, rare=True),
    Stage("firewall", "firewall", "seen", _dropped("NETFILTER_DROP"),
          "Packets that netfilter rules dropped, on the way in and out.",
          "Refused: rules drop on purpose; packets dropped by conntrack are in this counter too.", refused=True),
    Stage("tcp_ports", "TCP resets sent", "seen", _stack("TcpOutRsts"),
          "Segments that this machine answered with a reset: to ports where nobody listens, and of connections that a "
          "program here broke off.", "Refused: the sender is told (tcp_v4_send_reset).", refused=True),
    Stage("listen", "listen", "loss", _stack("TcpExtListenDrops"),
          "Connection requests that a listening TCP socket dropped, for all reasons; those ended by an ICMP error too.",
          "Counted: it holds the two rows below (tcp_listendrop)."),
    Stage("syn_queue", "  SYN queue full", "part", _stack("TcpExtTCPReqQFullDrop"),
          "Connection requests dropped because too many handshakes were open and SYN cookies are off.",
          "Counted in `listen`: each goes on to tcp_listendrop (tcp_conn_request)."),
    Stage("accept_queue", "  accept queue full", "part", _stack("TcpExtListenOverflows"),
          "Connections that the program behind a socket did not accept fast enough.",
          "Counted in `listen`: each goes on to tcp_listendrop (tcp_v4_syn_recv_sock)."),
    Stage("cookies", "SYN cookies", "seen", _stack("TcpExtTCPReqQFullDoCookies"),
          "Connection requests that found the SYN queue full and got a cookie instead of a place.",
          "Not counted: such a request is answered."),
    Stage("tcp_sockets", "TCP sockets", "loss",
          _stack("TcpExtTCPBacklogDrop", "TcpExtTCPRcvQDrop", "TcpExtTCPZeroWindowDrop", "TcpExtTCPOFODrop"),
          "Segments that an open connection had no room for: the program reads too slowly, or memory is short.",
          "Counted. RcvPruned is left out: each goes on as TCPRcvQDrop or TCPOFODrop (tcp_try_rmem_schedule)."),
    Stage("udp_sockets", "UDP sockets", "loss", _stack("UdpRcvbufErrors", "Udp6RcvbufErrors"),
          "Datagrams dropped at the full receive buffer of their socket: the program reads too slowly.",
          "Counted. UdpInErrors is left out: it holds these, bad checksums and lack of memory again."),
    Stage("udp_ports", "UDP no port", "seen", _stack("UdpNoPorts", "Udp6NoPorts"),
          "Datagrams to a port without a socket.", "Refused: no program waits for them.", refused=True),
    Stage("memory", "socket memory", "loss", _stack("UdpMemErrors", "Udp6MemErrors", "TcpExtPFMemallocDrop"),
          "Packets dropped because all memory for UDP was in use (udp_mem), or only emergency memory was left.",
          "Counted: a datagram is in RcvbufErrors or in MemErrors (__udp_queue_rcv_skb)."),
    Stage("checksums", "checksums", "loss",
          _stack("TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors", "IcmpInCsumErrors", "Icmp6InCsumErrors"),
          "TCP, UDP and ICMP packets with a bad checksum: damaged on the way, or by an offload.",
          "Counted. TcpInErrs and UdpInErrors are left out: they hold these again."),
    Stage("neighbour", "neighbour table", "loss",
          (StageCounter("neighbours", "table_fulls"), StageCounter("neighbours", "unresolved_discards")),
          "Packets to be sent whose next hop had no room in the neighbour table, or for which too many waited already. "
          'Packets that waited for a next hop that never answered have the row "neighbour silent".',
          "Elsewhere on the host: the tables are the machine's, for all namespaces."),
    Stage("neighbour_silent", "neighbour silent", "loss", _dropped("NEIGH_FAILED"),
          "IPv4 packets to be sent that waited for the link-layer address of a next hop that never answered.",
          "Counted: they are in no counter of the neighbour tables (arp_error_report).", rare=True),
    Stage("ip_out", "IP out discards", "seen", _stack("IpOutDiscards", "Ip6OutDiscards"),
          "IP packets that could not be sent: no memory, or a queue below said that it is full.",
          "Not counted: what a queueing discipline drops is in here too (ip_send_skb)."),
    Stage("ip_out_routes", "IP out no route", "seen",
          (*_stack("IpOutNoRoutes", "Ip6OutNoRoutes"),
           StageCounter("rejected_sends", "packets", name="refused by a route")),
          "IP packets that had no route to their destination, or a blackhole, unreachable or prohibit route.",
          "Refused: the sender gets an error; a machine without IPv6 counts here all day.", refused=True),
    Stage("qdisc", "qdisc", "loss", (StageCounter("qdiscs", "drops", keep=_sends, largest=True, name="qdisc drops"),),
          "Packets to be sent that the queueing discipline of the interface dropped: its queue was full.",
          "Counted: the largest of the interface's, because a parent counts what its children drop "
          "(qdisc_tree_reduce_backlog, mq_dump); ingress and clsact are left out, filters drop there on purpose."),
    Stage("tx_drops", "TX drops", "loss", _link("tx_dropped"),
          "Packets that the device did not take: its ring was full; on veth, that of the other end.",
          "Counted: what the queueing discipline drops is not in it."),
    Stage("tx_errors", "TX errors", "loss", _link("tx_errors"),
          "Frames that the device failed to send: carrier lost, aborted, FIFO.",
          "Counted as the driver's whole; the single tx_*_errors are parts of it."),
)  # fmt: skip
"""In the order of the path; every screen and document lists the stages in this order."""

BY_ID = {stage.id: stage for stage in STAGES}


def counter_gained(counter: StageCounter, label: str, pair: ReadingPair) -> int | None:
    """Return the gain of a counter of a stage; None where it cannot be known.

    Looks only at the cells that the counter needs: 2 us for a row, 20 us for a column of 512 CPUs.
    """
    if counter.row is not None:
        return pair.cell_gain(counter.key(label, counter.row), counter.column)
    gains = pair.column_gains(counter.column, counter.keep)
    known = [gain for gain in gains if gain is not None]
    if gains and not known:
        return None
    return max(known, default=0) if counter.largest else sum(known)


def stage_gained(stage: Stage, label: str, pair_of: Callable[[str, str], ReadingPair | None]) -> tuple[int, int] | None:
    """Return the gain of a stage, and over how many ns; None where none of its counters is known.

    ``pair_of`` returns the pair of a family's readings: of the interface ``label``, or of the namespace or the host
    where ``label`` is empty.
    """
    known, elapsed_ns = [], 0
    for counter in stage.counters:
        pair = pair_of(counter.family, label)
        if pair is not None and (gained := counter_gained(counter, label, pair)) is not None:
            known.append(gained)
            elapsed_ns = max(elapsed_ns, pair.elapsed_ns)
    if not known:
        return None
    gained = max(known) if stage.largest else sum(known)
    if stage.within:
        whole = stage_gained(BY_ID[stage.within], "", pair_of)
        if whole is None:
            return None
        gained = min(gained, whole[0])
    return gained, elapsed_ns
