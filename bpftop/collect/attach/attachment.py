"""One watched interface: its programs are attached as planned and kept, whatever happens to the device."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Literal

from bpftop.collect.attach.attached_hooks import AttachedHooks, DeviceGone, MakeCounter
from bpftop.collect.attach.early_start import EarlyTx
from bpftop.collect.attach.fact_gathering import gather, occupants
from bpftop.collect.attach.head_start import HeadStart
from bpftop.collect.attach.leftovers import remove_clsact_leftovers
from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.devices.load_meter import LOAD_WINDOW_NS, LoadWatch, SoftirqShares, measure_load
from bpftop.collect.devices.rtnetlink_counters import links_reading, lower_here
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.hooks import effects, messages
from bpftop.hooks.attach_facts import AttachFacts, AttachRequest
from bpftop.hooks.plan import plan
from bpftop.hooks.steps import NATIVE, TCX, AttachPlan
from bpftop.kernel.net.netdev import Device, DeviceReading, Netdev
from bpftop.model.sample import Direction, Interface, Reading, reading_key


class Attachment:
    """The programs on one interface.

    ``open``, ``step`` and ``close`` belong to one thread, which stays in the network namespace of ``netdev``; any
    thread may call ``accept_offer``. After each ``step``, read ``counters`` with ``epoch``, which changes when the
    counters begin again at zero. ``links`` holds the kernel's own counters, None while they cannot be read, and
    ``foreign_program`` the id of another owner's XDP program. Set ``why_no_flows`` where flows are not to be counted.
    """

    def __init__(
        self,
        label: str,
        request: AttachRequest,
        netdev: Netdev,
        *,
        netns: str | None = None,
        make_counter: MakeCounter = PacketCounter,
        early_tx: HeadStart[EarlyTx] | None = None,
        load_window_ns: int = LOAD_WINDOW_NS,
        softirq: SoftirqShares | None = None,
    ) -> None:
        self.label = label
        self.epoch = 0
        self.links: Reading | None = None
        self.foreign_program: int | None = None
        self._request, self._netdev, self._netns = request, netdev, netns
        self._hooks = AttachedHooks(netdev, make_counter, early_tx)
        self._device: Device  # as last read; from open() on
        self._facts: AttachFacts
        self._plan: AttachPlan
        self._load = LoadWatch(load_window_ns, softirq)
        self._state: Literal["here", "moved", "gone"] = "here"
        self._notices: dict[str, tuple[str, ...]] = {}
        self._offer: str | None = None
        self._accepted = False
        self._flow_request: FlowRequest | None = None
        self.why_no_flows: str | None = None
        self._links_epoch = 0
        self._counting_since_ns: int | None = None
        self._speed: int | None = None

    @property
    def counters(self) -> Mapping[Direction, PacketCounter]:
        """Return the attached counters; none for a direction that has rtnetlink totals only."""
        return {direction: program.counter for direction, program in self._hooks.programs.items()}

    @property
    def flow_counters(self) -> Sequence[FlowCounter]:
        """Return the attached counters of flows."""
        return [program.flows for program in self._hooks.programs.values() if program.flows is not None]

    @property
    def flow_faults(self) -> Mapping[Direction, str]:
        """Return direction -> why flows are not counted although they were requested."""
        if self.why_no_flows is not None:
            return dict.fromkeys(self._hooks.programs, self.why_no_flows)
        return self._hooks.flow_faults

    def watch_flows(self, request: FlowRequest | None) -> None:
        """Count flows from now on, whatever is attached, or stop for None. Belongs to the thread of ``step``."""
        self._flow_request = request
        self._hooks.watch_flows(request)

    def accept_offer(self) -> None:
        """Carry out ``Interface.offer`` at the next step."""
        self._accepted = True

    def measure_costs(self) -> None:
        """Measure the ns per packet of the attached programs (about 20 ms each), for the hooks of the next step."""
        self._hooks.measure_costs()

    def open(self, before: DeviceReading | None = None) -> None:
        """Attach. ``before``: an earlier reading of the device, so that its load is known without a wait.

        Raises:
            BpftopError: there is no such interface, or a forced attach mode failed.
        """
        before = before or DeviceReading(self._netdev.find(self.label), time.monotonic_ns())
        try:
            self._begin(before)
        except BaseException:
            self.close()
            raise

    def attach(self, request: AttachRequest) -> None:
        """Attach by another request than before; on a device that is away, when it comes back.

        Raises BpftopError if a forced attach mode failed.
        """
        self._request = request
        if self._state == "here":
            with contextlib.suppress(DeviceGone):  # the next step handles it
                self._begin(DeviceReading(self._device, self._queried_ns))

    def close(self) -> None:
        """Detach, and undo what generic XDP and clsact would leave. To be called in every case; twice is fine.

        Raises:
            BpftopError: every program is detached, but the kernel refused to undo a side effect.
        """
        self._hooks.release()

    def step(self, now_ns: int) -> Interface:
        """Check the device before its counters are read, and return its state. ``now_ns`` is CLOCK_MONOTONIC."""
        device, before = self._find_device(), self.links
        self.links = self.foreign_program = None
        if device is not None:
            self.foreign_program = device.foreign_xdp(self._hooks.rx_prog_id)
            read_ns, cost_ns = self._queried_ns, self._query_cost_ns
            if before is not None and device is self._device and before.epoch == self._links_epoch:
                # the same answer of the kernel: of 300 devices, most are idle
                self.links = before.read_again_at(read_ns, cost_ns)
            else:
                self.links = links_reading(self.label, device, read_ns, cost_ns, self._links_epoch, before)
            if device.up and not self._device.up:
                self._speed = self._read_speed(device)
            self._device = device
            with contextlib.suppress(DeviceGone):  # the next step handles it
                self._check_programs(device, now_ns)
            self._hooks.watch_flows(self._flow_request)  # for programs that were attached in this step
        return self._interface()

    def note_readings(self, readings: Mapping[str, Reading]) -> None:
        """Take the newest readings of the attached programs; they tell the CPU that receives."""
        reading = readings.get(reading_key("protocols", self.label, "rx"))
        if reading is not None and self._may_retreat():
            self._load.note(reading)

    def check_load(self, now_ns: int) -> None:
        """Check the load between two distant ticks, and retreat from native XDP where it is too high."""
        if not self._may_retreat() or self._state != "here":
            return
        device = self._netdev.device(self._device.ifindex)
        if device is not None and self._is_same(device):
            with contextlib.suppress(DeviceGone):  # the next step handles it
                self._check_load(device, now_ns)

    def _begin(self, before: DeviceReading) -> None:
        device = before.device
        self._device, self._queried_ns, self._state = device, before.read_ns, "here"
        self._first_name = device.name
        self._notices = {"leftovers": remove_clsact_leftovers(self._netdev, device)}
        self._speed = self._read_speed(device)
        facts = gather(self._netdev, device)
        planned = plan(facts, self._request)
        if planned.retreats:  # native XDP, unless much arrives
            self._hooks.begin(planned, device)
            facts = replace(facts, load=measure_load(self._netdev, before))
            planned = plan(facts, self._request)
        self._apply_plan(planned, facts)

    def _apply_plan(self, planned: AttachPlan, facts: AttachFacts) -> None:
        if planned.refusal is not None:
            raise BpftopError(planned.refusal)
        notices = self._hooks.apply_plan(planned, facts, self._device)
        self._facts, self._plan, self._offer = facts, planned, planned.offer
        # The plan's notices describe its hook. With no hook, only the failure is of use.
        self._notices["plan"] = (planned.notices if self._hooks.programs or not planned.rx else ()) + notices
        self._notices["xdp"] = self._foreign_xdp()
        steps = dict.fromkeys(program.step for program in self._hooks.programs.values())
        self._notices["effects"] = tuple(filter(None, (effects.notice(facts, step) for step in steps)))
        self._load.restart()
        self.epoch += 1
        self._counting_since_ns = time.time_ns()

    def _read_speed(self, device: Device) -> int | None:
        return self._netdev.speed_bits_per_sec(device, self._netdev.ethtool.driver(device.name))

    def _query(self, which: int | str) -> Device | None:
        """Read the device with its counters, and note the time and the cost of the read."""
        start_ns = time.monotonic_ns()
        device = self._netdev.device(which)
        self._query_cost_ns = time.monotonic_ns() - start_ns
        self._queried_ns = start_ns + self._query_cost_ns // 2
        return device

    def _find_device(self) -> Device | None:
        """Return the watched device, wherever it went; None while it is not in this namespace."""
        device = self._query(self._device.ifindex)
        if device is not None and not self._is_same(device) and self._hooks.lost_device():
            return self._await_return()  # another device was made under its ifindex
        if device is not None and (self._state == "here" or self._is_same(device)):
            self._mark_here()
            return device
        linked = self._hooks.linked_ifindex()
        if not linked:
            return self._await_return()
        device = self._query(linked) if linked != self._device.ifindex else None
        if device is not None and self._is_same(device):  # back from a namespace, under another ifindex
            self._mark_here()
            return device
        self._state = "moved"
        self._notices["where"] = (
            f"{self.label} was moved to another network namespace: still counted, but rtnetlink does not see it from "
            "here.",
        )
        return None

    def _mark_here(self) -> None:
        if self._state != "here":
            self._state = "here"
            self._notices.pop("where", None)

    def _is_same(self, device: Device) -> bool:
        before = self._device
        # tun and wireguard have no address
        return (device.kind, device.address or device.name) == (before.kind, before.address or before.name)

    def _await_return(self) -> Device | None:
        """Release a device that no longer exists, and begin again on a device with the requested name, if any."""
        self._state, self._offer, self._accepted = "gone", None, False
        gone = {"where": (f"{self.label} is gone; counting goes on when it comes back.",)}
        self._notices = {**gone}
        try:
            self._hooks.release()
        except BpftopError as error:
            self._notices["plan"] = (str(error),)
        device = self._query(self.label)
        if device is None:
            return None
        self._links_epoch += 1
        try:
            self._begin(DeviceReading(device, self._queried_ns))
        except DeviceGone:
            self._state, self._notices = "gone", {**gone}
            return None
        except BpftopError as error:
            self._apply_plan(AttachPlan(notices=(str(error),)), gather(self._netdev, device))
        self._notices["where"] = (f"{self.label} came back as a new device (ifindex {device.ifindex}): counting anew.",)
        return self._query(device.ifindex) or device  # again: with the programs that are attached now

    def _check_programs(self, device: Device, now_ns: int) -> None:
        """Handle a new name, programs that somebody detached, an accepted offer, and too much load for native XDP."""
        renamed = (f"{self.label} is now called {device.name}: still counted.",)
        self._notices["name"] = renamed if device.name != self._first_name else ()
        self._facts = replace(self._facts, name=device.name)
        programs = self._hooks.programs
        detached = [program.direction for program in programs.values() if program.is_detached(self._netdev, device)]
        if detached:
            self._handle_detached(detached)
        accepted, self._accepted = self._accepted and self._offer is not None, False
        if accepted:
            facts = gather(self._netdev, device)
            self._apply_plan(plan(facts, replace(self._request, accepted=True)), facts)
        self._check_foreign_xdp(device)
        self._check_load(device, now_ns)

    def _check_foreign_xdp(self, device: Device) -> None:
        """Renew the notice about other XDP programs, and the offer of native XDP, when such a program comes or goes."""
        own = {program.prog_id for program in self._hooks.programs.values()}
        foreign = {mode: prog_id for mode, prog_id in device.xdp.items() if prog_id not in own}
        if set(foreign.values()) == {occupant.prog_id for occupant in self._facts.occupants}:
            return
        self._facts = replace(self._facts, occupants=occupants(replace(device, xdp=foreign)))
        self._notices["xdp"] = self._foreign_xdp()
        if self._request.terminal and self._request.attach in ("auto", "native") and self._plan.rx == (TCX,):
            can_offer = not foreign and self._facts.can_native
            self._offer = messages.offer(self._facts) if can_offer else None

    def _foreign_xdp(self) -> tuple[str, ...]:
        """Return the notice about other XDP programs on the device."""
        if not self._facts.occupants or not self._plan.rx:
            return ()
        receiver = self._hooks.programs.get("rx")
        return (messages.taken(self._facts, receiver.step if receiver else None),)

    def _may_retreat(self) -> bool:
        """Return True if native XDP counts without the consent that would keep it there."""
        receiver = self._hooks.programs.get("rx")
        return self._plan.retreats and receiver is not None and receiver.step.mode == "native"

    def _check_load(self, device: Device, now_ns: int) -> None:
        """Retreat from native XDP under load, or where a plain program would limit the MTU of a veth's peer."""
        if not self._may_retreat():
            return
        plain = self._hooks.programs["rx"].step == NATIVE
        if plain and "veth" in self._facts.drivers and device.mtu > self._facts.one_page_mtu:
            facts = replace(self._facts, mtu=device.mtu)
            limit = f"native XDP without fragments limits the peer's MTU to {facts.one_page_mtu}"
            self._retreat(facts, f"{facts.name} has MTU {facts.mtu}, but {limit}; bpftop now counts by TCX.")
            return
        load = self._load.update(now_ns, device)
        if self._request.limits.reached(load, self._facts.drivers):
            facts = replace(self._facts, load=load)
            self._retreat(facts, messages.retreated(facts))

    def _handle_detached(self, directions: Sequence[Direction]) -> None:
        """Count by TCX in place of a detached XDP program. A program that somebody detached is not attached again."""
        if self._netdev.device(self._device.ifindex) is None:
            return  # the device itself went away just now; the next step handles it
        lost = {direction: self._hooks.programs[direction].step for direction in directions}
        tx = (TCX,) if "tx" in self._hooks.programs and "tx" not in lost else ()
        if "rx" in lost and lost["rx"].hook == "xdp":
            self._apply_plan(AttachPlan((TCX,), tx, self._plan.link_layer), self._facts)
        else:
            for direction in directions:
                self._hooks.detach_direction(direction)
        receiver = self._hooks.programs.get("rx")
        self._notices["lost"] = tuple(
            messages.detached(self._facts, step, direction, receiver.step if receiver and direction == "rx" else None)
            for direction, step in lost.items()
        )

    def _retreat(self, facts: AttachFacts, notice: str) -> None:
        """Replace native XDP by TCX, until somebody accepts the offer of XDP again."""
        offer = messages.offer(facts) if self._request.terminal else None
        self._apply_plan(AttachPlan((TCX,), (TCX,), self._plan.link_layer, notices=(notice,), offer=offer), facts)

    def _interface(self) -> Interface:
        device = self._device
        return Interface(
            label=self.label,
            name=device.name,
            ifindex=device.ifindex,
            state=("up" if device.up else "down") if self._state == "here" else self._state,
            admin_up=device.admin_up if self._state == "here" else None,
            carrier=device.carrier if self._state == "here" else None,
            kind=device.kind,
            driver=self._facts.driver,
            netns=self._netns,
            mtu=device.mtu,
            speed_bits_per_sec=self._speed,
            master=device.master,
            lower=lower_here(device),
            counting_since_ns=self._counting_since_ns if self._hooks.programs else None,
            hooks=self._hooks.hooks(),
            notices=tuple([sentence for sentences in self._notices.values() for sentence in sentences]),
            offer=self._offer,
        )
