"""Maps of the tracing programs: more rows than a batch, and more interfaces than the map holds."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing

import pytest

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.kernel_btf import drop_reasons, entry_function
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_hash import ROWS_MAX, WATCHED_MAX, CountsHash, WatchedSet
from bpftop.kernel.return_code import KernelError


@pytest.fixture
def drops() -> Iterator[BpfObject]:
    """Yield the object of the drop counter, loaded and not attached."""
    with closing(BpfObject("drops", "count_drop", {"netns": 1})) as opened:
        yield opened


@pytest.mark.parametrize("rows", [0, 1, 64, 65, ROWS_MAX])
def test_every_row_is_read_once(drops: BpfObject, rows: int) -> None:
    fd = drops.map_fd("counts")
    counts = CountsHash(fd, 2)
    key = ffi.new("uint32_t[]", 2)
    for row in range(rows):
        key[0], key[1] = row, 7 * row
        values = ffi.new("uint64_t[]", [row + (cpu << 40) for cpu in range(counts.cpus)])
        assert lib.bpf_map_update_elem(fd, key, values, 0) == 0
    rows_read = counts.read()
    assert {key: values.tolist() for key, values in rows_read.items()} == {
        (row, 7 * row): [row + (cpu << 40) for cpu in range(counts.cpus)] for row in range(rows)
    }


@pytest.mark.bpf
def test_watched_set_follows_the_interfaces(drops: BpfObject) -> None:
    fd = drops.map_fd("watched")
    watched = WatchedSet(fd)
    for wanted in ([1, 2], [2, 3], [], [4]):
        watched.update(wanted)
        assert held(fd) == set(wanted)
    with pytest.raises(KernelError, match=r"which interfaces are watched: E2BIG .*; it takes 256 of them") as caught:
        watched.update(range(1, WATCHED_MAX + 2))
    assert caught.value.errno == errno.E2BIG


def held(fd: int) -> set[int]:
    key, value = ffi.new("uint32_t *"), ffi.new("uint32_t *")
    ifindexes = set()
    for ifindex in range(10):
        key[0] = ifindex
        if lib.bpf_map_lookup_elem(fd, key, value) == 0:
            ifindexes.add(ifindex)
    return ifindexes


@pytest.mark.bpf
def test_kernel_names_its_drop_reasons() -> None:
    reasons = drop_reasons()
    assert {"SKB_DROP_REASON_NOT_SPECIFIED", "SKB_DROP_REASON_NETFILTER_DROP"} <= set(reasons.names.values())
    assert reasons.arguments >= 3


@pytest.mark.bpf
def test_function_name_is_complete() -> None:
    with closing(BpfObject("xdp_errors", "count_redirect_error", {"netns": 1})) as opened:
        assert entry_function(opened.program.fd) == "count_redirect_error"  # bpf_prog_info says count_redirect_
