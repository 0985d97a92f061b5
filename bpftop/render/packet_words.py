"""Packets in words: which packets are captured, dropped packets in a line each, and what copying them costs."""

from __future__ import annotations

from bpftop.model.captured_packet import CapturedPacket, DroppedPackets
from bpftop.model.escaping import escaped_text
from bpftop.model.packet_filter import PacketFilter
from bpftop.model.packet_headers import ETHERTYPE_ARP, packet_ends
from bpftop.model.protocols import protocol_name
from bpftop.model.units import UNKNOWN

_ETHERTYPES = {ETHERTYPE_ARP: "ARP"}
HEADING = f"{'age':>7}  {'reason':<20} {'packet':<44} CPU  function"

HIDDEN_FUNCTIONS = (
    "the kernel hides the addresses of its functions, so the packets do not name the function that dropped them; it "
    "takes CAP_SYSLOG, and kernel.kptr_restrict below 2"
)


def packet_words(wanted: PacketFilter) -> str:
    """Return ``packets dropped for NO_SOCKET, UDP, port 53``, or ``packets`` where every packet passes."""
    what = ("packets dropped for " + " or ".join(wanted.reasons)) if wanted.reasons else "packets"
    if wanted.dropped and not wanted.reasons:
        what = "dropped packets"
    parts = (
        None if wanted.ethertype is None else _ETHERTYPES.get(wanted.ethertype, f"ethertype {wanted.ethertype:#06x}"),
        None if wanted.l4_proto is None else protocol_name(wanted.l4_proto),
        None if wanted.port is None else f"port {wanted.port}",
    )
    return ", ".join((what, *(part for part in parts if part is not None)))


def dropped_row(packet: CapturedPacket, now_ns: int) -> str:
    """Return age, reason, protocol, ends, CPU and function of a packet; ``now_ns`` is CLOCK_REALTIME."""
    ends = packet_ends(packet.content, is_ip=packet.is_ip)
    source, destination = _end(ends.source, ends.sport), _end(ends.destination, ends.dport)
    where = f"{ends.protocol} {source} → {destination}" if ends.source else ends.protocol
    age_s = max(0, now_ns - packet.wall_ns) / 1e9
    function = UNKNOWN if packet.function is None else escaped_text(packet.function)
    return f"{age_s:>5.1f} s  {packet.reason or UNKNOWN:<20} {where:<44} {packet.cpu:>3}  {function}"


def _end(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def cost_row(dropped: DroppedPackets) -> str:
    """Return how many packets were copied and left out, and the CPU time that it takes."""
    counts, seconds = dropped.counts, dropped.watched_ns / 1e9
    copied = counts.matched - counts.left_out
    left_out = f", {counts.left_out} left out (at most {dropped.most_per_sec} a second)" if counts.left_out else ""
    each = f" ({counts.spent_ns / counts.matched:.0f} ns a packet)" if counts.matched else ""
    share = f"{100 * counts.spent_ns / dropped.watched_ns:.3f} %" if dropped.watched_ns else UNKNOWN
    return f"Copied while this is open: {copied} packets in {seconds:.0f} s{left_out}; it costs {share} of a CPU{each}."
