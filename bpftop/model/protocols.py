"""Names of protocols, ICMP types and reflection ports.

Protocols are IANA's numbers 0..255, and our pseudo-protocols from 256 up (bpf_objects/bpftop.h).
"""

from __future__ import annotations

ARP, LLDP, MPLS, PPPOE, OTHER_ETHERTYPE, LENGTH_802_3, TRUNCATED, MALFORMED = range(256, 264)
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58

_PSEUDO = {
    ARP: "ARP",
    LLDP: "LLDP",
    MPLS: "MPLS",
    PPPOE: "PPPoE",
    OTHER_ETHERTYPE: "other ethertype",
    LENGTH_802_3: "802.3 length",
    TRUNCATED: "truncated",
    MALFORMED: "malformed",
}

# IANA "Assigned Internet Protocol Numbers", keywords in order from 0; where the registry has none, its short name.
_IANA = tuple(
    word
    for line in (
        "HOPOPT ICMP IGMP GGP IPv4 ST TCP CBT EGP IGP BBN-RCC-MON NVP-II PUP ARGUS EMCON XNET CHAOS UDP MUX",
        "DCN-MEAS HMP PRM XNS-IDP TRUNK-1 TRUNK-2 LEAF-1 LEAF-2 RDP IRTP ISO-TP4 NETBLT MFE-NSP MERIT-INP",
        "DCCP 3PC IDPR XTP DDP IDPR-CMTP TP++ IL IPv6 SDRP IPv6-Route IPv6-Frag IDRP RSVP GRE DSR BNA ESP AH",
        "I-NLSP SWIPE NARP MOBILE TLSP SKIP ICMPv6 IPv6-NoNxt IPv6-Opts any-host CFTP any-net SAT-EXPAK",
        "KRYPTOLAN RVD IPPC any-dfs SAT-MON VISA IPCV CPNX CPHB WSN PVP BR-SAT-MON SUN-ND WB-MON WB-EXPAK",
        "ISO-IP VMTP SECURE-VMTP VINES IPTM NSFNET-IGP DGP TCF EIGRP OSPF Sprite-RPC LARP MTP AX.25 IPIP MICP",
        "SCC-SP ETHERIP ENCAP any-private GMTP IFMP PNNI PIM ARIS SCPS QNX A/N IPComp SNP Compaq-Peer",
        "IPX-in-IP VRRP PGM any-0-hop L2TP DDX IATP STP SRP UTI SMP SM PTP IS-IS FIRE CRTP CRUDP SSCOPMCE",
        "IPLT SPS PIPE SCTP FC RSVP-E2E Mobility UDPLite MPLS-in-IP manet HIP Shim6 WESP ROHC Ethernet",
        "AGGFRAG NSH Homa BIT-EMU",
    )
    for word in line.split()
)


REFLECTION_PORTS = {19: "chargen", 53: "DNS", 123: "NTP", 161: "SNMP", 389: "CLDAP", 1900: "SSDP", 11211: "memcached"}
"""UDP ports whose services answer with far more bytes than they were asked with."""

# IANA "ICMP Type Numbers" and "ICMPv6 Parameters"; the first number of a key is the IP protocol
_ICMP_TYPES = {
    (ICMP, 0): "echo reply", (ICMP, 3): "unreachable", (ICMP, 5): "redirect", (ICMP, 8): "echo request",
    (ICMP, 11): "time exceeded", (ICMP, 12): "parameter problem",
    (ICMPV6, 1): "unreachable", (ICMPV6, 2): "packet too big", (ICMPV6, 3): "time exceeded",
    (ICMPV6, 4): "parameter problem", (ICMPV6, 128): "echo request", (ICMPV6, 129): "echo reply",
    (ICMPV6, 130): "MLD query", (ICMPV6, 131): "MLD report", (ICMPV6, 133): "router solicitation",
    (ICMPV6, 134): "router advertisement", (ICMPV6, 135): "neighbour solicitation",
    (ICMPV6, 136): "neighbour advertisement", (ICMPV6, 143): "MLDv2 report",
}  # fmt: skip


def icmp_type_name(label: int | str, number: int | str) -> str | None:
    """Return the name of an ICMP type; ``label`` is ``icmp`` or ``icmpv6``, as in the family icmp_types."""
    return _ICMP_TYPES.get((ICMPV6 if label == "icmpv6" else ICMP, int(number)))


def protocol_name(number: int) -> str:
    """Return ``TCP``, ``ARP``, or ``proto 200`` for a number that IANA has not assigned."""
    if number < len(_IANA):
        return _IANA[number]
    return _PSEUDO.get(number, f"proto {number}")
