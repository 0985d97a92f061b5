"""A start that is begun before the modules of a live source are imported."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from bpftop.collect.attach import early_start
from bpftop.collect.attach.attached_hooks import AttachedHooks
from bpftop.collect.attach.attachments import Attachments
from bpftop.collect.attach.early_start import EarlyStart, load_counter
from bpftop.collect.attach.fact_gathering import gather
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.errors import BpftopError
from bpftop.fields import replace
from bpftop.hooks.attach_facts import AttachMode, AttachRequest, LinkLayer
from bpftop.hooks.steps import TCX, AttachPlan, ProgramName
from bpftop.kernel.bpf.program import program_info
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Direction
from tests.bpf.devices import IFF_TUN, Lab
from tests.bpf.watching import is_loaded

pytestmark = pytest.mark.bpf


def test_early_counter_serves_the_first_who_asks() -> None:
    with closing(EarlyStart()) as early:
        first = early.make_counter("count_tc", "tx", "ethernet")
        with closing(first), closing(early.make_counter("count_tc", "tx", "ethernet")) as second:
            ids = {first.program.prog_id, second.program.prog_id}
            assert len(ids) == 2
            assert {program_info(prog_id).name for prog_id in ids} == {"count_tc"}
            assert second.map_fd != first.map_fd
    assert not any(is_loaded(prog_id) for prog_id in ids)


def test_early_reading_stands_for_the_device_it_was_read_from(lab: Lab) -> None:
    lab.veth()
    with closing(EarlyStart()) as early:
        early.read_devices(["v0"])
        netdev = early.netdev
        assert netdev is not None
        assert early.readings["v0"].device.ifindex == netdev.find("v0").ifindex
        with closing(Attachments(AttachRequest("tcx"), netdev, early=early)) as attachments:
            attachments.open(["v0"])
            hooks = attachments.by_label["v0"].step(early.readings["v0"].read_ns).hooks
            assert {direction: hook.hook for direction, hook in hooks.items()} == {"rx": "tcx", "tx": "tcx"}


def test_words_that_are_interfaces_are_read_at_the_begin(lab: Lab) -> None:
    lab.veth()
    with closing(EarlyStart(["v0", "0.1", "json", "a/b", "v" * 200])) as early:
        assert early.readings == {}  # nobody has said yet that the word is an interface of this namespace
        before_ns = time.monotonic_ns()
        early.read_devices(["v0", "lo"])
        assert early.readings["v0"].read_ns < before_ns < early.readings["lo"].read_ns
    with closing(EarlyStart(["nowhere0"])) as early, pytest.raises(BpftopError, match='named "nowhere0"'):
        early.read_devices(["nowhere0"])


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of the programs that an early start loads, by id."""
    prog_ids: list[int] = []

    def noted(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        counter = load_counter(program, direction, layer)
        prog_ids.append(counter.program.prog_id)
        return counter

    monkeypatch.setattr(early_start, "load_counter", noted)
    return prog_ids


def test_early_start_on_no_interface_leaves_nothing_loaded(made: list[int]) -> None:
    early = EarlyStart()
    with pytest.raises(BpftopError, match='No interface named "nowhere0" in this network namespace'):
        early.read_devices(["nowhere0"])
    assert [is_loaded(prog_id) for prog_id in made] == [False]


def test_source_unloads_a_counter_for_other_frames(lab: Lab, made: list[int]) -> None:
    lab.tunnel_device("tun0", IFF_TUN)
    early = EarlyStart()
    early.read_devices(["tun0"])
    source = LiveSource(["tun0"], LiveOptions(AttachRequest("tcx"), drops=False), early=early)
    with closing(source.samples()) as samples:
        (interface,) = next(samples).interfaces
        attached = {hook.prog_id for hook in interface.hooks.values()}
        assert len(attached) == 2
        assert {prog_id for prog_id in made if is_loaded(prog_id)} == attached
        assert len(made) == 3


def begun(name: str, request: AttachRequest) -> EarlyStart:
    early = EarlyStart()
    early.read_devices([name])
    early.begin_attaching(request)
    return early


def test_tx_counts_before_the_plan_and_the_plan_takes_it_over(lab: Lab, made: list[int]) -> None:
    lab.veth()
    request = AttachRequest("native", may_disturb_device=True)
    source = LiveSource(["v0"], LiveOptions(request, drops=False), early=begun("v0", request))
    with closing(source.samples()) as samples:
        (interface,) = next(samples).interfaces
        assert {direction: hook.hook for direction, hook in interface.hooks.items()} == {"rx": "xdp", "tx": "tcx"}
        assert {hook.prog_id for hook in interface.hooks.values()} == set(made)
        assert len(made) == 2
    assert not any(is_loaded(prog_id) for prog_id in made)


@pytest.mark.parametrize("how", ["none", "clsact"])
def test_nothing_is_attached_early_where_tcx_was_not_asked_for(lab: Lab, how: AttachMode) -> None:
    lab.veth()
    with closing(begun("v0", AttachRequest(how))) as early:
        assert early.take_tx("v0") is None


def test_an_early_attachment_that_no_plan_takes_is_detached(lab: Lab, made: list[int]) -> None:
    lab.veth()
    early = begun("v0", AttachRequest("auto"))
    source = LiveSource(["v0"], LiveOptions(AttachRequest("none"), drops=False), early=early)
    with closing(source.samples()) as samples:
        (interface,) = next(samples).interfaces
        assert {hook.hook for hook in interface.hooks.values()} == {"none"}
        assert [is_loaded(prog_id) for prog_id in made] == [False, False]


def test_an_early_attachment_that_failed_is_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.veth()
    gone = EarlyStart()
    gone.read_devices(["v0"])
    reading = gone.readings["v0"]
    gone.readings["v0"] = replace(reading, device=replace(reading.device, ifindex=1 << 30))
    gone.begin_attaching(AttachRequest("tcx"))
    early_tx = gone.take_tx("v0")
    assert early_tx is not None
    with pytest.raises(KernelError, match="ENODEV"):
        early_tx.take()
    assert gone.netdev is not None
    with closing(gone):
        hooks = AttachedHooks(gone.netdev, early_tx=early_tx)
        hooks.apply_plan(AttachPlan((TCX,), (TCX,)), gather(gone.netdev, reading.device), reading.device)
        assert {direction: hook.hook for direction, hook in hooks.hooks().items()} == {"rx": "tcx", "tx": "tcx"}
        hooks.release()
