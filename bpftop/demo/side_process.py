"""The process at one side of the lab's veth pair. The network namespace lives as long as this process.

It runs as `python -I -S -c BOOTSTRAP side control_fd owner_fd` and talks with its owner over `control_fd`, a socket of
packets: it sends "ready", then answers each order with "done"; or it sends "failed ERRNO" and exits. It exits as soon
as the owner does: `owner_fd` is a pidfd of the owner, which becomes readable however the owner ends, SIGKILL included.
(PR_SET_PDEATHSIG would fire when the *thread* that started this process ends.)
"""

import os
import signal
import socket
import sys
import time
from select import EPOLLIN, epoll

from bpftop.demo.event_loop import Pace, PacketSource, Reactor
from bpftop.demo.sides import GENERATOR, WATCHED, Side
from bpftop.demo.traffic_mix import TrafficMix
from bpftop.kernel.netns import unshare_network

TICK_S = 0.01
LONGEST_TICK_S = 0.05  # packets missed in a stall (SIGSTOP, a busy machine) are not sent later
RETUNE_S = 1.0
LANES = 4  # maximum number of CPUs to send from


class SideProcess:
    """Waits for orders, and sends traffic between the orders "go" and "pause"."""

    def __init__(self, side: Side, control: socket.socket, owner_fd: int) -> None:
        self._side = side
        self._control = control
        self._owner_fd = owner_fd
        self._reactor = Reactor()
        self._wakers = epoll()
        for number in (owner_fd, control.fileno(), self._reactor.fileno()):
            self._wakers.register(number, EPOLLIN)
        self._mix: TrafficMix
        self._running = False
        self._allowed_cpus = os.sched_getaffinity(0)
        self._lanes: list[tuple[int, list[tuple[Pace, PacketSource]]]] = []
        self._start_s = self._last_tick_s = self._next_tick_s = self._next_retune_s = 0.0

    def run(self) -> None:
        """Run until the owner exits or closes the control socket."""
        while True:
            timeout_s = max(0.0, self._next_tick_s - time.monotonic()) if self._running else None
            ready = {number for number, _ in self._wakers.poll(timeout_s)}
            if self._owner_fd in ready:
                return
            if self._control.fileno() in ready and not self._obey(self._control.recv(256)):
                return
            if self._reactor.fileno() in ready:
                self._reactor.turn()
            if self._running and time.monotonic() >= self._next_tick_s:
                self._tick()

    def _obey(self, order: bytes) -> bool:
        """Execute "prepare IPV6 SCALE", "go", "pause" or "close". Return False at the end of orders.

        The owner prepares both sides before either sends, and pauses both before either closes, so that no packet
        meets a port that is not open yet or closed already.
        """
        if not order:
            return False
        verb, *words = order.decode().split()
        self._running = verb == "go"
        if verb == "prepare":
            ipv6, scale = words
            try:
                self._mix = TrafficMix(self._side, self._reactor, ipv6=ipv6 == "1", scale=float(scale))
            except PermissionError as error:  # raw sockets need CAP_NET_RAW
                self._control.send(f"failed {error.errno}".encode())
                return False
            cpus = sorted(self._allowed_cpus)[:LANES]
            self._lanes = [(cpu, self._mix.paced[lane :: len(cpus)]) for lane, cpu in enumerate(cpus)]
        elif verb == "go":
            self._start_s = self._last_tick_s = self._next_tick_s = self._next_retune_s = time.monotonic()
        elif verb == "close":
            self._mix.close()
        self._control.send(b"done")
        return True

    def _tick(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_retune_s:
            for pace, _ in self._mix.paced:
                pace.retune(now_s - self._start_s)
            self._next_retune_s = now_s + RETUNE_S
        elapsed_s = min(now_s - self._last_tick_s, LONGEST_TICK_S)
        self._last_tick_s = now_s
        self._next_tick_s = max(self._next_tick_s + TICK_S, now_s)
        for cpu, paced in self._lanes:
            self._move_to(cpu)
            for pace, source in paced:
                count = pace.due(elapsed_s)
                if count:
                    source.emit(count)

    def _move_to(self, cpu: int) -> None:
        """Send from this CPU: veth receives on the sender's CPU, so the flows spread as over the queues of a NIC.

        Two moves per tick cost 0.5 % of a core.
        """
        if len(self._lanes) > 1:
            try:
                os.sched_setaffinity(0, {cpu})
            except OSError:  # the CPU has gone offline or left our cpuset: stay
                return


def main() -> None:
    """Entry of the process; the arguments are in `sys.argv`."""
    side = {side.name: side for side in (WATCHED, GENERATOR)}[sys.argv[1]]
    control = socket.socket(fileno=int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which then closes the control socket
    with open("/proc/self/comm", "w") as name:
        name.write(f"bpftop-{side.interface}")
    outside = os.stat("/proc/self/ns/net").st_ino
    try:
        unshare_network()
    except OSError as error:
        control.send(f"failed {error.errno}".encode())
        return
    if os.stat("/proc/self/ns/net").st_ino == outside:
        raise RuntimeError("still in the owner's network namespace")
    control.send(b"ready")
    SideProcess(side, control, int(sys.argv[3])).run()
