"""Programs on the hooks of one device, attached by the steps of a plan and kept until they are released."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bpftop.collect.attach.early_start import EarlyTx
from bpftop.collect.attach.fact_gathering import occupants
from bpftop.collect.attach.head_start import HeadStart
from bpftop.collect.attach.offloads import Offloads
from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.config.resources import exhausted
from bpftop.errors import BpftopError
from bpftop.fields import frozen, frozen_often, replace
from bpftop.hooks import messages
from bpftop.hooks.attach_facts import AttachFacts, LinkLayer
from bpftop.hooks.plan import OCCUPIED
from bpftop.hooks.steps import GENERIC, NATIVE_FRAGS, TCX, AttachPlan, AttachStep, ProgramName, remaining
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.net import clsact
from bpftop.kernel.net.clsact import Clsact
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import DIRECTIONS, Direction, Hook

MakeCounter = Callable[[ProgramName, Direction, LinkLayer], PacketCounter]
_EARLY: tuple[AttachStep, Direction, LinkLayer] = (TCX, "tx", "ethernet")
"""The step, direction and link layer of an EarlyTx."""


class DeviceGone(BpftopError):
    """The device went away while a program was being attached to it."""


@frozen_often
class AttachedProgram:
    """A counter on its hook. Closing it detaches and frees both."""

    step: AttachStep
    direction: Direction
    counter: PacketCounter
    attachment: Link | Clsact
    prog_id: int
    flows: FlowCounter | None = None
    """While flows are watched: the program that has replaced the counter's on the hook."""

    @property
    def created_qdisc(self) -> bool:
        """Return True if attaching created the device's clsact qdisc."""
        return isinstance(self.attachment, Clsact) and self.attachment.created_qdisc

    def linked_ifindex(self) -> int:
        """Return the ifindex of the link's device, in that device's namespace; 0 without a device or a link."""
        return self.attachment.ifindex() if isinstance(self.attachment, Link) else 0

    def is_detached(self, netdev: Netdev, device: Device) -> bool:
        """Return True if somebody detached the program from the device, which still exists."""
        if isinstance(self.attachment, Clsact):
            filters = clsact.filters(netdev.route, device.ifindex, self.direction)
            return all(clsact_filter.prog_id != self.prog_id for clsact_filter in filters)
        if self.step.mode is not None:
            return device.xdp.get(self.step.mode) != self.prog_id
        return self.attachment.ifindex() == 0

    def close(self) -> None:
        try:
            self.attachment.close()
        finally:
            if self.flows is not None:
                self.flows.close()
            self.counter.close()

    def with_flows(self, request: FlowRequest | None) -> AttachedProgram:
        """Exchange the program on the hook for one that counts flows too, or back for None.

        No packet is missed: both programs count into the same maps, and the kernel exchanges them atomically. Raises
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


@frozen
class FailedStep:
    """A step that failed. ``loading``: the kernel refused the program, not the hook."""

    step: AttachStep
    error: KernelError
    loading: bool

    def notice(self, facts: AttachFacts, used: AttachStep | None) -> str:
        """Return the notice about the failure, where the plan went on to the step ``used``."""
        if self._program_was_rejected(facts):
            return messages.not_loaded(facts, str(self.error), self.error.errno, used)
        return messages.fallback(facts, self.step, self.error.errno, used)

    def sentence(self, facts: AttachFacts) -> str:
        """Return the error about the failure, where the step was forced."""
        if self._program_was_rejected(facts):
            return messages.not_loaded(facts, str(self.error), self.error.errno, None)
        return messages.failure(facts, self.step, self.error.errno)

    def _program_was_rejected(self, facts: AttachFacts) -> bool:
        """Return True if the verifier rejected the program itself.

        EACCES without CAP_PERFMON is a missing privilege, not a rejection.
        """
        if self.error.errno == errno.EACCES:
            return self.loading and not facts.missing_capabilities
        return self.loading and self.error.errno != errno.EPERM


class AttachedHooks:
    """The programs that are attached to one device. ``early_tx`` is being attached to it already."""

    def __init__(
        self,
        netdev: Netdev,
        make_counter: MakeCounter = PacketCounter,
        early_tx: HeadStart[EarlyTx] | None = None,
    ) -> None:
        self.programs: dict[Direction, AttachedProgram] = {}
        self.flow_faults: dict[Direction, str] = {}
        self._netdev, self._make_counter, self._early_tx = netdev, make_counter, early_tx
        self._shown: Mapping[Direction, Hook] = {}
        self._costs: dict[tuple[ProgramName, Direction], float | None] = {}
        self._undo: list[Callable[[], object]] = []  # beyond detaching
        self._refused_flows: dict[Direction, tuple[PacketCounter, FlowRequest | None]] = {}
        self._loading: dict[tuple[ProgramName, Direction, LinkLayer], HeadStart[PacketCounter]] = {}
        self._attached_ahead: dict[tuple[AttachStep, Direction, LinkLayer], AttachedProgram | FailedStep] = {}

    def begin(self, planned: AttachPlan, device: Device) -> None:
        """Load the programs of a plan that may be applied, and attach the program of TX.

        Every plan of a device that may get native XDP counts TX by TCX. The kernel waits 16 ms for RCU to attach by
        TCX, time in which RX is loaded and its load is measured.
        """
        self._load(planned)
        for step in planned.tx[:1]:
            outcome = self._attach(step, "tx", device, planned.link_layer)
            self._attached_ahead[step, "tx", planned.link_layer] = outcome

    def _load(self, planned: AttachPlan) -> None:
        """Begin to load the program of the first step in each direction, in threads: 8 to 16 ms for each."""
        for direction, steps in zip(DIRECTIONS, (planned.rx, planned.tx), strict=True):
            for step in steps[:1]:
                key = (step.program, direction, planned.link_layer)
                is_early = self._early_tx is not None and (step, direction, planned.link_layer) == _EARLY
                is_ahead = is_early or (step, direction, planned.link_layer) in self._attached_ahead
                if key not in self._loading and not is_ahead:
                    self._loading[key] = HeadStart(partial(self._make_counter, *key))

    def apply_plan(self, planned: AttachPlan, facts: AttachFacts, device: Device) -> tuple[str, ...]:
        """Attach as planned, then detach the programs that were attached before. Return the notices.

        Raises:
            BpftopError: a forced mode failed, or (DeviceGone) the device went away. Then nothing has changed.
        """
        offloads = Offloads(self._netdev, device) if GENERIC in planned.rx else None
        outcomes: dict[Direction, AttachedProgram | None] = {}
        notices: dict[Direction, str] = {}
        self._load(planned)
        with contextlib.ExitStack() as leftovers, contextlib.ExitStack() as undo:
            leftovers.callback(self._drop_ahead)
            # TX first: TCX is a wait for RCU, in which the program of RX is loaded
            for direction, steps in zip(reversed(DIRECTIONS), (planned.tx, planned.rx), strict=True):
                program, failures = self._attach_first(steps, direction, device, planned.link_layer)
                if program is not None:
                    if program.created_qdisc:
                        undo.callback(clsact.remove_empty, self._netdev.route, device.ifindex)
                    undo.callback(program.close)
                elif failures:
                    last = [failure for failure in failures if failure.step.hook == failures[-1].step.hook]
                    self._check_failure(_first(last), facts, device, planned.forced and direction == "rx")
                outcomes[direction] = program
                if failures and (program is None or program.step.hook != failures[0].step.hook):
                    notice = self._notice(program, failures, facts, device)
                    if notice is not None:
                        notices[direction] = notice
            undo.pop_all()
        self.detach()
        self.programs = {each: program for each in DIRECTIONS if (program := outcomes[each]) is not None}
        if offloads is not None:
            self._undo.append(offloads.restore)
        if any(program.created_qdisc for program in self.programs.values()):
            self._undo.append(partial(clsact.remove_empty, self._netdev.route, device.ifindex))
        if not self.programs:  # both directions failed for the same reason: one line
            return tuple(notices[each] for each in DIRECTIONS if each in notices)[:1]
        if "tx" in notices:
            notices["tx"] = f"TX: {notices['tx']}"
        return tuple(notices[each] for each in DIRECTIONS if each in notices)

    def detach_direction(self, direction: Direction) -> None:
        """Detach the program of one direction."""
        program = self.programs.pop(direction, None)
        if program is not None:
            program.close()

    def detach(self) -> None:
        """Detach every program, also where one of them fails to close."""
        programs, self.programs = self.programs, {}
        with contextlib.ExitStack() as stack:
            for program in programs.values():
                stack.callback(program.close)

    def release(self) -> None:
        """Detach, and undo what generic XDP and clsact leave behind. Raises BpftopError where the kernel refuses."""
        try:
            with contextlib.ExitStack() as undo:  # after detaching, whatever happens there
                for each in self._undo:
                    undo.callback(each)
                self._undo.clear()
                self._drop_ahead()
                self.detach()
        except OSError as error:
            raise BpftopError(
                f"bpftop detached, but could not put offloads or the clsact qdisc back as they were: {error}."
            ) from error

    def _drop_ahead(self) -> None:
        """Detach and unload the programs that were attached or loaded ahead, and that no plan took."""
        with contextlib.ExitStack() as stack:
            while self._loading:
                stack.callback(self._loading.popitem()[1].close)
            while self._attached_ahead:
                if isinstance(outcome := self._attached_ahead.popitem()[1], AttachedProgram):
                    stack.callback(outcome.close)
            if self._early_tx is not None:
                early_tx, self._early_tx = self._early_tx, None
                stack.callback(early_tx.close)

    def watch_flows(self, request: FlowRequest | None) -> None:
        """Count flows from now on, or stop for None. The reason of a failure is in ``flow_faults``.

        A refused request is not tried again until the request or the attachment changes.
        """
        for direction, program in list(self.programs.items()):
            attempt = (program.counter, request)
            if request == (program.flows and program.flows.request) or self._refused_flows.get(direction) == attempt:
                continue
            self.flow_faults.pop(direction, None)
            try:
                self.programs[direction] = program.with_flows(request)
            except KernelError as error:
                self.flow_faults[direction] = exhausted(error) or str(error)
                if request is not None:  # stopping is tried until it succeeds
                    self._refused_flows[direction] = attempt
        if request is None:
            self.flow_faults.clear()

    def linked_ifindex(self) -> int:
        """Return the ifindex of the links' device, in its namespace; 0 where the device is gone."""
        return next(filter(None, (program.linked_ifindex() for program in self.programs.values())), 0)

    def lost_device(self) -> bool:
        """Return True if there are links, and none of them is on a device any more."""
        links = [program for program in self.programs.values() if isinstance(program.attachment, Link)]
        return bool(links) and not any(program.linked_ifindex() for program in links)

    def measure_costs(self) -> None:
        """Measure the ns per packet of each attached program on a private copy (about 20 ms each).

        Another thread than the attaching one may call this.
        """
        for direction, program in list(self.programs.items()):
            key = (program.step.program, direction)
            if key not in self._costs:
                try:
                    self._costs[key] = program.counter.packet_cost_ns()
                except BpftopError:
                    self._costs[key] = None  # no TEST_RUN here: the screen shows the cost as unknown

    @property
    def rx_prog_id(self) -> int | None:
        receiver = self.programs.get("rx")
        return None if receiver is None else receiver.prog_id

    def hooks(self) -> Mapping[Direction, Hook]:
        """Return both directions for the sample: the same object until one changes."""
        shown = {direction: self._hook(self.programs.get(direction)) for direction in DIRECTIONS}
        if shown != self._shown:
            self._shown = shown
        return self._shown

    def _hook(self, program: AttachedProgram | None) -> Hook:
        if program is None:
            return Hook()
        cost_ns = self._costs.get((program.step.program, program.direction))
        if cost_ns is not None and program.flows is not None:
            cost_ns += program.flows.added_ns or 0.0
        return Hook(program.step.hook, program.step.mode, program.prog_id, cost_ns, program.counter.batch)

    def _check_failure(self, failure: FailedStep, facts: AttachFacts, device: Device, forced: bool) -> None:
        """Raise DeviceGone where the device went away, and BpftopError where the step was forced."""
        if self._netdev.device(device.ifindex) is None:
            raise DeviceGone(f"{facts.name} went away while bpftop attached to it; start again when it is back.")
        if forced:
            raise BpftopError(failure.sentence(self._with_occupants(failure, facts, device)))

    def _notice(
        self, program: AttachedProgram | None, failures: Sequence[FailedStep], facts: AttachFacts, device: Device
    ) -> str | None:
        """Return the notice about a failure. Another program on the hook has a notice of its own, while it is there."""
        # With no hook at all, the last failure is the one that a person can do something about.
        failure = _first(failures) if program is not None else failures[-1]
        facts = self._with_occupants(failure, facts, device)
        if program is not None and failure.error.errno in OCCUPIED and facts.occupants:
            return None
        return failure.notice(facts, None if program is None else program.step)

    def _with_occupants(self, failure: FailedStep, facts: AttachFacts, device: Device) -> AttachFacts:
        """Return the facts with the hook's current owner filled in."""
        now = self._netdev.device(device.ifindex) if failure.error.errno in OCCUPIED else None
        return facts if now is None else replace(facts, occupants=occupants(now))

    def _attach_first(
        self, steps: Sequence[AttachStep], direction: Direction, device: Device, layer: LinkLayer
    ) -> tuple[AttachedProgram | None, list[FailedStep]]:
        """Attach by the first step that succeeds. Return the program, and the failures before it."""
        failures: list[FailedStep] = []
        while steps:
            outcome = self._attach(steps[0], direction, device, layer)
            if isinstance(outcome, AttachedProgram):
                return outcome, failures
            failures.append(outcome)
            steps = remaining(steps, outcome.step, outcome.error.errno)
        return None, failures

    def _attach(
        self, step: AttachStep, direction: Direction, device: Device, layer: LinkLayer
    ) -> AttachedProgram | FailedStep:
        ahead = self._attached_ahead.pop((step, direction, layer), None)
        if ahead is not None:
            return ahead
        if self._early_tx is not None and (step, direction, layer) == _EARLY:
            taken, self._early_tx = self._early_tx, None
            with contextlib.suppress(KernelError):  # else the same once more, for the step that failed
                early = taken.take()
                return AttachedProgram(step, direction, early.counter, early.link, early.counter.program.prog_id)
        try:
            loading = self._loading.pop((step.program, direction, layer), None)
            counter = self._make_counter(step.program, direction, layer) if loading is None else loading.take()
        except KernelError as error:
            return FailedStep(step, error, loading=True)
        with contextlib.ExitStack() as undo:
            undo.callback(counter.close)
            try:
                prog_id = counter.program.prog_id
                link = _attach_to_hook(step, counter, direction, device.ifindex)
            except KernelError as error:
                return FailedStep(step, error, loading=False)
            undo.pop_all()
        return AttachedProgram(step, direction, counter, link, prog_id)


def _first(failures: Sequence[FailedStep]) -> FailedStep:
    """Return the first failure that is not the missing support for fragments (before Linux 5.18)."""
    for failure in failures:
        if not (failure.step == NATIVE_FRAGS and failure.loading and failure.error.errno == errno.EINVAL):
            return failure
    return failures[0]


def _attach_to_hook(step: AttachStep, counter: PacketCounter, direction: Direction, ifindex: int) -> Link | Clsact:
    if step.hook == "xdp":
        return Link.xdp(counter.program.fd, ifindex, generic=step.mode == "generic")
    if step.hook == "tcx":
        return Link.tcx(counter.program.fd, ifindex, direction)
    return Clsact(counter.program.fd, ifindex, direction)
