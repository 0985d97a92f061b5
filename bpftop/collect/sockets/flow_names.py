"""The processes behind flows, and TCP's facts of the connections: readings beside the table of flows."""

from __future__ import annotations

import pwd
import time
from array import array
from collections.abc import Mapping, Sequence
from functools import cache

from bpftop.collect.sockets.socket_namespaces import SocketNamespaces
from bpftop.collect.sockets.socket_processes import SocketHolder, SocketProcesses
from bpftop.fields import frozen, replace
from bpftop.kernel.net.socket_lookup import FoundSocket, TcpFacts
from bpftop.kernel.privileges import Privileges, missing_remedy
from bpftop.kernel.return_code import KernelError
from bpftop.model.families import ANYBODY, APPLICATION, NETWORK, RECEIVE_WINDOW, SEND_BUFFER
from bpftop.model.protocols import TCP, UDP
from bpftop.model.sample import Direction, Key, Reading, reading_key

ROWS_MOST = 50
"""Flows of an interface and direction that are named: those with the most bytes since the read before."""
_HALF = 0.5
_DESTINATIONS_ASKED = 3
_REMEMBERED = 16 * ROWS_MOST
_PORT_PROTOCOLS = {"TCP": TCP, "UDP": UDP}
_COLUMNS = 7
_Flow = tuple[int, tuple[str, int], tuple[str, int]]


@frozen
class _Named:
    socket: FoundSocket
    netns: int
    holder: SocketHolder | None = None


