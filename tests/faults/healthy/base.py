"""The base of healthy traffic: traffic with which nothing is wrong, of kinds that rules could cry wolf about.

Each is used as a fault is: prepared, ``begin``, ``end``. Rates are fixed, and well above the rules' floors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from bpftop.demo.faults.jobs import pour_tcp, swallow_tcp
from bpftop.demo.faults.namespace_changes import inside
from bpftop.demo.faults.worker import Inside, JobResult, Worker
from bpftop.demo.sides import GENERATOR, WATCHED, Side, other
from tests.faults.jobs import serve_short, visit
from tests.faults.scenario import Cell, Scenario, counter, drop

BULK_PORT, WEB_PORT, QUIC_PORT, LOG_PORT = 8443, 80, 443, 514
MEGABYTE = 10**6


def received(per_sec: float) -> Cell:
    return Cell("links", (WATCHED.interface,), "rx_packets", per_sec)


def sent(per_sec: float) -> Cell:
    return Cell("links", (WATCHED.interface,), "tx_packets", per_sec)


def received_bytes(per_sec: float) -> Cell:
    """Return the bytes that the watched interface has received: TCP hands over up to 64 kB as one packet."""
    return Cell("links", (WATCHED.interface,), "rx_bytes", per_sec)


def sent_bytes(per_sec: float) -> Cell:
    """Return the expected cell of the bytes that the interface sends."""
    return Cell("links", (WATCHED.interface,), "tx_bytes", per_sec)


class Healthy(Scenario):
    """Parts of the healthy traffic."""

    may_move: ClassVar[Sequence[Cell]] = (
        *(counter("TcpRetransSegs"), counter("TcpExtTCPLostRetransmit"), counter("TcpExtTCPTimeouts")),
        counter("TcpExtPruneCalled"),  # a reader that a busy machine keeps waiting; nothing is lost
        drop("QUEUE_PURGE"),  # the FIN that a closed socket still holds when it ends, one per short connection
    )

    def serve(self, place: Inside, job: Callable[..., JobResult], **arguments: Any) -> None:
        """Start a server, which runs until the end."""
        server = Worker(place, job, **arguments)
        self.keep(server.stop)
        server.ready().go()

    def pour(self, side: Side, megabytes_per_sec: float, flows: int = 4, version: int = 4) -> None:
        """Bulk TCP from one side to the other."""
        to = other(side)
        address = to.ipv4[0] if version == 4 else to.ipv6[0]
        self.serve(inside(self.lab, to), swallow_tcp, address=address, port=BULK_PORT)
        self.add(
            Worker(
                inside(self.lab, side),
                pour_tcp,
                address=address,
                port=BULK_PORT,
                flows=flows,
                bytes_per_sec=megabytes_per_sec * MEGABYTE,
            )
        )

    def visit(self, per_sec: float, *, reset: bool = False, version: int = 4, address: str | None = None) -> None:
        """Short connections from the generator's addresses; to the watched side's server unless told."""
        sources = GENERATOR.ipv4 if version == 4 else GENERATOR.ipv6
        if address is None:
            address = WATCHED.ipv4[0] if version == 4 else WATCHED.ipv6[0]
            self.serve(self.watched, serve_short, address=address, port=WEB_PORT, size_bytes=3000)
        self.add(
            Worker(
                self.generator,
                visit,
                sources=sources,
                address=address,
                port=WEB_PORT,
                per_sec=per_sec,
                reset=reset,
            )
        )
