"""Translate a person's choice of packets into the constants of the BPF programs of a capture."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel.bpf.record_ring import A_ADDRESS, A_PORT, ANY_PROTOCOL, B_ADDRESS, B_PORT
from bpftop.kernel.net.addresses import MAPPED
from bpftop.model.captured_packet import PACKETS_PER_SEC, SNAPLEN_BYTES
from bpftop.model.packet_filter import PacketFilter
from bpftop.model.protocols import protocol_name

_ETHERTYPES = {"arp": 0x0806, "lldp": 0x88CC, "mpls": 0x8847, "pppoe": 0x8864, "ip": 0x0800}
_SIDE = re.compile(r"(?:\[(?P<bracketed>[^]]+)\]|(?P<plain>[^:\[\]]*))(?::(?P<port>\d+))?|(?P<six>[0-9a-fA-F:.]+)")
REASONS_MOST = 6
_EITHER_SIDE = ((A_ADDRESS, A_PORT), (B_ADDRESS, B_PORT))


@frozen
class FlowSide:
    """An end of a flow. None: any address, any port."""

    address: IPv4Address | IPv6Address | None = None
    port: int | None = None


@frozen
class CaptureRequest:
    """Filter and limits of a capture.

    ``wanted`` may have up to REASONS_MOST drop reasons that the running kernel knows; others are left out. ``flow`` has
    up to two sides, instead of the port of ``wanted``; packets of both directions pass.
    """

    wanted: PacketFilter = PacketFilter()
    flow: tuple[FlowSide, ...] = ()
    most_bytes: int = SNAPLEN_BYTES
    packets_per_sec: int = PACKETS_PER_SEC
    sample_1_in: int = 1

    @property
    def constants(self) -> dict[str, int]:
        """The ``const volatile`` variables of bpf_objects/capture.bpf.h."""
        wanted = self.wanted
        sides = self.flow or (() if wanted.port is None else (FlowSide(port=wanted.port),))
        fixed = {
            "most_bytes": self.most_bytes,
            "sample_1_in": self.sample_1_in,
            "rate_per_sec": self.packets_per_sec,
            "wanted_ethertype": wanted.ethertype or 0,
            "wanted_protocol": ANY_PROTOCOL if wanted.l4_proto is None else wanted.l4_proto,
            "wanted_sides": 0,
        }
        for side, name, (has_address, has_port) in zip(sides, "ab", _EITHER_SIDE):  # noqa: B905 one side or two
            if side.address is not None:
                packed = side.address.packed
                words = packed if len(packed) == 16 else MAPPED + packed
                fixed[f"{name}_address_high"] = int.from_bytes(words[:8], "little")
                fixed[f"{name}_address_low"] = int.from_bytes(words[8:], "little")
                fixed["wanted_sides"] |= has_address
            if side.port is not None:
                fixed[f"{name}_port"] = socket.htons(side.port)
                fixed["wanted_sides"] |= has_port
        return fixed


def flow_sides(text: str) -> tuple[FlowSide, ...]:
    """Parse ``198.18.0.1``, ``198.18.0.1:53``, ``:53``, ``[fd00::1]:53``, or two of them with a comma between.

    Raises BpftopError.
    """
    words = text.split(",")
    if len(words) > 2:
        raise BpftopError(f"{text!r} has more than two ends; write a flow as ADDRESS:PORT,ADDRESS:PORT")
    return tuple(_side(word.strip()) for word in words)


def _side(word: str) -> FlowSide:
    parts = _SIDE.fullmatch(word)
    if parts is not None:
        address, port = parts["bracketed"] or parts["plain"] or parts["six"], parts["port"]
        with suppress(ValueError):
            side = FlowSide(ip_address(address) if address else None, int(port) if port else None)
            if side != FlowSide() and (side.port or 0) < 1 << 16:
                return side
    raise BpftopError(f"{word!r} is no end of a flow; write 198.18.0.1, 198.18.0.1:53, :53 or [fd00::1]:53")


def protocol_numbers(name: str) -> tuple[int | None, int | None]:
    """Return ethertype and IP protocol for a name such as ``udp`` or ``arp``, or a number. Raises BpftopError."""
    wanted = name.lower()
    if wanted in _ETHERTYPES:
        return _ETHERTYPES[wanted], None
    if wanted.isdecimal() and int(wanted) < 256:
        return None, int(wanted)
    for number in range(256):
        if protocol_name(number).lower() == wanted:
            return None, number
    raise BpftopError(f"{name!r} is no protocol; write tcp, udp, icmp, arp or the like, or a number below 256")
