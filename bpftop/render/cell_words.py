"""Words for people for the cells of a snapshot document: ``IPv4 packets``, ``packets of <=64 bytes``, ``TCP SYN``."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.model.protocols import icmp_type_name

ALL_PACKETS = "all packets"

FLAG_NAMES: Mapping[str, str] = {"syn": "SYN", "syn_ack": "SYN+ACK", "fin": "FIN", "rst": "RST", "other": "other TCP"}
"""Label of TCP segments by flags -> the name below the row of TCP."""

_FAMILIES: Mapping[str, str] = {
    "total": ALL_PACKETS,
    "sizes": "packets of {} bytes",
    "l3": "{} packets",
    "casts": "{} packets",
    "tcp_flags": "TCP {}",
    "udp_ports": "UDP port {}",
    "fragments": "{} fragments",
    "protocols": "{}",
    "cpus": "{}",
}
"""Family of a cell -> its words, with the name of the cell filled in."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "l3": {"ipv4": "IPv4", "ipv6": "IPv6", "arp": "ARP", "other": "other"},
    "tcp_flags": {**FLAG_NAMES, "other": "with other flags"},
}
"""Family of a cell -> names of its labels, where people do not say the label itself."""


def cell_words(family: str, label: str) -> str:
    """Return the words for a cell; ``label`` is empty for the whole of a family."""
    if not label:
        return ALL_PACKETS
    if family == "vlans":
        return f"frames with {label} VLAN tag{'' if label == '1' else 's'}"
    if family == "icmp_types":
        return _icmp_words(*label.split(" "))
    return _FAMILIES.get(family, f"{family} {{}}").format(_NAMES.get(family, {}).get(label, label))


def _icmp_words(protocol: str, number: str) -> str:
    """Return ``ICMPv6 neighbour solicitation``, or ``ICMP type 42`` where the type has no name."""
    title = "ICMPv6" if protocol == "icmpv6" else "ICMP"
    return f"{title} {icmp_type_name(protocol, number) or f'type {number}'}"
