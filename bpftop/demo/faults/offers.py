"""The faults that the demo offers, each with what happens and what to look at on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bpftop.demo.faults.fault import Fault


class Offer(NamedTuple):
    """A fault by its module and class, which are imported when it is made: ``--help`` needs the words alone."""

    module: str
    class_name: str
    happens: str
    look: str

    def load(self) -> type[Fault]:
        """Import the module and return the class."""
        kind: type[Fault] = getattr(import_module(f"bpftop.demo.faults.{self.module}"), self.class_name)
        return kind


OFFERS: Mapping[str, Offer] = {
    "syn-flood": Offer("tcp", "SynFlood", "4 096 addresses ask for connections and never answer",
                       "Findings name the flooded port; Overview: SYN is most of TCP"),
    "udp-socket-overflow": Offer("udp", "UdpSocketOverflow", "a program does not read its UDP socket",
                                 "LOST: UDP sockets; Findings name the socket and its process"),
    "backlog-overflow": Offer("backlog", "BacklogOverflow", "bursts that one CPU cannot take",
                              "LOST: backlog; CPUs: one CPU drops; Findings: what to set"),
    "cpu-imbalance": Offer("backlog", "CpuImbalance", "all packets arrive on one CPU",
                           "CPUs: one in softirqs all the time, the others idle; no loss"),
    "conntrack-full": Offer("conntrack", "ConntrackFull", "the table of connections fills",
                            "Path: conntrack and its headroom; full, it refuses clients"),
    "reverse-path-filter": Offer("ip", "ReversePathFilter", "packets come from addresses that have no way back",
                                 "REFUSED: reverse path filter; Path: the reason IP_RPFILTER"),
    "tcp-retransmits": Offer("tcp", "TcpRetransmits", "a router on the way out drops what its queue cannot hold",
                             "Findings: segments sent again, although nothing is lost here"),
    "checksum-errors": Offer("ip", "ChecksumErrors", "packets come with bad checksums",
                             "LOST: checksums; Path: the two drop reasons"),
    "accept-queue-overflow": Offer("tcp", "AcceptQueueOverflow", "a server no longer accepts connections",
                                   "Findings: the listening socket, its process, its full queue"),
    "udp-flood": Offer("udp", "UdpFlood", "small datagrams from 4 096 addresses to closed ports",
                       "REFUSED: UDP no port; nothing is LOST, no program wants them"),
    "icmp-flood": Offer("ip", "IcmpFlood", "8 000 pings a second, each of which is answered",
                        "Overview: ICMP in both directions; Findings: how much"),
    "firewall-drops": Offer("ip", "FirewallDrops", "a rule of nftables drops what clients send",
                            "REFUSED: by the firewall; Path: the reason NETFILTER_DROP"),
}  # fmt: skip
"""Id of the finding -> its fault, in the order of the tour."""
