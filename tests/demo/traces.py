"""Traces that a lab could leave: processes, namespaces, counters."""

import os
import socket
import struct
import subprocess
from pathlib import Path

RTM_NEWNSID = 88
NETNSA_NSID, NETNSA_PID = 1, 2
NLM_F_REQUEST, NLM_F_ACK = 1, 4


def is_running(pid: int) -> bool:
    """Return True if the process exists and is no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def track_namespace(pid: int) -> int:
    """Give the network namespace of `pid` an id, which the kernel removes when it destroys the namespace.

    There is no other proof: a namespace may live on in a descriptor, a socket or a mount that no process list shows.
    """
    nsid = 1_000_000 + pid
    attributes = struct.pack("=HHi", 8, NETNSA_NSID, nsid) + struct.pack("=HHI", 8, NETNSA_PID, pid)
    body = struct.pack("=Bxxx", socket.AF_UNSPEC) + attributes
    header = struct.pack("=IHHII", 16 + len(body), RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as rtnetlink:
        rtnetlink.send(header + body)
        (number,) = struct.unpack_from("=i", rtnetlink.recv(4096), 16)
    if number:
        raise OSError(-number, f"RTM_NEWNSID: {os.strerror(-number)}")
    return nsid


def namespace_exists(nsid: int) -> bool:
    """Return True if the namespace of an id of `track_namespace` still exists."""
    listed = subprocess.run(["ip", "netns", "list-id"], capture_output=True, text=True, check=True).stdout
    return any(line.split()[:2] == ["nsid", str(nsid)] for line in listed.splitlines())


def rx_and_tx_packets(interface: str) -> tuple[int, int]:
    """Return the kernel's packet counters of `interface` in the calling thread's namespace."""
    columns = _interface_columns(interface)
    return columns[1], columns[9]


def rx_and_tx_drops(interface: str) -> tuple[int, int]:
    """Return the kernel's drop counters of `interface` in the calling thread's namespace."""
    columns = _interface_columns(interface)
    return columns[3], columns[11]


def _interface_columns(interface: str) -> list[int]:
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        name, _, columns = line.partition(":")
        if name.strip() == interface:
            return [int(column) for column in columns.split()]
    raise LookupError(interface)


def snmp(protocol: str) -> dict[str, int]:
    """Return the counters of a protocol of /proc/net/snmp in the calling thread's namespace."""
    rows = [line.split()[1:] for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()
            if line.startswith(f"{protocol}: ")]  # fmt: skip
    return dict(zip(rows[0], map(int, rows[1]), strict=True))
