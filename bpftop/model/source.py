"""Where samples come from: the kernel, a recording, standard input. The presenters know only this."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from bpftop.model.sample import Sample


class SampleSource(Protocol):
    """A stream of samples that somebody else paces.

    ``samples`` blocks until the next one is there; it ends after ``close``, which any thread may call. A failure to
    begin or to go on is a BpftopError raised by ``samples``.
    """

    def samples(self) -> Generator[Sample, None, None]: ...

    def close(self) -> None: ...

    def accept_offer(self, label: str) -> None:
        """Do what the interface's ``offer`` says (native XDP). The result shows in the samples that follow."""

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Count flows from now on, or no more: for those who look at them, because it costs every packet.

        With ``sample_1_in`` above 1 only so many packets are counted, chosen at random, and what is read is an
        estimate. The readings of the families flows, flow_groups, flow_ages and flow_table come with the samples that
        follow, also with those of a recording that has them, whatever was asked for.
        """
