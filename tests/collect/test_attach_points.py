"""Places of programs that no link names: cgroups, perf events, and the devices of other network namespaces."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bpftop.collect.inventory.attach_points import AttachPoints, phrase
from bpftop.collect.inventory.open_objects import from_proc
from bpftop.collect.inventory.reader import InventoryReader
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.link_info import LinkInfo
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.netns import inside
from bpftop.model.bpf.inventory import BpfProgram
from tests.bpf.compiled import compiled

pytestmark = pytest.mark.bpf
LO = 1
SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("cgroup_skb/egress") int pass_egress(void *ctx) { return 1; }
SEC("kprobe") int probe(void *ctx) { return 0; }
SEC("flow_dissector") int dissect(void *ctx) { return 0; }
SEC("tc") int pass_tc(void *ctx) { return 0; }
"""
IOC_SET_BPF = 0x40042408
PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BpfObject]:
    path = compiled("points", SOURCE, tmp_path_factory.mktemp("points"))
    with closing(BpfObject("points", (), path=path)) as made:
        yield made


def read(prog_id: int) -> BpfProgram:
    """Read the inventory anew, and return a program of it."""
    with closing(InventoryReader(statistics=False)) as reader:
        return reader.read().programs[prog_id]


@contextmanager
def other_namespace(*command: str) -> Iterator[int]:
    """Yield the pid of a process in a network namespace of its own, which has no name."""
    script = "ip link set lo up; echo ready; exec cat"
    with subprocess.Popen(
        [*command, "unshare", "--net", "sh", "-ec", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        assert process.stdin is not None
        process.stdin.close()


def bpftool(*words: str) -> None:
    subprocess.run(["bpftool", *words], check=True)


def test_a_cgroup_without_a_link(loaded: BpfObject, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mount = next(fields[1] for fields in mounts if fields[2] == "cgroup2")
    folder = Path(mount, f"bpftop-test-{os.getpid()}")
    folder.mkdir()
    prog_id = loaded.programs["pass_egress"].prog_id
    try:
        bpftool("cgroup", "attach", str(folder), "cgroup_inet_egress", "id", str(prog_id), "multi")
        assert read(prog_id).attached == (f"cgroup egress /{folder.name}",)
        monkeypatch.setattr("bpftop.collect.inventory.cgroups.QUERIED_MAX", 0)
        assert read(prog_id).attached == ()
    finally:
        folder.rmdir()


@pytest.mark.needs("unshare", "nsenter", "ip", "tc")
def test_devices_of_a_namespace_without_a_name(loaded: BpfObject, tmp_path: Path) -> None:
    dissect, pass_tc = (loaded.programs[name].prog_id for name in ("dissect", "pass_tc"))
    subprocess.run(["mount", "-t", "bpf", "bpf", str(tmp_path)], check=True)
    try:
        bpftool("prog", "pin", "id", str(pass_tc), str(tmp_path / "tc"))
        with other_namespace() as pid, closing(BpfObject("noop", "noop_xdp")) as xdp:
            where = f"in netns of cat[{pid}]"
            within = ["nsenter", f"--net=/proc/{pid}/ns/net"]
            for command in (
                ["bpftool", "net", "attach", "xdpgeneric", "id", str(xdp.program.prog_id), "dev", "lo"],
                ["bpftool", "prog", "attach", "id", str(dissect), "flow_dissector"],
                ["tc", "qdisc", "add", "dev", "lo", "clsact"],
                ["tc", "filter", "add", "dev", "lo", "egress", "bpf", "direct-action", "pinned", str(tmp_path / "tc")],
            ):
                subprocess.run([*within, *command], check=True)
            assert read(xdp.program.prog_id).attached == (f"xdp generic lo {where}",)
            assert read(dissect).attached == (f"netns flow dissector of cat[{pid}]",)
            assert read(pass_tc).attached == (f"tc egress lo {where}",)
            with closing(BpfObject("counter", "count_tc")) as counter:
                with inside(f"/proc/{pid}/ns/net"):
                    link = Link.tcx(counter.program.fd, LO, "rx")
                with closing(link):
                    assert read(counter.program.prog_id).attached == (f"tcx ingress lo {where}",)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@contextmanager
def uprobe_by_perf_event(prog_fd: int, path: Path, offset: int) -> Iterator[int]:
    """Yield a perf event that runs a program at an instruction of a file, without a link."""
    libc = ctypes.CDLL(None, use_errno=True)
    kind = int(Path("/sys/bus/event_source/devices/uprobe/type").read_text())
    name = ctypes.create_string_buffer(bytes(path))
    attr = ctypes.create_string_buffer(struct.pack("<II48xQQ56x", kind, 128, ctypes.addressof(name), offset), 128)
    number = PERF_EVENT_OPEN[os.uname().machine]
    fd = libc.syscall(ctypes.c_long(number), attr, ctypes.c_int(-1), 0, ctypes.c_int(-1), ctypes.c_ulong(8))
    assert fd >= 0, os.strerror(ctypes.get_errno())
    try:
        fcntl.ioctl(fd, IOC_SET_BPF, prog_fd)
        yield fd
    finally:
        os.close(fd)


def test_a_perf_event_without_a_link(loaded: BpfObject, tmp_path: Path) -> None:
    probed = tmp_path / "probed"
    shutil.copy("/bin/true", probed)
    program = loaded.programs["probe"]
    assert read(program.prog_id).attached == ()
    with uprobe_by_perf_event(program.fd, probed, 0x1040) as fd:
        found = read(program.prog_id)
        assert found.attached == (f"uprobe {probed}+0x1040",)
        assert [owner.pid for owner in found.owners] == [os.getpid()]
        assert ("perf_event", fd, os.getpid()) in {(each.kind, each.object_id, each.pid) for each in from_proc()}


def test_places_elsewhere_stay_known_until_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[str] = []
    module = "bpftop.collect.inventory.attach_points"

    def walk(types: Iterable[str]) -> dict[int, list[str]]:
        walks.append(",".join(types))
        return {}

    monkeypatch.setattr(f"{module}.by_cgroups", walk)
    monkeypatch.setattr(f"{module}.REST_SHARE", 0)
    points = AttachPoints()
    for types in ({1: "xdp"}, {1: "xdp"}, {1: "xdp", 2: "cgroup_skb"}, {1: "xdp", 2: "cgroup_skb"}):
        points.read(types, (), ())
    assert walks == ["", "cgroup_skb"]
    monkeypatch.setattr(f"{module}.REST_SHARE", 10**9)
    points.read({3: "sock_ops"}, (), ())
    points.read({4: "sock_ops"}, (), ())
    assert walks == ["", "cgroup_skb", "sock_ops"]


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (LinkInfo(5, 6, "tcx", attach_type=46, ifindex=3), "tcx ingress ifindex 3 of an unseen netns"),
        (LinkInfo(5, 6, "xdp"), "xdp device is gone"),
        (LinkInfo(5, 6, "cgroup", cgroup_id=9, attach_type=6), "cgroup device /a.slice"),
        (LinkInfo(5, 6, "cgroup", cgroup_id=8, attach_type=43), "cgroup attach type 43 id 8"),
        (LinkInfo(5, 6, "netns", netns_ino=7, attach_type=36), "netns sk_lookup blue"),
        (LinkInfo(5, 6, "netns", netns_ino=6, attach_type=17), "netns flow dissector 6"),
        (LinkInfo(5, 6, "kprobe_multi", count=12), "kprobe_multi 12 functions"),
        (LinkInfo(5, 6, "struct_ops", map_id=44), "struct_ops map 44"),
    ],
)
def test_a_link_in_words(link: LinkInfo, words: str) -> None:
    assert phrase(link, {9: "/a.slice"}, {7: "blue"}) == words
