"""Changes of a device while it is watched: counting continues, or a message explains why not."""

from __future__ import annotations

import os
import struct

import pytest

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.live import LiveSource
from bpftop.collect.live_options import LiveOptions
from bpftop.errors import BpftopError
from bpftop.hooks.attach_facts import AttachMode, AttachRequest, LinkLayer
from bpftop.hooks.steps import ProgramName
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.net.netdev import Netdev
from bpftop.model.sample import Direction
from tests.bpf.devices import IFF_TAP, Lab
from tests.bpf.foreign import bpf
from tests.bpf.watching import Watch, is_loaded, watching
from tests.waiting import until

pytestmark = pytest.mark.bpf

BPF_LINK_DETACH = 34


@pytest.mark.parametrize(("attach", "hooks"), [("auto", ("xdp native", "tcx")), ("clsact", ("clsact", "clsact"))])
def test_down_and_up(lab: Lab, attach: AttachMode, hooks: tuple[str, str]) -> None:
    lab.veth()
    with watching("v0", attach) as watch:
        lab.send_far("v1", 2)
        epoch = watch.attachment.epoch
        lab.ip("link set v0 down")
        assert watch.step().state == "down"
        lab.up("v0")
        assert watch.step().state == "up"
        lab.send_far("v1", 3)
        assert (watch.hooks, watch.packets("rx"), watch.attachment.epoch) == (hooks, 5, epoch)
        with lab.inside(lab.far):
            lab.ip("link set v1 down")
        until(lambda: watch.step().state == "down", "the missing carrier shows")


def test_rename(lab: Lab) -> None:
    lab.veth()
    with watching("v0") as watch:
        lab.send_far("v1", 2)
        epoch, ifindex = watch.attachment.epoch, watch.now.ifindex
        lab.ip("link set v0 down")
        lab.ip("link set v0 name lan0")
        lab.up("lan0")
        watch.step()
        assert (watch.now.label, watch.now.name, watch.now.ifindex, watch.now.state) == ("v0", "lan0", ifindex, "up")
        assert watch.notices == ("v0 is now called lan0: still counted.",)
        lab.send_far("v1", 3)
        assert (watch.packets("rx"), watch.attachment.epoch) == (5, epoch)
        lab.ip("link add v0 type ifb")  # another device takes the name
        assert (watch.step().ifindex, watch.packets("rx")) == (ifindex, 5)
        lab.ip("link del v0")
        lab.ip("link set lan0 down")
        lab.ip("link set lan0 name v0")
        watch.step()
        assert not watch.notices


@pytest.mark.parametrize("attach", ["auto", "generic", "clsact", "none"])
def test_deleted_and_recreated(lab: Lab, attach: AttachMode) -> None:
    lab.veth()
    with watching("v0", attach) as watch:
        hooks, programs = watch.hooks, watch.prog_ids()
        epoch, ifindex = watch.attachment.epoch, watch.now.ifindex
        assert watch.attachment.links is not None
        links_epoch = watch.attachment.links.epoch
        lab.ip("link del v0")
        for _ in range(3):
            watch.step()
            assert watch.now.state == "gone"
            assert watch.notices == ("v0 is gone; counting goes on when it comes back.",)
            assert not watch.attachment.counters
            assert watch.attachment.links is None
            assert (watch.hooks, watch.now.offer) == (("rtnetlink", "rtnetlink"), None)
        until(lambda: not any(map(is_loaded, programs)), "the programs are unloaded")
        lab.veth()
        watch.step()
        assert (watch.now.state, watch.hooks) == ("up", hooks)
        assert watch.now.ifindex > ifindex
        assert f"v0 came back as a new device (ifindex {watch.now.ifindex}): counting anew." in watch.notices
        assert watch.attachment.epoch > epoch
        assert watch.attachment.links is not None
        assert watch.attachment.links.epoch > links_epoch
        lab.send_far("v1", 4)
        assert watch.packets("rx") == (None if attach == "none" else 4)
        watch.step()
        assert watch.notices[-1].startswith("v0 came back")


def test_recreated_between_two_steps(lab: Lab) -> None:
    lab.veth()
    with watching("v0") as watch:
        lab.ip("link del v0")
        lab.veth()
        watch.step()
        assert (watch.now.state, watch.hooks) == ("up", ("xdp native", "tcx"))
        lab.send_far("v1", 4)
        assert watch.packets("rx") == 4


