"""BPF instructions that each counting program executes for a frame, by interpreting the verified program.

No machine changes these counts. The same bounds are a test: tests/bpf/test_instructions.py, which also compares the
interpreter with the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from bpftop.collect.bpf.packet_counter import PacketCounter
from tests.bench.figures import Figure
from tests.bpf.interpreter import Interpreter, skb_context, xdp_context
from tests.bpf.test_instructions import OTHER, OTHER_LIMIT, PLAIN, PLAIN_LIMIT, PROGRAMS


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Yield the largest count of both groups of frames for each program. Raises KernelError."""
    say("instructions per frame")
    for program, direction in PROGRAMS:
        with closing(PacketCounter(program, direction)) as counter:
            interpreter = Interpreter(counter.program.prog_id)
        context = skb_context if program == "count_tc" else xdp_context
        for group, frames, limit in (("plain TCP and UDP", PLAIN, PLAIN_LIMIT), ("other frames", OTHER, OTHER_LIMIT)):
            executed = {name: interpreter.run(context(frame))[1] for name, frame in frames.items()}
            title = f"{program} {direction}, instructions for {group}"
            how = ", ".join(f"{name} {count}" for name, count in executed.items())
            yield Figure("instructions", title, max(executed.values()), "", limit, how)
