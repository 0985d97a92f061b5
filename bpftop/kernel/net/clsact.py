"""Filters on the clsact qdisc of a device, by rtnetlink. They outlive their process.

Formats: include/uapi/linux/rtnetlink.h, pkt_cls.h. Reading needs no capability.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator

from bpftop.fields import frozen
from bpftop.kernel.net.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NetlinkSocket,
    attribute,
    attributes,
)
from bpftop.kernel.net.qdiscs import TCA_KIND, TCMSG, qdiscs
from bpftop.kernel.process_identity import ProcessIdentity
from bpftop.kernel.return_code import KernelError, errno_words
from bpftop.model.sample import DIRECTIONS, Direction

RTM_NEWQDISC, RTM_DELQDISC = 36, 37
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46
TC_H_CLSACT = 0xFFFFFFF1
CLSACT_HANDLE = 0xFFFF0000
PARENTS: dict[Direction, int] = {"rx": 0xFFFFFFF2, "tx": 0xFFFFFFF3}  # TC_H_MIN_INGRESS, TC_H_MIN_EGRESS
TCA_OPTIONS = 2
TCA_BPF_FD, TCA_BPF_NAME, TCA_BPF_FLAGS, TCA_BPF_ID = 6, 7, 8, 11
TCA_BPF_FLAG_ACT_DIRECT = 1
ETH_P_ALL = 3

# A later start recognises bpftop's filters by this handle ("bpft") and this unusual priority.
OWN_HANDLE, OWN_PRIORITY = 0x62706674, 0xB9F7
_CREATED_QDISC = "qdisc=created"

_GONE = (errno.ENOENT, errno.ENODEV, errno.EINVAL)  # EINVAL: with the qdisc of the filter


@frozen
class Filter:
    """One filter. ``prog_id`` and ``name`` are None if it is no BPF program."""

    handle: int
    prog_id: int | None
    name: str | None

    @property
    def is_own(self) -> bool:
        """Return True if a bpftop attached the filter."""
        return self.handle == OWN_HANDLE and (self.name or "").startswith(("bpftop ", "count_tc"))

    @property
    def owner(self) -> ProcessIdentity | None:
        """Return the process that attached the filter, by the record in a name of bpftop's."""
        return ProcessIdentity.parse(self.name or "")

    @property
    def created_qdisc(self) -> bool:
        """Return True if the filter's process created the clsact qdisc."""
        return (self.name or "").endswith(_CREATED_QDISC)


class Clsact:
    """A filter on the clsact qdisc. The filter's name records this process, for the start after a kill.

    ``created_qdisc``: the device had no clsact qdisc before.
    """

    def __init__(self, prog_fd: int, ifindex: int, direction: Direction) -> None:
        """Attach the program, and create the clsact qdisc if the device has none.

        Raises KernelError: EBUSY if an ``ingress`` qdisc has the place, EEXIST if the device has a filter of bpftop's.
        """
        self._ifindex, self._direction = ifindex, direction
        self._attached = False
        with _route() as route:
            self.created_qdisc = _create_qdisc(route, ifindex)
            self._name = f"bpftop {ProcessIdentity.own()}{f' {_CREATED_QDISC}' if self.created_qdisc else ''}"
            try:
                self._put(route, prog_fd, NLM_F_EXCL, "attach by clsact")
            except KernelError:
                if self.created_qdisc:
                    with contextlib.suppress(OSError):
                        remove_empty(route, ifindex)
                raise
        self._attached = True

    def update(self, prog_fd: int) -> None:
        """Replace the program of the filter, atomically. Raises KernelError."""
        with _route() as route:
            self._put(route, prog_fd, NLM_F_REPLACE, "exchange our clsact filter")

    def close(self) -> None:
        """Detach the filter. The qdisc stays, because another program may use it. Raises KernelError."""
        if self._attached:
            self._attached = False
            with _route() as route, _sentence("detach our clsact filter"):
                remove_own(route, self._ifindex, self._direction)

    def _put(self, route: NetlinkSocket, prog_fd: int, flags: int, verb: str) -> None:
        options = (
            attribute(TCA_BPF_FD, struct.pack("=I", prog_fd))
            + attribute(TCA_BPF_NAME, self._name.encode() + b"\0")
            + attribute(TCA_BPF_FLAGS, struct.pack("=I", TCA_BPF_FLAG_ACT_DIRECT))
        )
        body = _own_filter(self._ifindex, self._direction) + attribute(TCA_OPTIONS, options)
        with _sentence(verb):
            route.request(RTM_NEWTFILTER, body, NLM_F_ACK | NLM_F_CREATE | flags)


