"""Network devices for tests, in namespaces that end with the test.

The namespaces have no names; the calling thread and open files alone hold them. So they and all their devices end with
the process, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.netns import enter, unshare_network
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x0002, 0x1000, 0x4000  # include/uapi/linux/if_tun.h
TUNSETIFF = 0x400454CA


def current_namespace() -> int:
    """Open the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Lab:
    """Context that moves the calling thread into a new network namespace, with a second namespace, ``far``.

    lo is up in both. ``far`` is a file; ``far_path`` is what ``ip`` takes for its ``netns`` argument.
    """

    def __enter__(self) -> Lab:
        self._stack = contextlib.ExitStack()
        home = self._keep(current_namespace())
        self._stack.callback(enter, home)
        unshare_network()
        self.run("ip", "link", "set", "lo", "up")
        self.far = self._keep(current_namespace())
        self.far_path = f"/proc/{os.getpid()}/fd/{self.far}"
        unshare_network()
        self.near = self._keep(current_namespace())
        self.near_path = f"/proc/{os.getpid()}/fd/{self.near}"
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _keep(self, fd: int) -> int:
        self._stack.callback(os.close, fd)
        return fd

    @contextlib.contextmanager
    def inside(self, namespace: int) -> Iterator[None]:
        """Run the ``with`` block in ``namespace`` (``lab.far``), on the calling thread."""
        enter(namespace)
        try:
            yield
        finally:
            enter(self.near)

    def run(self, *command: str) -> str:
        """Run a command in the current namespace; return its output. Raises AssertionError with its standard error."""
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
        return done.stdout

    def ip(self, arguments: str) -> str:
        """Run ``ip`` with space-separated arguments."""
        return self.run("ip", *arguments.split())

    def veth(self, name: str = "v0", peer: str = "v1", mtu: int = 1500) -> None:
        """Create a veth pair, both ends up: 198.18.5.1/24 in this namespace, and .2 in ``far``."""
        self.ip(f"link add {name} mtu {mtu} type veth peer name {peer} mtu {mtu} netns {self.far_path}")
        self.ip(f"address add 198.18.5.1/24 dev {name}")
        self.ip(f"link set {name} up")
        with self.inside(self.far):
            self.ip(f"address add 198.18.5.2/24 dev {peer}")
            self.up(peer)
        self.up(name)

    def switch_ipv6_off(self) -> None:
        """Switch IPv6 off in both namespaces: neighbour discovery would send and drop packets of its own."""
        for namespace in (self.far, self.near):
            with self.inside(namespace):
                self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")

    def ipv4_veth(self, far_address: str) -> None:
        """Add a veth pair without IPv6, with its neighbours resolved."""
        self.switch_ipv6_off()
        self.veth()
        self.run("ping", "-qc", "1", far_address)

    def tunnel_device(self, name: str, flags: int) -> int:
        """Create a tap (IFF_TAP) or tun (IFF_TUN) that is up. Return the file that takes its frames."""
        fd = self._keep(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags | IFF_NO_PI))
        self.up(name)
        return fd

    def up(self, name: str) -> None:
        """Switch a device of the current namespace on, and wait until it can send."""
        self.ip(f"link set {name} up")
        self.wait_until_up(name)

    def wait_until_up(self, name: str) -> None:
        """Wait until the kernel has seen the carrier, in a work queue; until then the device drops (tx_dropped)."""
        netdev = Netdev()
        try:
            until(lambda: netdev.find(name).up, f"{name} is up")
        finally:
            netdev.close()

    def vxlan(self, name: str = "x0", peer: str = "x1", vni: int = 7) -> None:
        """Create a tunnel over the veth pair, with the other end in ``far``."""
        self.ip(f"link add {name} type vxlan id {vni} dstport 4789 local 198.18.5.1 remote 198.18.5.2 dev v0")
        self.up(name)
        with self.inside(self.far):
            self.ip(f"link add {peer} type vxlan id {vni} dstport 4789 local 198.18.5.2 remote 198.18.5.1 dev v1")
            self.up(peer)

    def send(self, name: str, frames: int = 1, size: int = 100) -> None:
        """Send broadcast frames of an experimental ethertype (IEEE 802) out of a device of the current namespace."""
        self.wait_until_up(name)
        frame = b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(size - 14)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((name, 0))
            for _ in range(frames):
                sender.send(frame)

    def send_far(self, name: str, frames: int = 1, size: int = 100) -> None:
        """Send the same frames out of a device of ``far``."""
        with self.inside(self.far):
            self.send(name, frames, size)

    def foreign_xdp(
        self, name: str, mode: str = "native", by: str = "link", program: str = "pass"
    ) -> tuple[subprocess.Popen[str], int]:
        """Start a process with an XDP program on a device, until the lab ends. Return process and program id."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bpf.foreign", name, mode, by, program],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.strip().isdigit(), f"no program on {name}: {line}"
        return process, int(line)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
