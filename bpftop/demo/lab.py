"""Two anonymous network namespaces joined by a veth pair, for the demo and the tests.

Usage:

    with Lab() as lab:
        lab.start_traffic()
        descriptor = os.open(lab.netns_path(), os.O_RDONLY)   # setns() into it, then attach to lab.interface

Nothing has a name in the file system. Each namespace lives as long as its process (side_process.py), which exits with
the process that made the Lab: even SIGKILL leaves no namespace, no interface and no process.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

from bpftop.config.resources import exhausted
from bpftop.demo.sides import GENERATOR, IPV4_PREFIX, IPV6_PREFIX, WATCHED, Side, other
from bpftop.errors import BpftopError
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.netns import enter_path, moved
from bpftop.kernel.privileges import privileges_remedy

Result = TypeVar("Result")

ANSWER_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 10.0
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])
_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv.pop()); from bpftop.demo.side_process import main; main()"


class _SideHandle:
    """The process of one side, as its owner sees it: control socket and standard error (an unnamed file in memory)."""

    def __init__(self, side: Side, owner_fd: int) -> None:
        self.side = side
        self._stderr_fd = os.memfd_create("bpftop-demo-stderr")
        self._control, child_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(ANSWER_TIMEOUT_S)
        with child_socket:
            arguments = [side.name, str(child_socket.fileno()), str(owner_fd), _PACKAGE_PARENT]
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, *arguments],  # without site-packages: half the start-up
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr_fd,
                pass_fds=(child_socket.fileno(), owner_fd),
                start_new_session=True,  # signals of the terminal are for the owner
                cwd="/",
            )

    def order(self, words: str) -> None:
        """Send an order and wait until it is done."""
        try:
            self._control.send(words.encode())
        except ConnectionError:
            raise self._gone() from None
        self.expect(b"done")

    def expect(self, wanted: bytes) -> None:
        """Wait for an answer. Raises BpftopError with the reason if another answer or none comes."""
        try:
            answer = self._control.recv(256)
        except TimeoutError:
            raise BpftopError(
                f"the demo's {self.side.name} process did not answer within {ANSWER_TIMEOUT_S:.0f} s; try again"
            ) from None
        except ConnectionError:
            answer = b""
        if answer.startswith(b"failed "):
            raise _setup_error(int(answer.split()[1]))
        if answer != wanted:
            raise self._gone()

    def _gone(self) -> BpftopError:
        """Return the error for a process that ended by itself, with its last line of standard error."""
        code = self.process.wait(ANSWER_TIMEOUT_S)
        output = os.pread(self._stderr_fd, 1 << 16, 0).decode(errors="replace").strip()
        reason = output.splitlines()[-1] if output else f"exit code {code}"
        if (limit := exhausted(RuntimeError(reason))) is not None:
            return BpftopError(f"the demo's {self.side.name} process ended: {limit}")
        return BpftopError(f"the demo's {self.side.name} process ended ({reason}); start it again")

    def check(self) -> None:
        """Raise BpftopError if the process has ended."""
        if self.process.poll() is not None:
            raise self._gone()

    def close(self) -> None:
        """Close the control socket and wait for the process, which is killed if it does not exit."""
        self._control.close()
        try:
            self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._stderr_fd)


def _setup_error(number: int) -> BpftopError:
    what = f"cannot set up the demo's private network: {errno.errorcode.get(number, number)}"
    if number in (errno.EPERM, errno.EACCES):
        takes = "it takes root (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW)"
        remedy = privileges_remedy() if os.geteuid() == 0 else "use sudo: `sudo bpftop demo`"
        return BpftopError(f"{what}; {takes}: {remedy}")
    if number == errno.ENOSPC:
        return BpftopError(f"{what}; the limit user.max_net_namespaces is reached: raise it with sysctl")
    return BpftopError(f"{what} ({os.strerror(number)}); the demo needs a kernel with CONFIG_NET_NS")


def _await_carrier() -> None:
    """Wait until the kernel has started the sender's queue, in a work queue after the other end came up.

    Until then the kernel drops the sender's packets, and tells the sender that they were sent (noop_enqueue). The
    answer is true once the queue has started: the kernel changes both under one lock (linkwatch_do_dev).

    Raises BpftopError.
    """
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    with closing(Netdev()) as netdev:
        while not netdev.find(GENERATOR.interface).up:
            if time.monotonic() > deadline:
                raise BpftopError(f"the demo's interface {GENERATOR.interface} has no carrier")
            time.sleep(0.001)


class Lab:
    """A pair of namespaces: interface `demo0` on the watched side, `demo1` on the generator's side.

    With `quiet` only the caller's packets pass, so that tests can count exactly: IPv6 is off and the neighbour entries
    are fixed. Else both kernels send IPv6 and ARP packets of their own.

    Raises BpftopError without the privileges, without iproute2's `ip`, or when a step of the set-up fails. Not for
    several threads at once. Needs Linux 5.3 (pidfd_open).
    """

    interface = WATCHED.interface

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.ipv6 = not quiet and os.path.exists("/proc/sys/net/ipv6")
        self._ends: dict[str, _SideHandle] = {}
        self._flowing = False

    def __enter__(self) -> Lab:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create the namespaces and the veth pair, without traffic (about 60 ms)."""
        owner_fd = os.pidfd_open(os.getpid())
        try:
            for side in (WATCHED, GENERATOR):
                self._ends[side.name] = _SideHandle(side, owner_fd)
            for end in self._ends.values():
                end.expect(b"ready")
            self._create_veth_pair()
        except PermissionError as error:  # /proc of a process with more privileges than this user's
            self.stop()
            raise _setup_error(error.errno or errno.EPERM) from error
        except BaseException:
            self.stop()
            raise
        finally:
            os.close(owner_fd)

    def stop(self) -> None:
        """End both processes; namespaces and interfaces vanish within some ms. May be repeated."""
        self._flowing = False
        while self._ends:
            self._ends.popitem()[1].close()

    def start_traffic(self, *, scale: float = 1.0) -> None:
        """Start or restart traffic in both directions: about 5 000 packets per second times `scale`.

        The first packets are sent at about the time of the return.
        """
        self.stop_traffic()
        self._order_both(f"prepare {int(self.ipv6)} {scale}")
        self._order_both("go")
        self._flowing = True

    def stop_traffic(self) -> None:
        """Close all connections; the last FINs and resets may follow within some ms. May be repeated."""
        if self._flowing:
            self._order_both("pause")
            self._order_both("close")
            self._flowing = False

    def _order_both(self, words: str) -> None:
        for side in (WATCHED, GENERATOR):  # first the watched side: it has the servers of the bulk flows
            self._ends[side.name].order(words)

    def check(self) -> None:
        """Raise BpftopError with the reason if one of the two processes has ended."""
        for end in self._ends.values():
            end.check()

    def pid(self, side: Side = WATCHED) -> int:
        """Return the process id for `--netns PID` and `nsenter -n -t PID`."""
        return self._ends[side.name].process.pid

    def netns_path(self, side: Side = WATCHED) -> str:
        """Return a path to open for setns(). An open descriptor keeps the namespace alive: close it in time."""
        return f"/proc/{self.pid(side)}/ns/net"

    def call_in(self, side: Side, function: Callable[[], Result]) -> Result:
        """Run `function` inside the side's namespace; sockets made there may be returned. Raises OSError."""
        self._ends[side.name].check()
        with moved(partial(enter_path, self.netns_path(side))):
            return function()

    def run_in(self, side: Side, argv: Sequence[str], *, text_in: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside the side's namespace, whatever its exit code.

        Raises FileNotFoundError, subprocess.TimeoutExpired.
        """
        return self.call_in(
            side, lambda: subprocess.run(argv, input=text_in, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
        )

    def _create_veth_pair(self) -> None:
        peer = f"peer name {GENERATOR.interface} address {GENERATOR.mac} netns {self.pid(GENERATOR)}"
        self._ip(WATCHED, [f"link add {WATCHED.interface} address {WATCHED.mac} type veth {peer}"])
        # The watched side last: a packet that the peer sends before that side is up is dropped and counted there.
        for side in (GENERATOR, WATCHED):
            self.call_in(side, partial(self._set_ipv6, side))
            self._ip(side, self._address_commands(side))
        self.call_in(GENERATOR, _await_carrier)

    def _set_ipv6(self, side: Side) -> None:
        """Switch the interface's IPv6 on or off; a new namespace may inherit either from the host."""
        switch = Path(f"/proc/sys/net/ipv6/conf/{side.interface}/disable_ipv6")
        wanted = "0" if self.ipv6 else "1"
        if switch.exists() and switch.read_text().strip() != wanted:
            switch.write_text(wanted)

    def _address_commands(self, side: Side) -> list[str]:
        device = f"dev {side.interface}"
        commands = [f"address add {address}/{IPV4_PREFIX} {device}" for address in side.ipv4]
        if self.ipv6:
            commands.append(f"link set {device} addrgenmode none")  # no link-local address, so no DAD for it
            commands += [f"address add {address}/{IPV6_PREFIX} {device} nodad" for address in side.ipv6]
        if self.quiet:
            peer = other(side)
            commands += [f"neighbour add {ip} lladdr {peer.mac} {device} nud permanent" for ip in peer.ipv4]
        return [*commands, "link set lo up", f"link set {device} up"]

    def _ip(self, side: Side, commands: list[str]) -> None:
        try:
            done = self.run_in(side, ["ip", "-batch", "-"], text_in="\n".join(commands) + "\n")
        except FileNotFoundError:
            raise BpftopError(
                "the demo cannot make its interfaces: the command `ip` is missing; install the package iproute2"
            ) from None
        if done.returncode != 0:
            complaint = done.stderr.strip().splitlines()
            reason = complaint[0] if complaint else f"exit code {done.returncode}"
            raise BpftopError(
                f"the demo cannot set up its veth pair (ip: {reason}); it needs CAP_NET_ADMIN and a kernel with veth"
            )
