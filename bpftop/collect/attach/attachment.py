"""One watched interface: its programs attached as planned, and kept attached through what happens to the device."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from bpftop.collect.attach.attached_hooks import AttachedHooks, MakeCounter, Vanished
from bpftop.collect.attach.facts import gather
from bpftop.collect.attach.leftovers import remove_clsact_leftovers
from bpftop.collect.bpf.flow_counter import FlowCounter, FlowRequest
from bpftop.collect.bpf.traffic import PacketCounter
from bpftop.collect.devices.links import links_reading, lower_here
from bpftop.collect.devices.load_meter import NS_PER_SEC, LoadMeter, measure_load
from bpftop.collect.sockets.owners import PROC
from bpftop.errors import BpftopError
from bpftop.hooks import messages
from bpftop.hooks.facts import AttachFacts, AttachRequest
from bpftop.hooks.plan import plan
from bpftop.hooks.steps import TCX, AttachPlan
from bpftop.kernel.net.netdev import Device, Netdev
from bpftop.model.sample import Direction, Interface, Reading

LOAD_WINDOW_NS = NS_PER_SEC  # a burst that is shorter is no load


class Attachment:
    """The programs on one interface.

    ``open``, ``step`` and ``close`` belong to one thread, which stays in the network namespace of ``netdev``; any
    thread may call ``accept_offer``. After each ``step``, ``counters`` are to be read with ``epoch``, and ``links`` is
    the kernel's own count, None while it cannot be seen. ``epoch`` changes when the counters begin again at zero.
    """

    def __init__(
        self,
        label: str,
        request: AttachRequest,
        netdev: Netdev,
        *,
        netns: str | None = None,
        proc: Path = PROC,
        make_counter: MakeCounter = PacketCounter,
        load_window_ns: int = LOAD_WINDOW_NS,
    ) -> None:
        self.label = label
        self.epoch = 0
        self.links: Reading | None = None
        self._request, self._netdev, self._netns, self._proc = request, netdev, netns, proc
        self._hooks = AttachedHooks(netdev, proc, make_counter)
        self._device: Device  # as it was last seen; from open() on
        self._facts: AttachFacts
        self._plan: AttachPlan
        self._load = LoadMeter(load_window_ns)
        self._state: Literal["here", "moved", "gone"] = "here"
        self._notices: dict[str, tuple[str, ...]] = {}
        self._offer: str | None = None
        self._accepted = False
        self._flow_wish: FlowRequest | None = None
        self._links_epoch = 0
        self._counting_since_ns: int | None = None
        self._speed: int | None = None

    @property
    def counters(self) -> Mapping[Direction, PacketCounter]:
        """The counters that are attached now; none for a direction that has rtnetlink totals only."""
        return {direction: held.counter for direction, held in self._hooks.held.items()}

    @property
    def flow_counters(self) -> Sequence[FlowCounter]:
        """The counters that keep a table of flows now."""
        return [held.flows for held in self._hooks.held.values() if held.flows is not None]

    @property
    def flow_faults(self) -> Mapping[Direction, str]:
        """Why a direction keeps none although it was wished."""
        return self._hooks.flow_faults

    def watch_flows(self, request: FlowRequest | None) -> None:
        """Keep tables of flows from now on, whatever is attached; None: no more. Belongs to the thread of ``step``."""
        self._flow_wish = request
        self._hooks.watch_flows(request)

    def accept_offer(self) -> None:
        """Do at the next step what ``Interface.offer`` says."""
        self._accepted = True

    def measure_costs(self) -> None:
        """Time the attached programs on copies, some 20 ms each, for ``Hook.ns_per_packet`` of the next step."""
        self._hooks.measure_costs()

    def open(self) -> None:
        """Attach. BpftopError: no such interface, or a forced mode that does not hold."""
        device = self._netdev.find(self.label)
        try:
            self._begin(device)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Detach, and put back what generic XDP and clsact would leave. To be called in every case; twice is fine.

        BpftopError: everything is detached, but something could not be put back.
        """
        self._hooks.release()

    def step(self, now_ns: int) -> Interface:
        """Look after the interface before it is read, and say what it is now. ``now_ns`` is CLOCK_MONOTONIC."""
        device = self._find_again()
        self.links = None
        if device is not None:
            self.links = links_reading(self.label, device, self._asked_ns, self._asking_took_ns, self._links_epoch)
            if device.up and not self._device.up:
                self._speed = self._netdev.speed_bits_per_sec(device, self._netdev.driver(device))
            self._device = device
            with contextlib.suppress(Vanished):  # the next step sees that it is gone
                self._look_after(device, now_ns)
            self._hooks.watch_flows(self._flow_wish)  # what was attached just now keeps them too
        return self._interface()

    def _begin(self, device: Device) -> None:
        self._device, self._first_name, self._state = device, device.name, "here"
        self._notices = {"leftovers": remove_clsact_leftovers(self._netdev, device, self._proc)}
        self._speed = self._netdev.speed_bits_per_sec(device, self._netdev.driver(device))
        facts = gather(self._netdev, device, self._proc)
        if self._request.attach in ("auto", "native") and facts.is_quiet and facts.can_native and not facts.occupants:
            facts = replace(facts, rx_bits_per_sec=measure_load(self._netdev, device))
        self._apply_plan(plan(facts, self._request), facts)

    def _apply_plan(self, planned: AttachPlan, facts: AttachFacts) -> None:
        if planned.refusal is not None:
            raise BpftopError(planned.refusal)
        notices = self._hooks.apply_plan(planned, facts, self._device)
        self._facts, self._plan, self._offer = facts, planned, planned.offer
        # What is said about the hook holds only where there is one; else who has XDP, and why there is none.
        taken = (messages.taken(facts),) if facts.occupants else ()
        self._notices["plan"] = (planned.notices if self._hooks.held or not planned.rx else taken) + notices
        self._load.restart()
        self.epoch += 1
        self._counting_since_ns = time.time_ns()

    def _ask(self, which: int | str) -> Device | None:
        """The device with its counters, and when that was."""
        start_ns = time.monotonic_ns()
        device = self._netdev.device(which)
        self._asking_took_ns = time.monotonic_ns() - start_ns
        self._asked_ns = start_ns + self._asking_took_ns // 2
        return device

    def _find_again(self) -> Device | None:
        """The watched device, wherever it went; None while it is not in this namespace."""
        device = self._ask(self._device.ifindex)
        if device is not None and not self._is_same(device) and self._hooks.lost_device():
            return self._await_return()  # another one was made under its ifindex
        if device is not None and (self._state == "here" or self._is_same(device)):
            self._arrived()
            return device
        linked = self._hooks.device_index()
        if not linked:
            return self._await_return()
        device = self._ask(linked) if linked != self._device.ifindex else None
        if device is not None and self._is_same(device):  # back from where its ifindex was taken
            self._arrived()
            return device
        self._state = "moved"
        self._notices["where"] = (messages.moved(self.label),)
        return None

    def _arrived(self) -> None:
        if self._state != "here":
            self._state = "here"
            self._notices.pop("where", None)

    def _is_same(self, device: Device) -> bool:
        before = self._device
        # tun and wireguard have no address
        return (device.kind, device.address or device.name) == (before.kind, before.address or before.name)

    def _await_return(self) -> Device | None:
        """The device is no more; one with the name that was asked for takes its place."""
        self._state, self._offer, self._accepted = "gone", None, False
        self._notices = {"where": (messages.gone(self.label),)}
        try:
            self._hooks.release()
        except BpftopError as error:
            self._notices["plan"] = (str(error),)
        device = self._ask(self.label)
        if device is None:
            return None
        self._links_epoch += 1
        try:
            self._begin(device)
        except Vanished:
            self._state, self._notices = "gone", {"where": (messages.gone(self.label),)}
            return None
        except BpftopError as error:
            self._apply_plan(AttachPlan(notices=(str(error),)), gather(self._netdev, device, self._proc))
        self._notices["where"] = (messages.back(self.label, device.ifindex),)
        return self._ask(device.ifindex) or device  # with what is attached to it now

    def _look_after(self, device: Device, now_ns: int) -> None:
        self._notices["name"] = (messages.renamed(self.label, device.name),) if device.name != self._first_name else ()
        self._facts = replace(self._facts, name=device.name)
        detached = [held for held in self._hooks.held.values() if held.is_detached(self._netdev, device)]
        if detached:
            self._give_up([held.direction for held in detached])
        accepted, self._accepted = self._accepted and self._offer is not None, False
        if accepted:
            facts = gather(self._netdev, device, self._proc)
            self._apply_plan(plan(facts, replace(self._request, accepted=True)), facts)
        load = self._load.update(now_ns, device.counters["rx_bytes"])
        native = "rx" in self._hooks.held and self._hooks.held["rx"].step.mode == "native"
        if load is not None and native and self._plan.retreats and load >= self._request.load_limit_bits_per_sec:
            self._retreat(replace(self._facts, rx_bits_per_sec=load))

    def _give_up(self, directions: Sequence[Direction]) -> None:
        """Somebody detached our programs. They are not put back: whoever did it meant it. RX by XDP goes on by TCX."""
        if self._netdev.device(self._device.ifindex) is None:
            return  # the device itself went away just now, which the next step sees
        lost = {direction: self._hooks.held[direction].step for direction in directions}
        tx = (TCX,) if "tx" in self._hooks.held and "tx" not in lost else ()
        if "rx" in lost and lost["rx"].hook == "xdp":
            self._apply_plan(AttachPlan((TCX,), tx, self._plan.link_layer), self._facts)
        else:
            for direction in directions:
                self._hooks.drop(direction)
        held = self._hooks.held.get("rx")
        self._notices["lost"] = tuple(
            messages.detached(self._facts, step, direction, held.step if held and direction == "rx" else None)
            for direction, step in lost.items()
        )

    def _retreat(self, facts: AttachFacts) -> None:
        """Too much for native XDP: TCX from now on, unless somebody asks for XDP again."""
        offer = messages.offer(facts) if self._request.terminal else None
        notices = (messages.retreated(facts),)
        self._apply_plan(AttachPlan((TCX,), (TCX,), self._plan.link_layer, notices=notices, offer=offer), facts)

    def _interface(self) -> Interface:
        device = self._device
        return Interface(
            label=self.label,
            name=device.name,
            ifindex=device.ifindex,
            state=("up" if device.up else "down") if self._state == "here" else self._state,
            kind=device.kind,
            driver=self._facts.driver,
            netns=self._netns,
            mtu=device.mtu,
            speed_bits_per_sec=self._speed,
            master=device.master,
            lower=lower_here(device),
            counting_since_ns=self._counting_since_ns if self._hooks.held else None,
            hooks=self._hooks.hooks(),
            notices=tuple(sentence for sentences in self._notices.values() for sentence in sentences),
            offer=self._offer,
        )
