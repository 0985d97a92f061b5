"""Repeated BPF_PROG_TEST_RUN of a program on the calling thread, timed in C."""

from __future__ import annotations

import errno

from bpftop.fields import frozen, replace
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.return_code import check

_TURNS_MAX = 4096  # turns of one thread; a measuring window has some ten


class Stopped(Exception):
    """The stop flag was set before the measurement was complete. Not an error: the setter of the flag handles it."""


@frozen
class Request:
    """Input of a test-run: a packet, a context, or both, and how often the kernel repeats the program.

    ``repeat`` is 0 for program types that refuse to repeat. ``calls`` test-runs are timed as one turn. The u32 at
    ``number_at`` in the packet (without a packet: in the context) differs between turns and between CPUs.
    """

    packet: bytes = b""
    context: bytes = b""
    repeat: int = 1
    calls: int = 1
    number_at: int | None = None

    @property
    def runs(self) -> int:
        """Number of program runs in one turn."""
        return max(1, self.repeat) * self.calls

    def with_number(self, number: int) -> Request:
        """Return the request with ``number`` modulo 2^32 at ``number_at``; unchanged if ``number_at`` is None."""
        if self.number_at is None:
            return self
        part = "packet" if self.packet else "context"
        content: bytes = getattr(self, part)
        word = (number % (1 << 32)).to_bytes(4, "little")
        content = content[: self.number_at] + word + content[self.number_at + 4 :]
        return replace(self, packet=content) if self.packet else replace(self, context=content)


@frozen
class Turn:
    """One turn of one thread. Times are CLOCK_MONOTONIC; ``cpu_ns`` is the CPU time of the thread.

    ``duration_ns`` is the kernel's mean over the repeats of the last call, rounded down to whole nanoseconds.
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
    """Take turns until ``until_ns`` (CLOCK_MONOTONIC), at least one.

    Raises KernelError, and Stopped once ``stop`` is set.
    """
    runs = ffi.new("struct bpftop_timed_runs *")
    packet, context = (ffi.new("char[]", part) if part else ffi.NULL for part in (request.packet, request.context))
    runs.prog_fd, runs.repeat, runs.calls = program.fd, request.repeat, request.calls
    runs.packet, runs.packet_bytes = packet, len(request.packet)
    runs.context, runs.context_bytes = context, len(request.context)
    if request.number_at is not None:
        runs.number = (packet if request.packet else context) + request.number_at
    turns = ffi.new("struct bpftop_turn[]", _TURNS_MAX)
    count = lib.bpftop_take_turns(runs, until_ns, stop.flag, turns, _TURNS_MAX)
    if count == -errno.EINTR:  # signals do not end the C loop, so the flag is set
        raise Stopped
    check(count, f"test-run the BPF program {program.name}")
    return [Turn(turn.begin_ns, turn.end_ns, turn.cpu_ns, turn.retval, turn.duration_ns) for turn in turns[0:count]]