def _route() -> contextlib.closing[NetlinkSocket]:
    """Open a route socket in the network namespace of the calling thread."""
    return contextlib.closing(NetlinkSocket(socket.NETLINK_ROUTE))


@contextlib.contextmanager
def _sentence(verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        raise KernelError(f"cannot {verb}: {errno_words(number)}", number) from error


def _own_filter(ifindex: int, direction: Direction) -> bytes:
    info = OWN_PRIORITY << 16 | socket.htons(ETH_P_ALL)
    return TCMSG.pack(ifindex, OWN_HANDLE, PARENTS[direction], info) + attribute(TCA_KIND, b"bpf\0")


def _create_qdisc(route: NetlinkSocket, ifindex: int) -> bool:
    """Create the clsact qdisc; return False if the device has one already.

    Raises KernelError: EBUSY if the device has an ``ingress`` qdisc, which has the same handle and no egress.
    """
    body = TCMSG.pack(ifindex, CLSACT_HANDLE, TC_H_CLSACT, 0) + attribute(TCA_KIND, b"clsact\0")
    with _sentence("create a clsact qdisc"):
        try:
            route.request(RTM_NEWQDISC, body, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
        except FileExistsError:
            if not has_clsact(route, ifindex):
                raise OSError(errno.EBUSY, "an ingress qdisc") from None
            return False
    return True


def filters(route: NetlinkSocket, ifindex: int, direction: Direction) -> list[Filter]:
    """List the filters of one direction; none if the device has no clsact, or if there is no such device."""
    try:
        answers = route.dump(RTM_GETTFILTER, TCMSG.pack(ifindex, 0, PARENTS[direction], 0), is_short=True)
    except OSError as error:
        if error.errno in _GONE:
            return []
        raise
    return [parsed for parsed in map(_filter, answers) if parsed.handle]


def _filter(message: bytes) -> Filter:
    handle = TCMSG.unpack_from(message)[1]
    options = attributes(attributes(message, TCMSG.size).get(TCA_OPTIONS, b""))
    if TCA_BPF_ID not in options:
        return Filter(handle, None, None)
    (prog_id,) = struct.unpack("=I", options[TCA_BPF_ID])
    return Filter(handle, prog_id, options.get(TCA_BPF_NAME, b"").rstrip(b"\0").decode(errors="replace"))


def has_clsact(route: NetlinkSocket, ifindex: int) -> bool:
    """Return True if the device has a clsact qdisc."""
    return any(qdisc.kind == "clsact" for qdisc in qdiscs(route, {ifindex}))


def remove_own(route: NetlinkSocket, ifindex: int, direction: Direction) -> None:
    """Remove bpftop's filter of one direction, if there is one. Needs CAP_NET_ADMIN. Raises OSError."""
    try:
        route.request(RTM_DELTFILTER, _own_filter(ifindex, direction), NLM_F_ACK)
    except OSError as error:
        if error.errno not in _GONE:
            raise


def remove_empty(route: NetlinkSocket, ifindex: int) -> None:
    """Remove the clsact qdisc if it has no filters. Needs CAP_NET_ADMIN. Raises OSError."""
    if not has_clsact(route, ifindex) or any(filters(route, ifindex, direction) for direction in DIRECTIONS):
        return
    try:
        route.request(RTM_DELQDISC, TCMSG.pack(ifindex, CLSACT_HANDLE, TC_H_CLSACT, 0), NLM_F_ACK)
    except OSError as error:
        if error.errno not in _GONE:
            raise
