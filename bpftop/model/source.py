"""The source of samples: the kernel, a recording, or standard input. Presenters know only this protocol."""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal, Protocol

from bpftop.errors import BpftopError
from bpftop.model.sample import Sample

SUMMARY_S = 5
"""Seconds between two readings of a table of the busiest flows alone."""

RECORDED_FLOWS = 20
"""The busiest flows of each interface and direction that a recording keeps."""

BpfMode = Literal["off", "list", "statistics"]
""""list": samples have the BPF programs and maps of the machine. "statistics": run statistics are on for them, too."""


class SampleSource(Protocol):
    """A stream of samples that the source paces.

    ``samples`` blocks until the next sample and ends after ``close``, which any thread may call. It raises BpftopError
    where the source cannot begin or go on.
    """

    def samples(self) -> Generator[Sample, None, None]: ...

    def close(self) -> None: ...

    def accept_offer(self, label: str) -> None:
        """Attach as the interface's ``offer`` says (native XDP). The result shows in the samples that follow."""

    def change_interval(self, interval_s: float) -> None:
        """Take the samples at another interval from now on. A recording keeps the pace at which it was made."""

    def watch_bpf(self, on: bool) -> None:
        """Start or stop reading the BPF programs and maps of the machine at every tick, with run statistics on.

        The samples that follow have the families bpf_programs, bpf_program_sizes, bpf_maps and bpf_statistics. A
        recording plays its samples.
        """

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Start or stop counting flows. Counting costs every packet some time, so that it runs only on request.

        The samples that follow have the families flows, flow_groups, flow_ages and flow_table. A recording that has
        these families plays them in any case.

        Args:
            on: count from now on; False: stop.
            sample_1_in: count one of so many packets, chosen evenly; above 1 the readings are estimates.
        """

    def watch_top_flows(self, sample_1_in: int) -> None:
        """Count the busiest flows alone, by one packet in ``sample_1_in``; 0: stop.

        The samples that follow have the families flows and flow_table, with the means of ``SUMMARY_S`` seconds, while
        neither ``watch_flows`` nor ``sample_flows`` counts flows.
        """

    def sample_flows(self, sample_1_in: int, seconds: float) -> None:
        """Count flows for some seconds, unless ``watch_flows`` counts them: then this changes nothing."""


class TakenSamples:
    """The part of a SampleSource that is the same for all samples of a recording and of another host."""

    no_offer = "these samples come from elsewhere: what they offer can be done there alone"

    def accept_offer(self, label: str) -> None:
        raise BpftopError(self.no_offer)

    def change_interval(self, interval_s: float) -> None:
        """Do nothing: the samples keep the pace at which they are or were taken."""

    def watch_bpf(self, on: bool) -> None:
        """Do nothing: the BPF objects that the samples have are shown in any case."""

    def watch_flows(self, on: bool, sample_1_in: int = 1) -> None:
        """Do nothing: the flows that the samples have are shown in any case."""

    def watch_top_flows(self, sample_1_in: int) -> None:
        """Do nothing, as ``watch_flows``."""

    def sample_flows(self, sample_1_in: int, seconds: float) -> None:
        """Do nothing, as ``watch_flows``."""