def test_recreated_with_the_same_ifindex(lab: Lab) -> None:
    """The program was not detached: the name belongs to another device."""
    lab.veth()
    with watching("v0") as watch:
        ifindex = watch.now.ifindex
        lab.ip("link del v0")
        lab.ip(f"link add v0 index {ifindex} type veth peer name v1")
        lab.ip("link set v1 up")
        lab.up("v0")
        watch.step()
        assert watch.hooks == ("xdp native", "tcx")
        assert watch.notices == (f"v0 came back as a new device (ifindex {ifindex}): counting anew.",)


def test_new_address_is_the_same_device(lab: Lab) -> None:
    lab.veth()
    with watching("v0") as watch:
        epoch = watch.attachment.epoch
        lab.ip("link set v0 address 02:00:00:00:00:42")
        assert (watch.step().state, watch.attachment.epoch) == ("up", epoch)


def test_recreated_device_without_native_xdp(lab: Lab) -> None:
    """Forced native XDP cannot attach to an ifb: the row says so, and counting resumes on a veth."""
    lab.veth()
    with watching("v0", "native", may_disturb_device=True) as watch:
        lab.ip("link del v0")
        lab.ip("link add v0 type ifb")
        lab.up("v0")
        watch.step()
        assert (watch.now.state, watch.hooks) == ("up", ("rtnetlink", "rtnetlink"))
        assert watch.notices[0] == (
            "Native XDP does not attach to v0: its driver (ifb) has no native XDP (EOPNOTSUPP); "
            "use --attach auto or --attach generic."
        )
        assert watch.attachment.links is not None
        lab.ip("link del v0")
        assert watch.step().state == "gone"
        lab.veth()
        watch.step()
        assert watch.hooks == ("xdp native", "tcx")


def test_moved_to_another_namespace_and_back(lab: Lab) -> None:
    """The links stay, although the ifindex changes in the other namespace."""
    lab.ip("link add filler0 type ifb")  # so that the ifindexes of v0 and v1 differ
    lab.veth()
    with watching("v0") as watch:
        epoch, ifindex = watch.attachment.epoch, watch.now.ifindex
        with lab.inside(lab.far):
            lab.ip(f"link add taken0 index {ifindex} type ifb")
        lab.ip(f"link set v0 netns {lab.far_path}")
        watch.step()
        assert (watch.now.state, watch.hooks) == ("moved", ("xdp native", "tcx"))
        assert watch.notices == (
            "v0 was moved to another network namespace: still counted, but rtnetlink does not see it from here.",
        )
        assert watch.attachment.links is None
        with lab.inside(lab.far):
            lab.up("v0")
            lab.send("v1", 4)
        watch.step()
        assert (watch.packets("rx"), watch.attachment.epoch, watch.now.state) == (4, epoch, "moved")
        with lab.inside(lab.far):
            lab.ip(f"link set v0 netns {lab.near_path}")
        lab.up("v0")
        watch.step()
        assert (watch.now.state, watch.attachment.epoch) == ("up", epoch)
        assert not watch.notices
        assert watch.attachment.links is not None
        lab.send_far("v1", 4)
        assert watch.packets("rx") == 8


def test_moved_then_deleted(lab: Lab) -> None:
    lab.veth()
    with watching("v0") as watch:
        lab.ip(f"link set v0 netns {lab.far_path}")
        assert watch.step().state == "moved"
        with lab.inside(lab.far):
            lab.ip("link del v0")
        assert watch.step().state == "gone"


def test_moved_with_clsact_is_gone(lab: Lab) -> None:
    """The kernel removes the qdisc at the move, and a filter is no link to follow."""
    lab.veth()
    with watching("v0", "clsact") as watch:
        lab.ip(f"link set v0 netns {lab.far_path}")
        assert watch.step().state == "gone"


def detach(watch: Watch, direction: Direction) -> None:
    """Detach as `bpftool link detach` does."""
    attachment = watch.attachment._hooks.programs[direction].attachment
    assert isinstance(attachment, Link)
    bpf(BPF_LINK_DETACH, struct.pack("=I", attachment.fd))


def test_program_detached_by_another_tool(lab: Lab) -> None:
    """A detached program stays detached: RX goes from XDP to TCX, then to the totals of rtnetlink."""
    lab.veth()
    with watching("v0") as watch:
        epoch = watch.attachment.epoch
        detach(watch, "rx")
        watch.step()
        assert (watch.hooks, watch.attachment.epoch) == (("tcx", "tcx"), epoch + 1)
        assert watch.notices == ("Somebody detached bpftop's RX program (Native XDP) from v0: counting by TCX.",)
        lab.send_far("v1", 4)
        assert watch.packets("rx") == 4
        detach(watch, "tx")
        watch.step()
        assert watch.hooks == ("tcx", "rtnetlink")
        assert watch.notices == ("Somebody detached bpftop's TX program (TCX) from v0: only rtnetlink totals.",)
        assert watch.packets("rx") == 4
        detach(watch, "rx")
        watch.step()
        assert (watch.hooks, watch.now.counting_since_ns) == (("rtnetlink", "rtnetlink"), None)
        assert watch.notices == ("Somebody detached bpftop's RX program (TCX) from v0: only rtnetlink totals.",)


