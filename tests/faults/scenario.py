"""A scenario: one real fault made by real traffic in the lab, which cells of which signals it moves, and how fast.

    with Lab(quiet=True) as lab, SynFlood(lab) as fault:      # prepared, nothing flows yet
        fault.begin()
        ...
        fault.end()                                           # at once; what it changed is undone at the end of `with`

Scenarios are bounded: the rate is fixed, and their workers end by themselves (see worker.MOST_S).
"""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar

from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from bpftop.model.stack_counters import family_of
from tests.faults import packets
from tests.faults.blast import blast
from tests.faults.losses import Gain
from tests.faults.place import inside, ip
from tests.faults.worker import Inside, Worker


@dataclass(frozen=True)
class Cell:
    """Cells of a family by the key's labels, None for any, and the column. ``per_sec`` is the least gain per second."""

    family: str
    key: tuple[int | str | None, ...]
    column: str
    per_sec: float = 0.0

    def matches(self, gain: Gain) -> bool:
        return (
            gain.family == self.family
            and gain.column == self.column
            and len(gain.key) == len(self.key)
            and all(wanted in (None, label) for wanted, label in zip(self.key, gain.key, strict=True))
        )


def counter(name: str, per_sec: float = 0.0) -> Cell:
    """A counter of the stack, by the name that nstat gives it."""
    return Cell(family_of(name), (name,), "count", per_sec)


def drop(reason: str, per_sec: float = 0.0) -> Cell:
    """Packets dropped for a reason by the kernel's name."""
    return Cell("drops", (None, reason), "packets", per_sec)


class Scenario(ABC):
    """The subclass says what moves, and makes its workers in ``prepare``."""

    id: ClassVar[str]
    """The finding that it provokes, or what to call it."""
    moves: ClassVar[Sequence[Cell]]
    """Each of these gains at least ``per_sec``."""
    may_move: ClassVar[Sequence[Cell]] = ()
    """Losses that are a direct consequence, or not for sure."""
    finding: ClassVar[str] = ""
    """Id of the finding, if it differs from ``id``."""
    compares: ClassVar[bool] = False
    """Its rule has no form without a baseline."""
    ipv6: ClassVar[bool] = False
    """Needs a lab that is not quiet."""

    @classmethod
    def finds(cls) -> str:
        """The id of the finding."""
        return cls.finding or cls.id

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.watched: Inside = inside(lab, WATCHED)
        self.generator: Inside = inside(lab, GENERATOR)
        self.workers: list[Worker] = []
        self.begun_ns = 0
        self._stack = contextlib.ExitStack()

    @abstractmethod
    def prepare(self) -> None:
        """Everything before the first packet: sockets, filters, workers. What it opens it gives to ``keep``."""

    def begin(self) -> None:
        """Let the traffic go. Returns at once."""
        self.begun_ns = time.monotonic_ns()
        for worker in self.workers:
            worker.go()

    def wrong_since_ns(self) -> int:
        """From when on something is wrong (CLOCK_MONOTONIC): ``begin``; where it takes a while, this waits for it."""
        return self.begun_ns

    def end(self) -> None:
        """Stop the traffic. Returns within some ms."""
        for worker in self.workers:
            worker.halt()
        for worker in self.workers:
            worker.stop()

    def keep(self, undo: Callable[[], object]) -> None:
        """Undo this when the scenario is left."""
        self._stack.callback(undo)

    def send(self, frames: Sequence[bytes], per_sec: float, **how: Any) -> Worker:
        """A worker that sends frames out of the generator's interface; ``how`` as for ``blast``."""
        return self.add(blast(self.generator, GENERATOR.interface, frames, per_sec, **how))

    def serve_udp(self, port: int) -> None:
        """From now on somebody on the watched side reads what comes to the port."""
        server = Worker(self.watched, "tests.faults.jobs:swallow_udp", address=WATCHED.ipv4[0], port=port)
        self.keep(server.stop)
        server.ready().go()

    def route_strangers(self) -> None:
        """Let answers to `packets.stranger` leave; they end in the generator, which forwards nothing."""
        ip(self.watched, f"route add {packets.STRANGERS} via {GENERATOR.ipv4[0]}")
        self.keep(lambda: ip(self.watched, f"route delete {packets.STRANGERS}"))

    def add(self, worker: Worker) -> Worker:
        """A worker of this scenario: ``begin`` starts it, ``end`` stops it."""
        self.workers.append(worker)
        self.keep(worker.stop)
        return worker

    def __enter__(self) -> Scenario:
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
