"""Questions about the parts on tracepoints and on other programs. Each part is attached and detached again."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from bpftop.collect.bpf.drops import DropCounts
from bpftop.collect.bpf.foreign_xdp import TAKES, watch
from bpftop.collect.bpf.tracing import Traced, refusal
from bpftop.collect.bpf.xdp_errors import ACTIONS, load
from bpftop.doctor.answers import NotTried, Question, Verdict, await_frame, elapsed_ms, no, yes
from bpftop.kernel.bpf import probe
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.privileges import TRACING
from bpftop.kernel.return_code import KernelError, errno_words

_LOOPBACK = 1  # ifindex of lo, which test runs of XDP come from (net/bpf/test_run.c: bpf_prog_test_run_xdp)
_FRAME = bytes(64)


def questions() -> list[Question]:
    """Return a question for each part. Any part may be missing."""
    return [
        Question("drop reasons", _drops, TRACING, "the reasons of dropped packets stay unknown"),
        _errors("XDP exceptions", "count_exception", "failed actions of XDP programs stay unknown"),
        _errors("XDP redirect errors", "count_redirect_error", "failed redirects of XDP programs stay unknown"),
        Question(
            "verdicts of others",
            partial(_with_btf, _verdicts),
            (*TAKES, "CAP_NET_ADMIN"),
            "the verdicts of other owners' XDP programs stay unknown",
        ),
    ]


def _errors(name: str, program: str, remedy: str) -> Question:
    ask = partial(_with_btf, partial(_attached, partial(load, program, ())))
    return Question(name, ask, TRACING, remedy)


def _with_btf(ask: Callable[[], Verdict]) -> Verdict:
    """Ask a question about a program that is attached by the kernel's BTF; without BTF libbpf answers ESRCH."""
    try:
        return ask()
    except KernelError as error:
        if error.errno != errno.ESRCH:
            raise
        return no(refusal(error, TRACING))


def _drops() -> Verdict:
    """Let the kernel drop a frame of an unknown ethertype on a private pair, and look for its reason."""
    try:
        with probe.private_pair() as pair:
            start_ns = time.monotonic_ns()
            index = (pair.receiver,)
            with closing(DropCounts(index)) as counts:
                duration = elapsed_ms(start_ns)
                pair.send()
                keys = await_frame(lambda: [key for key in counts.read(index).rows if key[0] == pair.receiver])
                names = ", ".join(counts.names.get(reason, str(reason)) for _, reason in keys)
    except probe.NoPlace as error:
        verdict = _attached(lambda: DropCounts(()))
        return yes(f"{verdict.evidence}; not tried on a packet: {error}")
    if not keys:
        return no(f"attached in {duration}, but did not count the frame that was dropped", "please report it")
    return yes(f"attached in {duration}, counted the frame that was sent as {names}")


def _attached(make: Callable[[], Traced]) -> Verdict:
    start_ns = time.monotonic_ns()
    with closing(make()):
        return yes(f"attached in {elapsed_ms(start_ns)}")


def _verdicts() -> Verdict:
    """Watch an empty program that is on no device, and test-run it."""
    try:
        opened = BpfObject("noop", "noop_xdp")
    except KernelError as error:
        raise NotTried(f"an empty XDP program does not load, {errno_words(error.errno)}") from error
    with closing(opened) as empty:
        start_ns = time.monotonic_ns()
        with closing(watch(empty.program.prog_id, (_LOOPBACK,))) as traced:
            duration = elapsed_ms(start_ns)
            empty.program.test_run(_FRAME)
            rows = traced.read((_LOOPBACK,)).rows
    counted = {key: sum(cpus) for key, cpus in rows.items()}
    if counted != {(_LOOPBACK, ACTIONS.index("XDP_PASS")): 1}:
        return no(
            f"attached in {duration} to an empty program that ran once, but counted {counted}", "please report it"
        )
    return yes(f"attached in {duration} to an empty program, counted its verdict")
