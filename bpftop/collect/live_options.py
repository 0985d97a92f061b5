"""The options of live samples."""

from __future__ import annotations

from bpftop.fields import frozen
from bpftop.hooks.attach_facts import AttachRequest
from bpftop.model.source import BpfMode

SCREEN_GAP_S = 0.1
"""A screen shows rates so long after the first sample. A document waits a whole interval for its rates."""


@frozen
class LiveOptions:
    """Options for attaching, and for the parts that a live source reads.

    Attributes:
        request: how to attach; by default ``auto``, without a person who could accept offers.
        first_gap_s: seconds between the first two samples. None: one interval; the second sample is then complete.
        traffic_first: the first two samples are read for the rates of the packets alone; the collectors of everything
            else begin with the third sample, and the fourth is complete. The third one comes two gaps after the
            second, when the screen has been painted; the others one gap after each other.
        netns: path of the network namespace that the thread of ``samples`` enters.
        drops: count drop reasons and XDP exceptions by tracepoints.
        bpf: also list the BPF programs and maps of the machine; "statistics" keeps run statistics on meanwhile.
        inner_flows: of tunnelled packets count the flow inside, where a program is at tc.
    """

    request: AttachRequest = AttachRequest()
    interval_s: float = 1.0
    first_gap_s: float | None = SCREEN_GAP_S
    traffic_first: bool = False
    netns: str | None = None
    netns_name: str | None = None
    drops: bool = True
    bpf: BpfMode = "off"
    inner_flows: bool = False
