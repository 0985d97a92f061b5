"""Listening TCP sockets with connections that wait to be accepted, by sock_diag.

/proc/net/tcp has the same numbers, but the kernel lists every connection of the machine there, and not the limit.
"""

from __future__ import annotations

from bpftop.collect.collector import Unavailable
from bpftop.collect.sockets.socket_collector import SocketCollector
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.sock_diag import Listener


class ListenSockets(SocketCollector[Listener]):
    name = "listen_sockets"
    subject = "accept queues"

    def list_sockets(self) -> list[Listener]:
        if self.diag is None:
            raise Unavailable(f"{self.subject}: they come by netlink, and recorded files have none of it")
        try:
            return self.diag.waiting_listeners()
        except KernelError as error:
            raise Unavailable(f"{self.subject}: {error}") from error

    def cells(self, socket: Listener) -> list[int | None]:
        return [socket.accept_queue, socket.accept_queue_max]
