"""A fault: something real that goes wrong in the lab, made by real traffic.

    with Lab() as lab, SynFlood(lab) as fault:      # prepared, nothing of it flows yet
        fault.begin()
        ...
        fault.end()                                 # at once; what it changed is undone at the end of `with`

Faults are bounded: the rate is fixed, and their workers end by themselves (see worker.MOST_S).
"""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from bpftop.demo.faults import packets
from bpftop.demo.faults.jobs import swallow_udp
from bpftop.demo.faults.namespace_changes import inside, ip
from bpftop.demo.faults.steady_sender import blast
from bpftop.demo.faults.worker import Inside, Worker
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED

FaultT = TypeVar("FaultT", bound="Fault")


class Fault(ABC):
    """Something that goes wrong. A subclass makes the workers in ``prepare``."""

    id: ClassVar[str]
    """Id of the finding that the fault provokes, or a name where it provokes none."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.watched: Inside = inside(lab, WATCHED)
        self.generator: Inside = inside(lab, GENERATOR)
        self.workers: list[Worker] = []
        self.begun_ns = 0
        self._stack = contextlib.ExitStack()

    @abstractmethod
    def prepare(self) -> None:
        """Make sockets, filters and workers, but send no packet. ``keep`` is told how to undo each."""

    def begin(self) -> None:
        """Start the traffic, and return at once."""
        self.begun_ns = time.monotonic_ns()
        for worker in self.workers:
            worker.go()

    def wrong_since_ns(self) -> int:
        """Wait until something is wrong, and return that time (CLOCK_MONOTONIC). For most faults it is ``begin``."""
        return self.begun_ns

    def end(self) -> None:
        """Stop the traffic. Returns within some ms."""
        for worker in self.workers:
            worker.halt()
        for worker in self.workers:
            worker.stop()

    def keep(self, undo: Callable[[], object]) -> None:
        """Call ``undo`` at the end of the ``with`` block."""
        self._stack.callback(undo)

    def send(self, frames: Sequence[bytes], per_sec: float, **how: Any) -> Worker:
        """Add a worker that sends frames out of the generator's interface. ``how``: as for ``blast``."""
        return self.add(blast(self.generator, GENERATOR.interface, frames, per_sec, **how))

    def serve_udp(self, port: int) -> None:
        """Start a worker on the watched side that reads every datagram to the port."""
        server = Worker(self.watched, swallow_udp, address=WATCHED.ipv4[0], port=port)
        self.keep(server.stop)
        server.ready().go()

    def route_strangers(self) -> None:
        """Let answers to `packets.stranger` leave; they end in the generator, which forwards nothing."""
        ip(self.watched, f"route add {packets.STRANGERS} via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {packets.STRANGERS}"))

    def add(self, worker: Worker) -> Worker:
        """Make ``begin`` start the worker, and ``end`` stop it."""
        self.workers.append(worker)
        self.keep(worker.stop)
        return worker

    def __enter__(self: FaultT) -> FaultT:
        try:
            self.prepare()
            for worker in self.workers:
                worker.ready()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def cpus() -> list[int]:
    """Return the CPUs that this process may use."""
    return sorted(os.sched_getaffinity(0))
