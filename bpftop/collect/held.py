"""Programs on their hooks: trying the steps of a plan, and what came of it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bpftop.collect.traffic import Counter
from bpftop.kernel.check import KernelError
from bpftop.kernel.link import Clsact, Link
from bpftop.kernel.netdev import Device, Netdev
from bpftop.model import hook_words as words
from bpftop.model.hooks import Facts, LinkLayer, ProgramName, Step, remaining
from bpftop.model.sample import Direction, Hook

MakeCounter = Callable[[ProgramName, Direction, LinkLayer], Counter]


@dataclass(frozen=True)
class Held:
    """A counter on its hook. Closing it detaches and frees both."""

    step: Step
    direction: Direction
    counter: Counter
    attachment: Link | Clsact
    prog_id: int

    def hook(self, ns_per_packet: float | None) -> Hook:
        return Hook(self.step.hook, self.step.mode, self.prog_id, ns_per_packet, self.counter.batch)

    def device_index(self) -> int:
        """ifindex of the device that the link is on, in that device's namespace; 0 where it is on none, or no link."""
        return self.attachment.ifindex() if isinstance(self.attachment, Link) else 0

    def is_detached(self, netdev: Netdev, device: Device) -> bool:
        """Whether somebody took the program off the device, which is there."""
        if isinstance(self.attachment, Clsact):
            return all(found.prog_id != self.prog_id for found in netdev.filters(device.ifindex, self.direction))
        if self.step.mode is not None and device.xdp.get(self.step.mode) != self.prog_id:
            return True
        return self.attachment.ifindex() == 0

    def close(self) -> None:
        with contextlib.ExitStack() as stack:  # the counter is freed though detaching fails
            stack.callback(self.counter.close)
            self.attachment.close()


@dataclass(frozen=True)
class Failure:
    """A step that did not hold, and whether its program did not even load."""

    step: Step
    error: KernelError
    loading: bool

    def fallback(self, facts: Facts, held: Step | None) -> str:
        """The notice about it."""
        if self._verifier_speaks:
            return words.not_loaded(facts, str(self.error), held)
        return words.fallback(facts, self.step, self.error.errno, held)

    def sentence(self, facts: Facts) -> str:
        """The error about it."""
        if self._verifier_speaks:
            return words.not_loaded(facts, str(self.error), None)
        return words.failure(facts, self.step, self.error.errno)

    @property
    def _verifier_speaks(self) -> bool:
        """The kernel refused the program itself, and not for lack of permission."""
        return self.loading and self.error.errno != errno.EPERM


def hold(
    steps: Sequence[Step], direction: Direction, ifindex: int, layer: LinkLayer, make_counter: MakeCounter
) -> tuple[Held | None, list[Failure]]:
    """Try the steps in their order; the first that holds, and the failures before it."""
    failures: list[Failure] = []
    while steps:
        tried = _try(steps[0], direction, ifindex, layer, make_counter)
        if isinstance(tried, Held):
            return tried, failures
        failures.append(tried)
        steps = remaining(steps, tried.step, tried.error.errno)
    return None, failures


def _try(step: Step, direction: Direction, ifindex: int, layer: LinkLayer, make_counter: MakeCounter) -> Held | Failure:
    try:
        counter = make_counter(step.program, direction, layer)
    except KernelError as error:
        return Failure(step, error, loading=True)
    with contextlib.ExitStack() as undo:
        undo.callback(counter.close)
        try:
            prog_id = counter.program.prog_id
            held = Held(step, direction, counter, _attach(step, counter, direction, ifindex), prog_id)
        except KernelError as error:
            return Failure(step, error, loading=False)
        undo.pop_all()
    return held


def _attach(step: Step, counter: Counter, direction: Direction, ifindex: int) -> Link | Clsact:
    if step.hook == "xdp":
        return Link.xdp(counter.program.fd, ifindex, generic=step.mode == "generic")
    if step.hook == "tcx":
        return Link.tcx(counter.program.fd, ifindex, direction)
    return Clsact(counter.program.fd, ifindex, direction)
