"""A BPF object after libbpf's copy of its file has been freed."""

from __future__ import annotations

import os
import resource
from contextlib import closing
from pathlib import Path

import pytest

from bpftop.collect.bpf.packet_counter import PacketCounter
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_array import CounterMap, possible_cpus
from bpftop.kernel.return_code import KernelError

FRAME = bytes(12) + b"\x08\x06" + bytes(46)


def open_files() -> dict[int, str]:
    """Return the open descriptors of this process that are BPF programs and maps."""
    folder = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fds = [fd for fd in map(int, os.listdir(folder)) if fd != folder]
        names = {fd: os.readlink(str(fd), dir_fd=folder) for fd in fds if Path(f"/proc/self/fd/{fd}").is_symlink()}
    finally:
        os.close(folder)
    return {fd: name for fd, name in names.items() if "bpf" in name}


@pytest.mark.bpf
def test_a_shrunk_object_keeps_its_program_and_the_named_map() -> None:
    before = open_files()
    with closing(BpfObject("counter", "count_tc")) as loaded:
        loaded.shrink(("counters",))
        kept = [name for fd, name in open_files().items() if fd not in before]
        assert sorted(kept) == ["anon_inode:bpf-map", "anon_inode:bpf-prog"]
        loaded.program.test_run(FRAME, 3)
        read = CounterMap(loaded.map_fd("counters"), possible_cpus()).read()
        assert sum(read.protocol_values[: possible_cpus()]) == 3
        with pytest.raises(KeyError):
            loaded.map_fd(".rodata")
    assert open_files() == before


@pytest.mark.bpf
def test_too_few_open_files_leave_nothing_open() -> None:
    before = open_files()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(BpfObject("counter", "count_tc")) as loaded:
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        fillers = [os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) for _ in range(highest)]  # no gap below is free
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1, limits[1]))
        try:
            with pytest.raises(KernelError, match="EMFILE"):
                loaded.shrink(("counters",))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for filler in fillers:
                os.close(filler)
    assert open_files() == before


@pytest.mark.bpf
def test_two_counters_with_the_same_buffers_do_not_mix() -> None:
    with closing(PacketCounter("count_xdp", "rx")) as one, closing(PacketCounter("count_xdp", "rx")) as other:
        one.program.test_run(FRAME, 7)
        first, second = one.read("v0", 1), other.read("v1", 1)
        assert len(first["protocols/v0/rx"].keys) == 1
        assert second["protocols/v1/rx"].keys == ()
        assert sum(first["protocols/v0/rx"].values[: possible_cpus()]) == 7
