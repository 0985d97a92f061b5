"""Change a namespace for a fault: sysctls, packet filters, queues, packet steering, a third namespace."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from bpftop.demo.faults.worker import FaultError, Inside
from bpftop.demo.lab import Lab
from bpftop.demo.sides import Side
from bpftop.kernel.net.netlink import NLM_F_ACK, NetlinkSocket
from bpftop.kernel.net.sysfs import mount_sysfs
from bpftop.kernel.netns import enter, moved, unshare_network

Result = TypeVar("Result")

NFNL_CTNETLINK_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE (linux/netfilter/nfnetlink*.h)
NETLINK_NETFILTER = 12


def inside(lab: Lab, side: Side) -> Inside:
    """Return the caller of functions in one of the lab's two namespaces."""
    return partial(lab.call_in, side)


def run(place: Inside, *command: str, text_in: str = "") -> str:
    """Run a command in a namespace, and return its standard output. Raises FaultError."""
    try:
        done: subprocess.CompletedProcess[str] = place(
            lambda: subprocess.run(command, input=text_in, capture_output=True, text=True, timeout=20)
        )
    except FileNotFoundError:
        package = "nftables" if command[0] == "nft" else "iproute2"
        raise FaultError(f"the command `{command[0]}` is missing; install the package {package}") from None
    if done.returncode != 0:
        raise FaultError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


def ip(place: Inside, *commands: str) -> None:
    """Run commands of `ip`, in one batch."""
    run(place, "ip", "-batch", "-", text_in="\n".join(commands) + "\n")


def packet_filter(place: Inside, hook: str, rules: Sequence[str], priority: int = 0) -> Callable[[], object]:
    """Add IPv4 rules of nftables at a hook, and return the function that removes them."""
    chain = "\n".join((f"type filter hook {hook} priority {priority};", *rules))
    run(place, "nft", "-f", "-", text_in=f"table ip faults {{\nchain {hook} {{\n{chain}\n}}\n}}\n")
    return lambda: run(place, "nft", "delete", "table", "ip", "faults")


def token_bucket(place: Inside, interface: str, rate: str, burst: str, limit: str) -> Callable[[], object]:
    """Make a TBF the interface's queue, and return the function that removes it. Sizes are in tc's units."""
    device = ("dev", interface, "root")
    run(place, "tc", "qdisc", "add", *device, "tbf", "rate", rate, "burst", burst, "limit", limit)
    return lambda: run(place, "tc", "qdisc", "delete", *device)


def sysctl(place: Inside, name: str, value: int) -> None:
    """Set a value of a namespace, by its path below /proc/sys/net."""
    place(lambda: Path("/proc/sys/net", name).write_text(str(value)))


def steer(place: Inside, interface: str, cpus: Sequence[int]) -> None:
    """Steer received packets of the interface's first queue to these CPUs (RPS). Without CPUs: switch it off."""
    mask = sum(1 << cpu for cpu in cpus)

    def write() -> None:
        sysfs_fd = mount_sysfs(writable=True)
        try:
            Path(f"/proc/self/fd/{sysfs_fd}/class/net/{interface}/queues/rx-0/rps_cpus").write_text(f"{mask:x}")
        finally:
            os.close(sysfs_fd)

    place(write)


def forget_connections(place: Inside) -> None:
    """Empty the namespace's connection tracking table, as `conntrack -F` does."""

    def flush() -> None:
        with closing(NetlinkSocket(NETLINK_NETFILTER)) as netlink:
            netlink.request(NFNL_CTNETLINK_DELETE, struct.pack("=BBH", socket.AF_UNSPEC, 0, 0), NLM_F_ACK)  # nfgenmsg

    place(flush)


class FurtherNamespace:
    """A network namespace beside the two of the lab. An open file of this process keeps it alive."""

    def __init__(self, maker: Inside) -> None:
        """Make the namespace. ``maker``: a namespace, to which the calling thread returns."""
        self._fd: int = maker(_new_namespace)
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function inside the namespace. Raises OSError."""
        with moved(partial(enter, self._fd)):
            return function()

    def close(self) -> None:
        """Close the namespace, which ends with its last process."""
        os.close(self._fd)


class Beyond(FurtherNamespace):
    """A third namespace behind one of the lab's two, joined to it by a veth pair ``far0`` (in the lab) / ``far1``.

    198.19.0.1 is on far0, 198.19.0.2 on far1.
    """

    near_interface, interface = "far0", "far1"
    near_address, address = "198.19.0.1", "198.19.0.2"

    def __init__(self, lab: Lab, behind: Side) -> None:
        self.near = inside(lab, behind)
        super().__init__(self.near)
        try:
            ip(
                self.near,
                f"link add {self.near_interface} type veth peer name {self.interface} netns {self.path}",
                f"address add {self.near_address}/24 dev {self.near_interface}",
                f"link set {self.near_interface} up",
            )
            ip(
                self.call,
                "link set lo up",
                f"address add {self.address}/24 dev {self.interface}",
                f"link set {self.interface} up",
                f"route add 198.18.0.0/24 via {self.near_address}",
            )
            sysctl(self.near, "ipv4/ip_forward", 1)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the pair. The namespace ends with its last process."""
        sysctl(self.near, "ipv4/ip_forward", 0)
        ip(self.near, f"link delete {self.near_interface}")
        super().close()


def _new_namespace() -> int:
    unshare_network()
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
