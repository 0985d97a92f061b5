"""A program under BPF_PROG_TEST_RUN again and again on the calling thread, timed in C."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.check import check

_TURNS = 4096  # a thread's room for turns; a window is made for some ten


class Stopped(Exception):
    """The flag was set before all was done. No error: it is for whoever set it."""


@dataclass(frozen=True)
class Request:
    """What a test-run is handed: a packet or a context, or both, and how often the kernel shall repeat it.

    ``repeat`` is 0 for types that refuse one; ``calls`` test-runs are timed as one turn. The u32 at ``number_at`` of
    the packet (of the context where there is no packet) is another one in each turn and on each CPU.
    """

    packet: bytes = b""
    context: bytes = b""
    repeat: int = 1
    calls: int = 1
    number_at: int | None = None

    @property
    def runs(self) -> int:
        """Runs of the program in a turn."""
        return max(1, self.repeat) * self.calls

    def with_number(self, number: int) -> Request:
        """The same with this number, modulo 2^32, where the request has one."""
        if self.number_at is None:
            return self
        part = "packet" if self.packet else "context"
        old: bytes = getattr(self, part)
        word = (number % (1 << 32)).to_bytes(4, "little")
        new = old[: self.number_at] + word + old[self.number_at + 4 :]
        return replace(self, packet=new) if self.packet else replace(self, context=new)


@dataclass(frozen=True)
class Turn:
    """One turn of one thread. Times are CLOCK_MONOTONIC; ``cpu_ns`` is the thread's CPU time in it.

    ``duration_ns`` is the kernel's mean of the last call's repeats, in whole nanoseconds and rounded down.
    """

    begin_ns: int
    end_ns: int
    cpu_ns: int
    retval: int
    duration_ns: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.begin_ns


def take_turns(program: Program, request: Request, until_ns: int, stop: Stop) -> list[Turn]:
    """Turns until this time of CLOCK_MONOTONIC, at least one. Raises KernelError; Stopped once ``stop`` is set."""
    contender = ffi.new("struct bpftop_contender *")
    packet, context = (ffi.new("char[]", part) if part else ffi.NULL for part in (request.packet, request.context))
    contender.prog_fd, contender.repeat, contender.calls = program.fd, request.repeat, request.calls
    contender.packet, contender.packet_bytes = packet, len(request.packet)
    contender.context, contender.context_bytes = context, len(request.context)
    if request.number_at is not None:
        contender.number = (packet if request.packet else context) + request.number_at
    turns = ffi.new("struct bpftop_turn[]", _TURNS)
    count = lib.bpftop_contend(contender, until_ns, stop.flag, turns, _TURNS)
    if count == -errno.EINTR:  # no signal ends the loop, only the flag
        raise Stopped
    check(count, f"test-run the BPF program {program.name}")
    return [Turn(t.begin_ns, t.end_ns, t.cpu_ns, t.retval, t.duration_ns) for t in turns[0:count]]
