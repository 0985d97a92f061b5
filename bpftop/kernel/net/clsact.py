"""Filters on the clsact qdisc of a device, by rtnetlink.

Formats: include/uapi/linux/rtnetlink.h, pkt_cls.h. Reading needs no capability.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

from bpftop.kernel.net.netlink import NLM_F_ACK, NetlinkSocket, attributes
from bpftop.model.sample import DIRECTIONS, Direction

RTM_DELQDISC, RTM_GETQDISC, RTM_GETTFILTER = 37, 38, 46
TC_H_CLSACT = 0xFFFFFFF1
CLSACT_HANDLE = 0xFFFF0000
PARENTS: dict[Direction, int] = {"rx": 0xFFFFFFF2, "tx": 0xFFFFFFF3}  # TC_H_MIN_INGRESS, TC_H_MIN_EGRESS
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_BPF_NAME, TCA_BPF_ID = 7, 11

_TCMSG = struct.Struct("=BBHiIII")


@dataclass(frozen=True)
class Filter:
    """One filter. ``prog_id`` and ``name`` are None if it is no BPF program. ``name`` begins with the program's."""

    handle: int
    prog_id: int | None
    name: str | None


def filters(route: NetlinkSocket, ifindex: int, direction: Direction) -> list[Filter]:
    """List the filters of one direction; none if the device has no clsact, or if there is no such device."""
    try:
        answers = route.dump(RTM_GETTFILTER, _TCMSG.pack(0, 0, 0, ifindex, 0, PARENTS[direction], 0))
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EINVAL, errno.ENOENT):
            return []
        raise
    return [parsed for parsed in map(_filter, answers) if parsed.handle]


def _filter(message: bytes) -> Filter:
    handle = _TCMSG.unpack_from(message)[4]
    options = attributes(attributes(message, _TCMSG.size).get(TCA_OPTIONS, b""))
    if TCA_BPF_ID not in options:
        return Filter(handle, None, None)
    (prog_id,) = struct.unpack("=I", options[TCA_BPF_ID])
    return Filter(handle, prog_id, options.get(TCA_BPF_NAME, b"").rstrip(b"\0").decode(errors="replace"))


def has_clsact(route: NetlinkSocket, ifindex: int) -> bool:
    """Return True if the device has a clsact qdisc."""
    for answer in route.dump(RTM_GETQDISC, _TCMSG.pack(0, 0, 0, ifindex, 0, 0, 0)):
        owner = _TCMSG.unpack_from(answer)[3]
        if owner == ifindex and attributes(answer, _TCMSG.size).get(TCA_KIND) == b"clsact\0":
            return True
    return False


def remove_empty(route: NetlinkSocket, ifindex: int) -> None:
    """Remove the clsact qdisc if it has no filters. Needs CAP_NET_ADMIN. Raises OSError."""
    if any(filters(route, ifindex, direction) for direction in DIRECTIONS):
        return
    try:
        route.request(RTM_DELQDISC, _TCMSG.pack(0, 0, 0, ifindex, CLSACT_HANDLE, TC_H_CLSACT, 0), NLM_F_ACK)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EINVAL):  # the qdisc is gone already
            raise
