"""Failures and verdicts of other XDP programs: only their row counts."""

from __future__ import annotations

import errno
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest

from bpftop.collect.bpf.foreign_xdp import ForeignXdp, find_foreign_program, watch
from bpftop.collect.bpf.xdp_errors import XdpErrors, exceptions, redirect_errors
from bpftop.collect.collector import Unavailable
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.net.netdev import Netdev
from bpftop.kernel.return_code import KernelError
from bpftop.model.sample import Hook, Interface
from tests.bpf.counting import Watching, loaded, rows, watching
from tests.bpf.devices import Lab
from tests.waiting import until

pytestmark = pytest.mark.bpf

FRAMES = 30


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """Add a veth pair to the lab, without any other traffic."""
    lab.switch_ipv6_off()
    lab.veth()
    return lab


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.parametrize(("program", "action"), [("abort", "XDP_ABORTED"), ("illegal", "77")])
def test_a_failed_action_moves_its_row(lab: Lab, mode: str, program: str, action: str) -> None:
    _, prog_id = lab.foreign_xdp("v0", mode, program=program)
    with watching(exceptions(), "v0", "lo") as errors, watching(redirect_errors(), "v0") as others:
        lab.send_far("v1", FRAMES)
        assert errors.gained() == {("v0", prog_id, action): FRAMES}
        assert others.gained() == {}


@pytest.mark.parametrize("mode", ["native", "generic"])
def test_a_failed_redirect_moves_its_row(lab: Lab, mode: str) -> None:
    _, prog_id = lab.foreign_xdp("v0", mode, program="redirect")
    with watching(redirect_errors(), "v0") as errors:
        lab.send_far("v1", FRAMES)
        assert errors.gained() == {("v0", prog_id, "EINVAL"): FRAMES}


@pytest.mark.parametrize("watched", ["lo", "v0"])
def test_unwatched_interfaces_are_not_counted(lab: Lab, watched: str) -> None:
    """Other interfaces do not count, nor interfaces with the same ifindex in another namespace."""
    if watched == "lo":
        lab.foreign_xdp("v0", program="abort")
    else:
        with lab.inside(lab.far):
            lab.foreign_xdp("v1", program="abort")
            far_index = index("v1")
        assert index("v0") == far_index
    with watching(exceptions(), watched) as errors:
        if watched == "lo":
            lab.send_far("v1", FRAMES)
        else:
            lab.send("v0", FRAMES)
        assert errors.gained() == {}


def index(name: str) -> int:
    with closing(Netdev()) as netdev:
        return netdev.find(name).ifindex


def test_interface_added_later_is_watched(lab: Lab) -> None:
    lab.foreign_xdp("v0", program="abort")
    with watching(exceptions(), "lo") as errors:
        errors.interfaces = [Interface("v0", "v0", index("v0"))]
        errors.gained()
        lab.send_far("v1", FRAMES)
        assert sum(errors.gained().values()) == FRAMES


def test_interface_deleted_during_loading_is_left_out(lab: Lab) -> None:
    _, prog_id = lab.foreign_xdp("v0", program="abort")
    watched = [Interface("v0", "v0", index("v0"))]
    with closing(exceptions()) as errors:
        with pytest.raises(Unavailable, match="being loaded"):
            errors.read(watched)
        thread = errors._late._thread
        assert thread is not None
        thread.join()
        lab.send_far("v1", FRAMES)
        assert loaded(errors, []) == {}
        assert rows(errors.read(watched)) == {("v0", prog_id, "XDP_ABORTED"): FRAMES}


def test_each_interface_has_its_own_reading(lab: Lab) -> None:
    with closing(exceptions()) as errors:
        first = loaded(errors, [Interface("v0", "v0", index("v0")), Interface("lo", "lo", 1)])
        assert set(first) == {"xdp_exceptions/v0", "xdp_exceptions/lo"}
        assert all(reading.keys == () and reading.previous is not None for reading in first.values())


def test_missing_program_is_unavailable() -> None:
    sentence = "XDP exceptions: the BPF object xdp_errors has no program count_nothing"
    with (
        closing(XdpErrors("xdp_exceptions", "XDP exceptions", "count_nothing", str)) as errors,
        pytest.raises(Unavailable, match=sentence),
    ):
        loaded(errors, [])


# Verdicts of another program


def refused() -> bool:
    """Return True if this kernel refuses fexit programs (EPERM) whatever the capabilities."""
    with closing(BpfObject("noop", "noop_xdp")) as empty:
        try:
            watch(empty.program.prog_id, ()).close()
        except KernelError as error:
            if error.errno != errno.EPERM:
                raise
            return True
    return False


def test_verdicts_of_another_program(lab: Lab) -> None:
    """The other program is bpftop's empty program, attached without the collector."""
    with closing(BpfObject("noop", "noop_xdp")) as empty, closing(Netdev()) as netdev:
        prog_id = empty.program.prog_id
        with (
            closing(Link.xdp(empty.program.fd, index("v0"))),
            closing(ForeignXdp(partial(find_foreign_program, netdev))) as foreign,
        ):
            if refused():
                with pytest.raises(Unavailable, match=f"program {prog_id}: this kernel refuses such programs, EPERM"):
                    loaded(foreign, [Interface("v0", "v0", index("v0"))])
                return
            verdicts = Watching(foreign, ["v0", "lo"])
            lab.send_far("v1", FRAMES)
            until(lambda: sum(verdicts.read().values()) >= FRAMES, "the verdicts are counted")
            assert verdicts.gained() == {("v0", prog_id, "XDP_PASS"): FRAMES}
        assert foreign.read(verdicts.interfaces) == {}  # the program is gone


def test_program_without_btf_is_unavailable(lab: Lab) -> None:
    _, prog_id = lab.foreign_xdp("v0")
    with (
        closing(Netdev()) as netdev,
        closing(ForeignXdp(partial(find_foreign_program, netdev))) as foreign,
        pytest.raises(Unavailable, match=f"XDP program {prog_id}: it was loaded without BTF"),
    ):
        loaded(foreign, [Interface("v0", "v0", index("v0"))])


def test_own_program_is_not_foreign(lab: Lab) -> None:
    _, prog_id = lab.foreign_xdp("v0")
    with closing(Netdev()) as netdev, closing(ForeignXdp(partial(find_foreign_program, netdev))) as foreign:
        interface = Interface("v0", "v0", index("v0"), hooks={"rx": Hook("xdp", "native", prog_id)})
        assert foreign.read([interface]) == {}
        assert foreign.read([Interface("lo", "lo", 1)]) == {}


RESIDENT = """
import time
from functools import partial
from pathlib import Path
from bpftop.collect.bpf.foreign_xdp import watch
from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.collect.bpf.tracing import Late
from bpftop.collect.collector import Unavailable

counter = PacketCounter("count_xdp", "rx")
for _ in range(6):
    late = Late("verdicts")
    while True:
        try:
            late.get(partial(watch, counter.program.prog_id, [1]))
        except Unavailable as error:  # the kernel's BTF is read even if fexit is refused
            if "being loaded" in str(error):
                time.sleep(0.05)
                continue
        break
    late.close()
    print(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
"""


def test_memory_for_btf_is_released() -> None:
    """Measured in a new process, whose threads have unused malloc arenas."""
    done = subprocess.run([sys.executable, "-c", RESIDENT], capture_output=True, text=True, check=True)
    first, *later = map(int, done.stdout.split())
    assert max(later) - first < 4 << 20