def test_clsact_removed_by_another_tool(lab: Lab) -> None:
    lab.veth()
    with watching("v0", "clsact") as watch:
        lab.run("tc", "qdisc", "del", "dev", "v0", "clsact")
        watch.step()
        assert watch.hooks == ("rtnetlink", "rtnetlink")
        assert watch.notices[-2:] == (
            "Somebody detached bpftop's RX program (clsact) from v0: only rtnetlink totals.",
            "Somebody detached bpftop's TX program (clsact) from v0: only rtnetlink totals.",
        )


def test_accepting_the_offer(lab: Lab) -> None:
    fd = lab.tunnel_device("tap0", IFF_TAP)
    with watching("tap0", terminal=True) as watch:
        epoch = watch.attachment.epoch
        assert watch.now.offer is not None
        watch.attachment.accept_offer()
        assert watch.step().offer is None
        assert watch.hooks == ("xdp native", "tcx")
        assert not watch.notices
        assert watch.attachment.epoch == epoch + 1
        os.write(fd, b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(86))
        assert watch.packets("rx") == 1


def test_accepting_an_offer_taken_by_another_program(lab: Lab) -> None:
    lab.tunnel_device("tap0", IFF_TAP)
    with watching("tap0", terminal=True) as watch:
        _, prog_id = lab.foreign_xdp("tap0")
        watch.attachment.accept_offer()
        watch.step()
        assert (watch.hooks, watch.now.offer) == (("tcx", "tcx"), None)
        assert watch.notices[0].startswith(f'XDP on tap0 is taken by program {prog_id} "someone_else"')
        assert list(Netdev().find("tap0").xdp.values()) == [prog_id]


def test_accepting_without_an_offer(lab: Lab) -> None:
    with watching("lo", terminal=True) as watch:
        epoch = watch.attachment.epoch
        watch.attachment.accept_offer()
        watch.step()
        assert watch.notices == ()
        assert watch.attachment.epoch == epoch


def test_deleted_name_of_the_namespace(lab: Lab) -> None:
    name = f"bpftop-test-{os.getpid()}"
    sentence = (
        f"{name} no longer names this network namespace: still counted, and the namespace lasts while bpftop runs."
    )
    lab.ip(f"netns add {name}")
    source = LiveSource(
        ["lo"],
        LiveOptions(AttachRequest("none"), interval_s=0.1, netns=f"/run/netns/{name}", netns_name=name, drops=False),
    )
    samples = source.samples()
    try:
        assert sentence not in next(samples).interfaces[0].notices
        lab.ip(f"netns delete {name}")
        assert sentence in next(samples).interfaces[0].notices
        lab.ip(f"netns add {name}")
        assert sentence in next(samples).interfaces[0].notices  # another namespace
        lab.ip(f"netns delete {name}")
    finally:
        source.close()
        samples.close()


def test_device_deleted_during_attach(lab: Lab) -> None:
    deletions = 1

    def deleting(program: ProgramName, direction: Direction, layer: LinkLayer) -> PacketCounter:
        nonlocal deletions
        if deletions and direction == "rx":
            deletions -= 1
            lab.ip("link del v0")
        return PacketCounter(program, direction, layer)

    lab.veth()
    sentence = r"^v0 went away while bpftop attached to it; start again when it is back\.$"
    with pytest.raises(BpftopError, match=sentence), watching("v0", make_counter=deleting):
        pass
    lab.veth()
    with watching("v0", make_counter=deleting) as watch:
        deletions = 1
        lab.ip("link del v0")
        lab.veth()
        watch.step()  # back, and gone again
        assert (watch.now.state, watch.hooks) == ("gone", ("rtnetlink", "rtnetlink"))
        assert watch.notices == ("v0 is gone; counting goes on when it comes back.",)
        lab.veth()
        assert watch.step().state == "up"
        deletions = 1
        detach(watch, "rx")
        assert watch.step().state == "up"  # as it was when this step began
        assert watch.step().state == "gone"