class FlowNames:
    """Names of the flows of one session, asked for by one thread, in the namespace of that thread."""

    def __init__(self) -> None:
        self._namespaces: SocketNamespaces | None = None
        self._processes = SocketProcesses()
        self._retransmits: dict[str, Reading] = {}
        self._tcp: dict[_Flow, TcpFacts] = {}
        self._user_name = cache(user_name)
        self.incomplete: str | None = None
        """The privilege that is missing where sockets of the last readings have no process."""

    def readings(self, label: str, direction: Direction, readings: Mapping[str, Reading]) -> dict[str, Reading]:
        """Return flow_sockets and flow_retransmits for the flows among ``readings``. Raises BpftopError.

        The socket that takes what anybody sends to the busiest port is a row, too, of a flow without a remote end.
        """
        self.incomplete = None
        flows = readings.get(reading_key("flows", label, direction))
        if flows is None:
            return {}
        begin_ns = time.monotonic_ns()
        keys = busiest(flows)
        if direction == "rx":
            keys += to_busiest_port(readings.get(reading_key("flow_groups", label, direction)))
        try:
            if self._namespaces is None:
                self._namespaces = SocketNamespaces()
            self._namespaces.begin_round(self._processes.network_namespaces)
            named = self._find(keys, direction)
        except OSError as error:
            raise KernelError(f"cannot name the processes of flows: {error}", error.errno or 0) from error
        end_ns = time.monotonic_ns()
        return self._made(label, direction, named, (begin_ns + end_ns) // 2, end_ns - begin_ns)

    def close(self) -> None:
        if self._namespaces is not None:
            self._namespaces.close()

    def _find(self, keys: Sequence[Key], direction: Direction) -> dict[Key, _Named]:
        assert self._namespaces is not None
        found: dict[Key, _Named] = {}
        for key in keys:
            protocol, local, remote = ends(key, direction)
            if protocol in (TCP, UDP) and local[1]:
                located = self._namespaces.find(protocol, local, remote, 0)
                if located is not None:
                    found[key] = _Named(*located)
        inodes = {named.socket.inode for named in found.values() if named.socket.inode}
        holders = self._processes.holders(inodes)
        is_hidden = self._processes.is_refused and not inodes <= holders.keys()
        self.incomplete = _why_hidden() if is_hidden else None
        return {key: replace(named, holder=holders.get(named.socket.inode)) for key, named in found.items()}

    def _made(
        self, label: str, direction: Direction, named: Mapping[Key, _Named], read_ns: int, cost_ns: int
    ) -> dict[str, Reading]:
        keys: list[Key] = []
        values, missing = array("Q"), set[int]()
        counted: list[Key] = []
        counts = array("Q")
        for key, each in named.items():
            keys.append((*key, *self._words(each)))
            cells = self._cells(ends(key, direction), each.socket)
            missing |= {len(values) + at for at, cell in enumerate(cells) if cell is None}
            values.extend(cell or 0 for cell in cells)
            if each.socket.tcp is not None:
                counted.append(key)
                counts.append(each.socket.tcp.retransmits)
        where = label, direction
        sockets = Reading("flow_sockets", read_ns, cost_ns, 0, tuple(keys), values, frozenset(missing))
        name = reading_key("flow_retransmits", *where)
        before = self._retransmits.get(name)
        sent = Reading("flow_retransmits", read_ns, 0, 0, tuple(counted), counts)
        self._retransmits[name] = sent
        if len(self._tcp) > _REMEMBERED:
            self._tcp.clear()
        return {reading_key("flow_sockets", *where): sockets, name: replace(sent, previous=before)}

    def _words(self, named: _Named) -> tuple[int | str, ...]:
        """Return the labels that follow the flow's: process, pid, user, service, network namespace."""
        holder = named.holder
        user = self._user_name(named.socket.uid)
        netns = str(named.netns or "")
        return ("", 0, user, "", netns) if holder is None else (holder.name, holder.pid, user, holder.service, netns)

    def _cells(self, flow: _Flow, found: FoundSocket) -> list[int | None]:
        tcp = found.tcp
        if tcp is None:
            return [int(found.is_unconnected), *[None] * (_COLUMNS - 1)]
        before, self._tcp[flow] = self._tcp.get(flow), tcp
        return [
            int(found.is_unconnected), tcp.rtt_us, tcp.min_rtt_us, tcp.lost, tcp.cwnd,
            tcp.delivery_rate_bytes_per_sec, limit_of(tcp, before),
        ]  # fmt: skip


def busiest(flows: Reading) -> list[Key]:
    """Return the keys of the flows with the most bytes since the read before."""
    before = flows.previous
    earlier = {} if before is None else dict(zip(before.keys, before.values[1::2], strict=True))
    gains = {key: count - earlier.get(key, 0) for key, count in zip(flows.keys, flows.values[1::2], strict=True)}
    return sorted(flows.keys, key=lambda key: -gains[key])[:ROWS_MOST]


def to_busiest_port(groups: Reading | None) -> list[Key]:
    """Return flows from anybody to the port with the most packets since the read before, at the busiest destinations.

    In a flood no flow to that port is busy, and a SYN without an answer is a socket of its own that no process holds.
    """
    if groups is None:
        return []
    before = {} if groups.previous is None else groups.previous.totals
    gains = {key: (row[0] or 0) - (before.get(key, (0,))[0] or 0) for key, row in groups.totals.items()}
    members = {by: [key for key in gains if key[2] == by] for by in ("destination_port", "destination")}
    for keys in members.values():
        keys.sort(key=lambda key: -gains[key])
    if not members["destination_port"]:
        return []
    label, direction, _, name = members["destination_port"][0]
    protocol, _, port = str(name).partition(" ")
    if protocol not in _PORT_PROTOCOLS or not port:
        return []
    addresses = [str(key[3]) for key in members["destination"][:_DESTINATIONS_ASKED]]
    anybody, anybody6 = ANYBODY
    return [
        (label, direction, anybody6 if ":" in address else anybody, address, 0, int(port), _PORT_PROTOCOLS[protocol])
        for address in addresses
    ]


def ends(key: Key, direction: Direction) -> _Flow:
    """Return protocol, local end and remote end of a row of the family flows."""
    _, _, saddr, daddr, sport, dport, l4_proto = key
    source, destination = (str(saddr), int(sport)), (str(daddr), int(dport))
    return (int(l4_proto), source, destination) if direction == "tx" else (int(l4_proto), destination, source)


def limit_of(tcp: TcpFacts, before: TcpFacts | None) -> int | None:
    """Return what limited the connection since the look before, or since it began; None: it had nothing to send.

    The kernel counts the time in which there was something to send, and of this the time in which the peer's window or
    the send buffer was the reason to wait (Linux 4.9).
    """
    busy, window, buffer = (
        now - then for now, then in zip(tcp[-3:], before[-3:] if before is not None else (0, 0, 0), strict=True)
    )
    if busy <= 0:
        return None
    if window > _HALF * busy:
        return RECEIVE_WINDOW
    if buffer > _HALF * busy:
        return SEND_BUFFER
    return APPLICATION if tcp.is_application_limited else NETWORK


def _why_hidden() -> str:
    missing = Privileges.read().missing(("CAP_SYS_PTRACE",))
    remedy = f"that {missing_remedy(missing)}" if missing else "the kernel refuses /proc/PID/fd (EACCES)"
    return f"some processes are not known: {remedy}"


def user_name(uid: int) -> str:
    """Return the name of a user, or the number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
