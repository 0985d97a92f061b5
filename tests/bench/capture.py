"""Cost of a running capture: what it adds to a packet that it copies, and to one that its filter or its rate refuses.

BPF_PROG_TEST_RUN of the program against an empty one, with its own maps; nobody reads the ring, so it is full after
some thousand packets, and copies are measured in runs that are shorter than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_address

from bpftop.collect.capture.request import CaptureRequest, FlowSide
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.record_ring import PacketRecords
from bpftop.kernel.measure.frames import FRAMES
from tests.bench.figures import Figure

COPIES, RUNS, ROUNDS = 2000, 50_000, 9
LIMIT_COPY, LIMIT_REFUSED = 12.0, 8.0
"""In times of an empty program under TEST_RUN."""

CASES = {
    "a copied packet": (CaptureRequest(packets_per_sec=10**9), COPIES, LIMIT_COPY),
    "a packet beyond the rate": (CaptureRequest(packets_per_sec=1), RUNS, LIMIT_REFUSED),
    "a packet of another flow": (CaptureRequest(flow=(FlowSide(ip_address("192.0.2.1")),)), RUNS, LIMIT_REFUSED),
    "a packet that is not chosen (1 in 1000)": (
        CaptureRequest(sample_1_in=1000, packets_per_sec=1), RUNS, LIMIT_REFUSED,
    ),
}  # fmt: skip


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where a packet was not copied, or the kernel refuses."""
    say("capture: ns per packet")
    with closing(BpfObject("noop", "noop_tc")) as noop:
        empty_ns = min(noop.program.test_run(FRAMES["UDP"], RUNS).duration_ns for _ in range(ROUNDS))
    for name, (request, runs, limit) in CASES.items():
        constants = {**request.constants, "capture_tx": 0, "link_is_ip": 0}
        with closing(BpfObject("capture_packets", "capture_tc", constants)) as capturing:
            records = PacketRecords(capturing)
            least_ns = 1 << 62
            for _ in range(ROUNDS):
                least_ns = min(least_ns, capturing.program.test_run(FRAMES["UDP"], runs).duration_ns)
                while records.read():
                    pass
            matched, _, full, _ = records.counts()
            records.close()
            if name == "a copied packet" and (full or matched != ROUNDS * runs):
                raise BpftopError(f"of {ROUNDS * runs} packets {matched - full} were copied")
        added_ns = max(0, least_ns - empty_ns)
        how = f"{added_ns} ns; an empty program {empty_ns} ns; least of {ROUNDS} runs of {runs}"
        yield Figure("capture", f"{name} / an empty program", added_ns / max(1, empty_ns), "", limit, how)
