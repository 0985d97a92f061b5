"""Programs on the hooks of one device: the steps of a plan are tried, and what holds is kept until it is released."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bpftop.collect.attach.facts import occupants
from bpftop.collect.attach.offloads import Offloads
from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.traffic import PacketCounter
from bpftop.errors import BpftopError
from bpftop.hooks import messages
from bpftop.hooks.facts import AttachFacts, LinkLayer
from bpftop.hooks.plan import OCCUPIED
from bpftop.hooks.steps import CLSACT, GENERIC, AttachPlan, AttachStep, ProgramName, remaining
from bpftop.kernel.bpf.link import Clsact, Link
from bpftop.kernel.check import KernelError
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.model.sample import DIRECTIONS, Direction, Hook

MakeCounter = Callable[[ProgramName, Direction, LinkLayer], PacketCounter]


class Vanished(BpftopError):
    """The device went away while something was attached to it."""


@dataclass(frozen=True)
class AttachedProgram:
    """A counter on its hook. Closing it detaches and frees both."""

    step: AttachStep
    direction: Direction
    counter: PacketCounter
    attachment: Link | Clsact
    prog_id: int
    flows: FlowCounter | None = None
    """In the counter's place on the hook, while flows are watched."""

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
        try:
            self.attachment.close()
        finally:
            if self.flows is not None:
                self.flows.close()
            self.counter.close()

    def with_flows(self, request: FlowRequest | None) -> AttachedProgram:
        """The same hook with the program exchanged for one that keeps flows, or back for None.

        No packet is missed: both count into the same maps, and the kernel puts one in the place of the other. Raises
        KernelError.
        """
        flows = None if request is None else FlowCounter(self.counter, request)
        program = self.counter.program if flows is None else flows.program
        try:
            self.attachment.update(program.fd)
        except KernelError:
            if flows is not None:
                flows.close()
            raise
        if self.flows is not None:
            self.flows.close()
        return replace(self, flows=flows, prog_id=program.prog_id)


@dataclass(frozen=True)
class Failure:
    """A step that did not hold. ``loading``: the kernel refused the program, not the hook."""

    step: AttachStep
    error: KernelError
    loading: bool

    def _is_of_the_program(self, facts: AttachFacts) -> bool:
        """Not of the privileges: EACCES is how the verifier says that CAP_PERFMON is missing."""
        if self.error.errno == errno.EACCES:
            return self.loading and not facts.missing_capabilities
        return self.loading and self.error.errno != errno.EPERM

    def fallback(self, facts: AttachFacts, held: AttachStep | None) -> str:
        """The notice about it."""
        if self._is_of_the_program(facts):
            return messages.not_loaded(facts, str(self.error), self.error.errno, held)
        return messages.fallback(facts, self.step, self.error.errno, held)

    def sentence(self, facts: AttachFacts) -> str:
        """The error about it."""
        if self._is_of_the_program(facts):
            return messages.not_loaded(facts, str(self.error), self.error.errno, None)
        return messages.failure(facts, self.step, self.error.errno)


