"""Cost of flows: in the kernel per packet, and to read, fold and rank the table.

The packets belong to a flow that is known and in the caches. Real packets of 4 096 flows in turn over a veth pair
took 46 ns more each, of 60 000 flows 103 ns, in one run: that varies too much on a shared machine to be a figure here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from statistics import mean, median

from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.packet_counter import PacketCounter, flows_object
from bpftop.kernel.bpf.flow_table import BUCKETS_MAX, FlowKnobs
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.bpf.program import Program
from bpftop.measure.programs.suite_reads import READ_KEYS, filled_maps
from tests.bench.figures import Figure
from tests.bench.packets import CONTENDERS, FRAMES, Contender, _take_turns
from tests.bench.priority import undisturbed
from tests.bpf.frame import ether, udp4

LIMIT_TO_PLAIN, LIMIT_THIN_TO_PLAIN, LIMIT_READ_TO_BATCH, LIMIT_HITCH_SHARE = 2.5, 0.5, 6, 0.8
LIMIT_INSNS, LIMIT_LOAD_TO_PLAIN = 1_000_000, 10
READ_FLOWS, MOST_FLOWS = 10_000, 30_000
READ_ROUNDS, LOAD_ROUNDS = 15, 7


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """ns per packet above the plain counters, load time, and milliseconds of a read. Raises KernelError."""
    say("flows: ns per packet")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        for contender in CONTENDERS:
            with undisturbed():
                figures = list(_packet(contender))
            yield from figures
    finally:
        os.sched_setaffinity(0, allowed)
    say("flows: reading")
    yield from _reads(READ_FLOWS, limited=True)
    yield from _reads(MOST_FLOWS, limited=False)


def _packet(contender: Contender) -> Iterator[Figure]:
    program, direction, constants = contender.program, contender.direction, contender.constants
    took_ms, plain_ms = [], []
    for _ in range(LOAD_ROUNDS):
        start_ns = time.thread_time_ns()
        flows_object(program, constants, FlowKnobs(BUCKETS_MAX)).close()
        took_ms.append((time.thread_time_ns() - start_ns) / 1e6)
        start_ns = time.thread_time_ns()
        BpfObject("counter", program, constants).close()
        plain_ms.append((time.thread_time_ns() - start_ns) / 1e6)
    with ExitStack() as stack:
        empty = BpfObject("noop", contender.noop)
        stack.callback(empty.close)
        programs: dict[str, Program] = {"empty": empty.program}
        for who, sample in (("plain", 0), ("all", 1), ("1 in 128", 128)):
            knobs = FlowKnobs(BUCKETS_MAX, sample)
            opened = flows_object(program, constants, knobs) if sample else BpfObject("counter", program, constants)
            stack.callback(opened.close)
            programs[who] = opened.program
        insns = programs["all"].info().verified_insns
        nothing, plain, every, sampled = _take_turns(programs)
    ip = [name for name in FRAMES if name != "ARP"]
    plain_ns = mean(plain[name].cpu_ns - nothing[name].cpu_ns for name in ip)
    for title, costs, limit in (("every packet", every, LIMIT_TO_PLAIN), ("1 in 128", sampled, LIMIT_THIN_TO_PLAIN)):
        added = {name: costs[name].cpu_ns - plain[name].cpu_ns for name in FRAMES}
        each = ", ".join(f"{name} {ns:.1f}" for name, ns in added.items())
        added_ns = mean(added[name] for name in ip)
        who = f"{program} {direction} with flows, {title}: added / plain counter"
        how = f"mean without ARP; {added_ns:.1f} of {plain_ns:.1f} ns; {each}"
        yield Figure("flows", who, added_ns / plain_ns, "", limit, how)
    yield Figure("flows", f"{program} {direction} with flows, verified instructions", insns, "", LIMIT_INSNS)
    how = f"with the largest table; least of {LOAD_ROUNDS}: {min(took_ms):.1f} against {min(plain_ms):.1f} ms of CPU"
    title = f"{program} {direction} with flows, load time / without"
    yield Figure("flows", title, min(took_ms) / min(plain_ms), "", LIMIT_LOAD_TO_PLAIN, how)


def _flow_frames(flows: int) -> list[bytes]:
    frame = bytes(ether() / udp4(5000, 5001, 64))
    return [frame[:28] + number.to_bytes(2, "big") + frame[30:] for number in range(flows)]


@dataclass
class _Ticks:
    """A thread that only wants to run every millisecond, as the screen does, and how late it ever was."""

    late_ms: list[float] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()

        def run() -> None:
            while not stop.is_set():
                start_ns = time.perf_counter_ns()
                time.sleep(0.001)
                self.late_ms.append((time.perf_counter_ns() - start_ns) / 1e6 - 1)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _reads(wanted: int, limited: bool) -> Iterator[Figure]:
    """Compare a read of the flow table with a batch read of an ordinary hash, in turn."""
    took_ms, cpu_ms, batch_ms, late_shares, ticks = [], [], [], [], _Ticks()
    with ExitStack() as stack:
        counter = stack.enter_context(closing(PacketCounter("count_xdp", "rx")))
        flows = stack.enter_context(closing(FlowCounter(counter, FlowRequest())))
        whole = filled_maps(stack, {"hash"})["hash"]
        count_on_every_cpu(flows.program, _flow_frames(wanted))
        stack.enter_context(ticks.running())
        for _ in range(READ_ROUNDS):
            ticks.late_ms.clear()
            begin_ns, start_ns = time.thread_time_ns(), time.perf_counter_ns()
            readings = flows.read("eth0")
            took_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
            cpu_ms.append((time.thread_time_ns() - begin_ns) / 1e6)
            time.sleep(0.02)
            late_shares.append(max(ticks.late_ms) / took_ms[-1])
            begin_ns = time.thread_time_ns()
            whole.batch()
            batch_ms.append((time.thread_time_ns() - begin_ns) / 1e6)
    entries = readings["flow_table/eth0/rx"].values[0]
    ratio = median(cpu_ms) / median(batch_ms)
    took = f"CPU time {median(cpu_ms):.1f} against {median(batch_ms):.2f} ms"
    how = f"{entries} flows found; {took}; {possible_cpus()} CPUs"
    title = f"{wanted} flows read, folded, grouped, ranked / a batch of {READ_KEYS} keys of a hash"
    yield Figure("flows", title, ratio, "", LIMIT_READ_TO_BATCH if limited else None, how)
    how = f"a thread that wakes every ms; medians of {READ_ROUNDS}; a read takes {median(took_ms):.1f} ms"
    title = f"the latest start of another thread during a read of {wanted} flows / the read"
    yield Figure("flows", title, median(late_shares), "", LIMIT_HITCH_SHARE if limited else None, how)


def count_on_every_cpu(program: Program, frames: list[bytes]) -> None:
    """Run a program on every frame on every CPU: a flow that only one CPU has seen is folded faster."""
    allowed = os.sched_getaffinity(0)
    try:
        for cpu in allowed:
            os.sched_setaffinity(0, {cpu})
            for frame in frames:
                program.test_run(frame)
    finally:
        os.sched_setaffinity(0, allowed)
