"""The optional parts that run on tracepoints and behind other programs: each is loaded and attached, and taken away."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from bpftop.collect.bpf.drops import DropCounts
from bpftop.collect.bpf.foreign_xdp import TAKES, watch
from bpftop.collect.bpf.tracing import TRACING, Traced
from bpftop.collect.bpf.xdp_errors import ACTIONS, load
from bpftop.doctor.answers import NotTried, Question, Verdict, no, yes
from bpftop.kernel.bpf import probe
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.check import KernelError, errno_words

_FRAME_WAIT_NS = 200_000_000
_LOOPBACK = 1  # ifindex of lo, which test runs of XDP come from (net/bpf/test_run.c: bpf_prog_test_run_xdp)
_FRAME = bytes(64)


def questions() -> list[Question]:
    """One for each part; any of them may be missing."""
    return [
        Question("drop reasons", _drops, TRACING, "why packets are dropped stays unknown"),
        _errors("XDP exceptions", "count_exception", "failed actions of XDP programs stay unknown"),
        _errors("XDP redirect errors", "count_redirect_error", "failed redirects of XDP programs stay unknown"),
        Question("verdicts of others", _verdicts, TAKES, "what other people's XDP programs return stays unknown"),
    ]


def _errors(name: str, program: str, otherwise: str) -> Question:
    return Question(name, partial(_attached, partial(load, program, ())), TRACING, otherwise)


def _drops() -> Verdict:
    """Has a frame of an unknown ethertype dropped in a private place, and looks for its reason."""
    try:
        with probe.private_pair() as pair:
            start_ns = time.monotonic_ns()
            with closing(DropCounts((pair.receiver,))) as counts:
                took = _ms(start_ns)
                pair.send()
                seen = _await_rows(counts.traced, pair.receiver)
                names = ", ".join(counts.names.get(reason, str(reason)) for _, reason in seen)
    except probe.NoPlace as error:
        verdict = _attached(lambda: DropCounts(()))
        return yes(f"{verdict.evidence}; not tried on a packet, {error}")
    if not seen:
        return no(f"attached in {took}, but a frame that was dropped did not show", "please report it")
    return yes(f"attached in {took}, counted the frame that was sent as {names}")


def _await_rows(traced: Traced, ifindex: int) -> list[tuple[int, ...]]:
    end_ns = time.monotonic_ns() + _FRAME_WAIT_NS
    while True:
        rows = [key for key in traced.read((ifindex,)).rows if key[0] == ifindex]
        if rows or time.monotonic_ns() > end_ns:
            return rows
        time.sleep(0.001)


def _attached(make: Callable[[], Traced | DropCounts]) -> Verdict:
    start_ns = time.monotonic_ns()
    with closing(make()):
        return yes(f"attached in {_ms(start_ns)}")


def _verdicts() -> Verdict:
    """Watches an empty program that is on no device, and test-runs it."""
    try:
        opened = BpfObject("noop", "noop_xdp")
    except KernelError as error:
        raise NotTried(f"an empty XDP program does not load, {errno_words(error.errno)}") from error
    with closing(opened) as empty:
        start_ns = time.monotonic_ns()
        with closing(watch(empty.program.prog_id, (_LOOPBACK,))) as traced:
            took = _ms(start_ns)
            empty.program.test_run(_FRAME)
            rows = traced.read((_LOOPBACK,)).rows
    counted = {key: sum(cpus) for key, cpus in rows.items()}
    if counted != {(_LOOPBACK, ACTIONS.index("XDP_PASS")): 1}:
        return no(f"attached in {took} to an empty program that ran once, but counted {counted}", "please report it")
    return yes(f"attached in {took} to an empty program, counted what it returned")


def _ms(start_ns: int) -> str:
    return f"{(time.monotonic_ns() - start_ns) / 1e6:.1f} ms"
