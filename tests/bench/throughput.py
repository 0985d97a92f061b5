"""Cost of watching for traffic over a veth pair that ran before bpftop started, and how soon bpftop makes way.

The same stream is measured without, with and again without a live source in its default mode, by the device's own
counters, in windows of half a second; the median of all turns counts. The source attaches in this process and ticks
four times a second, so a turn is short; all of it runs before other programs. How soon bpftop makes way is measured
with ``bpftop watch``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import islice
from statistics import mean, median

from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.errors import BpftopError
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Sample
from tests.bench.figures import Figure
from tests.bench.priority import undisturbed
from tests.bench.programs import bpftop
from tests.bpf.devices import Lab

TURNS, WINDOW_S, INTERVAL_S = 21, 0.5, 0.25
STARTING_TICKS = 40
LIMIT_TAKEN = 1 / 0.9
LIMIT_RETREAT_S, RETREAT_WAIT_S = 3.0, 30.0

SMALL_FRAMES = """
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
    sender.bind(("v1", 0))
    frame = b"\\xff" * 6 + b"\\x02" + bytes(5) + b"\\x88\\xb5" + bytes(50)
    while True:
        sender.send(frame)
"""
IPERF_SERVER = ("iperf3", "--server", "--forceflush")
IPERF = ("iperf3", "--client", "198.18.5.1", "--time", "0")


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Raises BpftopError where iperf3 is missing or a program does not run."""
    if shutil.which("iperf3") is None:
        raise BpftopError("throughput is measured by iperf3, which is not installed")
    for title, counter, sender in (
        ("iperf3 into a veth", "rx_bytes", IPERF),
        ("64-byte packets into a veth", "rx_packets", (sys.executable, "-c", SMALL_FRAMES)),
    ):
        say(f"throughput: {title}")
        with undisturbed(), Lab() as lab, closing(Netdev()) as netdev, _receiving(lab):
            yield _taken(lab, netdev, title, counter, sender)
    say("throughput: seconds until bpftop makes way")
    with Lab() as lab, closing(Netdev()) as netdev, _receiving(lab):
        yield _retreat(lab, netdev)


@contextmanager
def _receiving(lab: Lab) -> Iterator[None]:
    lab.veth()
    with _running(IPERF_SERVER) as server:
        assert server.stdout is not None
        while "listening" not in server.stdout.readline():
            if server.poll() is not None:
                raise BpftopError("iperf3 does not listen")
        yield


def _taken(lab: Lab, netdev: Netdev, title: str, counter: str, sender: Sequence[str]) -> Figure:
    ratios, unwatched, watched = [], [], []
    hooks: set[str] = set()
    with ExitStack() as stack:
        with lab.inside(lab.far):
            stack.enter_context(_running(sender))
        time.sleep(1)
        unwatched.append(_per_sec(netdev, counter))
        for _ in range(TURNS):
            with closing(LiveSource(["v0"], LiveOptions(interval_s=INTERVAL_S)).samples()) as samples:
                hooks.add(str(_started(samples).interfaces[0].hooks["rx"]))
                watched.append(_per_sec(netdev, counter, partial(_ticks, samples)))
            unwatched.append(_per_sec(netdev, counter))
            ratios.append(mean(unwatched[-2:]) / watched[-1])
    how = f"median of {TURNS} turns; {median(unwatched):.3g} and {median(watched):.3g} {counter}/s; {', '.join(hooks)}"
    return Figure("throughput", f"{title}: unwatched / watched", median(ratios), "x", LIMIT_TAKEN, how)


def _retreat(lab: Lab, netdev: Netdev) -> Figure:
    with _watch() as hook, ExitStack() as stack:
        if hook != "xdp native":
            raise BpftopError(f"an idle veth is watched by {hook}, not by native XDP")
        with lab.inside(lab.far):
            stack.enter_context(_running(IPERF))
        begin = time.monotonic()
        while netdev.find("v0").xdp:
            if time.monotonic() - begin > RETREAT_WAIT_S:
                raise BpftopError(f"bpftop did not retreat within {RETREAT_WAIT_S:g} s")
            time.sleep(0.01)
        took_s = time.monotonic() - begin
    return Figure("throughput", "retreat to TCX after iperf3 starts", took_s, "s", LIMIT_RETREAT_S)


def _started(samples: Iterator[Sample]) -> Sample:
    """Wait for the sample after which no tracing program is being loaded: that takes CPU time at the start only."""
    for sample in islice(samples, STARTING_TICKS):
        if sample.seq > 0 and not any("being loaded" in why for why in sample.unavailable.values()):
            return sample
    raise BpftopError(f"the tracing programs are not loaded after {STARTING_TICKS} ticks")


def _ticks(samples: Iterator[Sample]) -> None:
    for _ in islice(samples, round(WINDOW_S / INTERVAL_S)):
        pass


def _per_sec(netdev: Netdev, counter: str, wait: Callable[[], object] = lambda: time.sleep(WINDOW_S)) -> float:
    """Return how fast a counter rises during the wait."""
    begin, begin_ns = netdev.find("v0").counters[counter], time.monotonic_ns()
    wait()
    end, end_ns = netdev.find("v0").counters[counter], time.monotonic_ns()
    if end == begin:
        raise BpftopError("nothing arrives: the sender does not run")
    return (end - begin) * 1e9 / (end_ns - begin_ns)


@contextmanager
def _watch() -> Iterator[str]:
    """Run ``bpftop watch`` on v0 and return the receive hook of its first sample."""
    with _running(bpftop("watch", "v0", "--format", "samples")) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BpftopError("bpftop watch ended without a sample")
        hook = json.loads(line)["interfaces"][0]["hooks"]["rx"]
        yield " ".join(filter(None, (hook["hook"], hook.get("mode"))))


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()
