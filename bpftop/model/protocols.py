"""Names of protocols: IANA's numbers 0..255, and our pseudo-protocols from 256 up (bpf_objects/bpftop.h)."""

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


def protocol_name(number: int) -> str:
    """``TCP``, ``ARP``, ``proto 200`` for a number that IANA has not assigned."""
    if number < len(_IANA):
        return _IANA[number]
    return _PSEUDO.get(number, f"proto {number}")