class AttachedHooks:
    """What is attached to one device."""

    def __init__(self, netdev: Netdev, proc: Path, make_counter: MakeCounter = PacketCounter) -> None:
        self.held: dict[Direction, AttachedProgram] = {}
        self._netdev, self._proc, self._make_counter = netdev, proc, make_counter
        self._costs: dict[tuple[ProgramName, Direction], float | None] = {}
        self._undo = contextlib.ExitStack()  # beyond detaching
        self.flow_faults: dict[Direction, str] = {}
        self._flows_refused: dict[Direction, tuple[PacketCounter, FlowRequest | None]] = {}

    def apply_plan(self, planned: AttachPlan, facts: AttachFacts, device: Device) -> tuple[str, ...]:
        """Attach as planned, then let go of what was attached before; the notices about it.

        BpftopError: a forced mode does not hold, or (Vanished) the device has gone. Then nothing has changed.
        """
        had_clsact = CLSACT not in planned.rx or self._netdev.has_clsact(device.ifindex)
        offloads = Offloads(self._netdev, device) if GENERIC in planned.rx else None
        held: dict[Direction, AttachedProgram] = {}
        notices: dict[Direction, str] = {}
        with contextlib.ExitStack() as undo:
            if not had_clsact:  # the qdisc comes before the filter, which may be refused
                undo.callback(self._netdev.remove_empty_clsact, device.ifindex)
            for direction, steps in zip(DIRECTIONS, (planned.rx, planned.tx), strict=True):
                one, failures = self._hold(steps, direction, device, planned.link_layer)
                if one is not None:
                    undo.callback(one.close)
                    held[direction] = one
                elif failures:
                    self._raise_if_needed(failures[0], facts, device, planned.forced and direction == "rx")
                if failures and (one is None or one.step.hook != failures[0].step.hook):
                    notices[direction] = self._notice(one, failures, facts, device)
            undo.pop_all()
        self.detach()
        self.held = held
        if offloads is not None:
            self._undo.callback(offloads.restore)
        if not had_clsact:
            self._undo.callback(self._netdev.remove_empty_clsact, device.ifindex)
        if not held:  # for both directions the same reason: one line
            return tuple(notices.values())[:1]
        return tuple(f"TX: {notice}" if direction == "tx" else notice for direction, notice in notices.items())

    def _raise_if_needed(self, failure: Failure, facts: AttachFacts, device: Device, forced: bool) -> None:
        if self._netdev.device(device.ifindex) is None:
            raise Vanished(messages.vanished(facts))
        if forced:
            raise BpftopError(failure.sentence(self._occupied_by(failure, facts, device)))

    def _notice(
        self, one: AttachedProgram | None, failures: Sequence[Failure], facts: AttachFacts, device: Device
    ) -> str:
        # With no hook at all the last failure is the one that something can be done about.
        worst = failures[0] if one is not None else failures[-1]
        return worst.fallback(self._occupied_by(worst, facts, device), one.step if one is not None else None)

    def _occupied_by(self, failure: Failure, facts: AttachFacts, device: Device) -> AttachFacts:
        """With who has taken the hook since the facts were gathered."""
        now = self._netdev.device(device.ifindex) if failure.error.errno in OCCUPIED else None
        return facts if now is None else replace(facts, occupants=occupants(now, self._proc))

    def _hold(
        self, steps: Sequence[AttachStep], direction: Direction, device: Device, layer: LinkLayer
    ) -> tuple[AttachedProgram | None, list[Failure]]:
        """The first step that holds, and the failures before it."""
        failures: list[Failure] = []
        while steps:
            tried = self._try(steps[0], direction, device, layer)
            if isinstance(tried, AttachedProgram):
                return tried, failures
            failures.append(tried)
            steps = remaining(steps, tried.step, tried.error.errno)
        return None, failures

    def _try(
        self, step: AttachStep, direction: Direction, device: Device, layer: LinkLayer
    ) -> AttachedProgram | Failure:
        try:
            counter = self._make_counter(step.program, direction, layer)
        except KernelError as error:
            return Failure(step, error, loading=True)
        with contextlib.ExitStack() as undo:
            undo.callback(counter.close)
            try:
                prog_id = counter.program.prog_id
                held = AttachedProgram(
                    step, direction, counter, _attach(step, counter, direction, device.ifindex), prog_id
                )
            except KernelError as error:
                return Failure(step, error, loading=False)
            undo.pop_all()
        return held

    def drop(self, direction: Direction) -> None:
        """Close one direction's."""
        held = self.held.pop(direction, None)
        if held is not None:
            held.close()

    def detach(self) -> None:
        """Close what is attached, all of it though one of them fails."""
        held, self.held = self.held, {}
        with contextlib.ExitStack() as stack:
            for one in held.values():
                stack.callback(one.close)

    def release(self) -> None:
        """Detach, and put back what generic XDP and clsact leave behind. BpftopError where that is refused."""
        try:
            with self._undo:  # afterwards, whatever happens in detaching
                self.detach()
        except OSError as error:
            raise BpftopError(messages.not_put_back(str(error))) from error

    def watch_flows(self, request: FlowRequest | None) -> None:
        """Keep tables of flows from now on, or none; why that fails is in ``flow_faults``. It is not tried again until
        the wish or the attachment is another one."""
        for direction, held in list(self.held.items()):
            tried = (held.counter, request)
            if request == (held.flows and held.flows.request) or self._flows_refused.get(direction) == tried:
                continue
            self.flow_faults.pop(direction, None)
            try:
                self.held[direction] = held.with_flows(request)
            except KernelError as error:
                self.flow_faults[direction] = str(error)
                if request is not None:  # back to plain is tried until it holds
                    self._flows_refused[direction] = tried
        if request is None:
            self.flow_faults.clear()

    def device_index(self) -> int:
        """ifindex of the device that the links are on, in its namespace; 0 where it is no more."""
        return next(filter(None, (held.device_index() for held in self.held.values())), 0)

    def lost_device(self) -> bool:
        """Whether there are links, and none of them is on a device any more."""
        links = [held for held in self.held.values() if isinstance(held.attachment, Link)]
        return bool(links) and not any(held.device_index() for held in links)

    def measure_costs(self) -> None:
        """Time what is attached, on copies; some 20 ms each. Another thread than the one that attaches may do it."""
        for direction, held in list(self.held.items()):
            key = (held.step.program, direction)
            if key not in self._costs:
                try:
                    self._costs[key] = held.counter.packet_cost_ns()
                except BpftopError:
                    self._costs[key] = None  # no TEST_RUN here: unknown, which the screen shows

    def hooks(self) -> Mapping[Direction, Hook]:
        """Both directions, for the sample."""
        return {direction: self._hook(self.held.get(direction)) for direction in DIRECTIONS}

    def _hook(self, held: AttachedProgram | None) -> Hook:
        if held is None:
            return Hook()
        cost_ns = self._costs.get((held.step.program, held.direction))
        if cost_ns is not None and held.flows is not None:
            cost_ns += held.flows.added_ns or 0.0
        return Hook(held.step.hook, held.step.mode, held.prog_id, cost_ns, held.counter.batch)


def _attach(step: AttachStep, counter: PacketCounter, direction: Direction, ifindex: int) -> Link | Clsact:
    if step.hook == "xdp":
        return Link.xdp(counter.program.fd, ifindex, generic=step.mode == "generic")
    if step.hook == "tcx":
        return Link.tcx(counter.program.fd, ifindex, direction)
    return Clsact(counter.program.fd, ifindex, direction)
