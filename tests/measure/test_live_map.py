"""Copies of maps of the system, and the proof that the maps themselves were left alone."""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bpftop.errors import BpftopError, UsageError
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import BpfMap, Stop
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.maps.live_map import REAL_KEYS_MAX, read_live_map
from bpftop.measure.maps.plan import MeasureRequest, make_plan
from bpftop.measure.maps.profile import MapProfile
from bpftop.measure.maps.scratch_map import Scratch
from tests.conftest import BPF_SYSCALL

pytestmark = pytest.mark.bpf

RINGBUF = 27

MakeMap = Callable[..., BpfMap]


@pytest.fixture
def make() -> Iterator[MakeMap]:
    """Makes a map and fills it: type, key, value and entries as in maps.create, then how many keys it gets."""
    with ExitStack() as held:

        def filled(type_number: int, key: int, value: int, entries: int, keys: int, flags: int = 0) -> BpfMap:
            made = held.enter_context(bpf_map.create(type_number, key, value, entries, flags, "bpftop_live"))
            for number in range(keys):
                made.update(key_of(type_number, key, number), os.urandom(read_bytes(type_number, value)))
            return made

        yield filled


def key_of(type_number: int, key_bytes: int, number: int) -> bytes:
    if type_number in bpf_map.ARRAYS:
        return number.to_bytes(4, "little")
    drawn = hashlib.sha512(str(number).encode()).digest()[:key_bytes]
    if type_number != bpf_map.LPM_TRIE:
        return drawn
    bits = 8 + number % (8 * (key_bytes - 4) - 7)  # some within others
    address = int.from_bytes(drawn[4:], "big") >> (8 * (key_bytes - 4) - bits) << (8 * (key_bytes - 4) - bits)
    return bits.to_bytes(4, "little") + address.to_bytes(key_bytes - 4, "big")


def read_bytes(type_number: int, value: int) -> int:
    return -(-value // 8) * 8 * possible_cpus() if type_number in bpf_map.PER_CPU else value


def content(made: BpfMap) -> str:
    """Return a hash of all keys and values."""
    info = made.info()
    keys = made.keys(info.max_entries + 1, info.max_entries, Stop())
    assert keys.complete
    whole = hashlib.sha256(f"{info}".encode())
    for at in range(0, len(keys.first), info.key_bytes):
        key = keys.first[at : at + info.key_bytes]
        whole.update(key + (made.lookup(key, read_bytes(info.type, info.value_bytes)) or b""))
    return whole.hexdigest()


def pin(made: BpfMap, path: Path) -> None:
    """BPF_OBJ_PIN (6) of bpf(2), which has no other use here: pathname, bpf_fd, file_flags."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    attributes = ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(name), made.fd, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    rc = libc.syscall(BPF_SYSCALL[os.uname().machine], 6, attributes, 16)
    assert rc == 0, os.strerror(ctypes.get_errno())


CASES = {
    "array": (bpf_map.ARRAY, 4, 24, 300, 300),
    "percpu_array": (bpf_map.PERCPU_ARRAY, 4, 12, 300, 300),
    "hash": (bpf_map.HASH, 13, 7, 5000, 3000),
    "full hash": (bpf_map.HASH, 8, 16, 500, 500),
    "hash_no_prealloc": (bpf_map.HASH, 16, 64, 2000, 700, bpf_map.NO_PREALLOC),
    "percpu_hash": (bpf_map.PERCPU_HASH, 8, 9, 500, 100),
    "percpu_hash that grows": (bpf_map.PERCPU_HASH, 8, 9, 500, 100, bpf_map.NO_PREALLOC),
    "lru_hash": (bpf_map.LRU_HASH, 8, 8, 4000, 1000),
    "lru_hash by CPU": (bpf_map.LRU_HASH, 8, 8, 4000, 800, bpf_map.NO_COMMON_LRU),
    "lru_percpu_hash": (bpf_map.LRU_PERCPU_HASH, 8, 8, 2000, 300),
    "lpm_trie": (bpf_map.LPM_TRIE, 8, 4, 1000, 800, bpf_map.NO_PREALLOC),
    "empty hash": (bpf_map.HASH, 4, 4, 10, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_a_live_map_is_copied_and_not_changed(case: str, make: MakeMap) -> None:
    live_map = make(*CASES[case])
    info, before = live_map.info(), content(live_map)
    there = live_map.keys(10_000, 10_000, Stop()).count

    live = read_live_map(str(info.map_id), Stop())
    assert (live.info, live.count, live.complete) == (info, there, True)
    assert live.reads <= there + 1
    shape = live.geometry
    assert (shape.type, shape.flags) == (info.type, info.flags)
    assert (shape.entries, shape.key_bytes, shape.value_bytes) == (info.max_entries, info.key_bytes, info.value_bytes)
    assert shape.population == max(1, there)

    batches = (1, 16) if there else (1,)
    plan = make_plan(MeasureRequest(run_ms=1, batches=batches), allowed_cpus(), possible_cpus(), live)
    results = [step.result for step in MapProfile(plan).steps() if step.result]
    assert len({result.cell.operation for result in results if result.user is not None}) >= 5
    assert content(live_map) == before


def test_the_copy_has_the_real_keys(make: MakeMap) -> None:
    live_map = make(bpf_map.HASH, 12, 8, 8000, 5000)
    live = read_live_map(str(live_map.info().map_id), Stop())
    assert len(live.real_keys) == REAL_KEYS_MAX * 12
    plan = make_plan(MeasureRequest(batches=(1,)), allowed_cpus(), possible_cpus(), live)
    with Scratch(plan.cells[0].geometry, plan, Stop()) as scratch:
        assert scratch.map.info().map_id != live_map.info().map_id
        keys = {scratch.subject.key(number) for number in range(5000)}
        assert len(keys) == 5000
        real = {live.real_keys[at : at + 12] for at in range(0, len(live.real_keys), 12)}
        assert real < keys
        assert all(live_map.lookup(key, 8) is not None for key in real)


def test_by_name_and_by_path(make: MakeMap, tmp_path: Path) -> None:
    scratch_map = make(bpf_map.HASH, 4, 4, 10, 3)
    number = scratch_map.info().map_id
    assert read_live_map("bpftop_live", Stop()).info.map_id == number
    subprocess.run(["mount", "-t", "bpf", "bpf", str(tmp_path)], check=True)
    try:
        pinned = tmp_path / "pinned"
        pin(scratch_map, pinned)
        assert read_live_map(str(pinned), Stop()).info.map_id == number
        with pytest.raises(BpftopError, match="ENOENT"):
            read_live_map(str(tmp_path / "nothing"), Stop())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    two = make(bpf_map.HASH, 4, 4, 10, 0)
    with pytest.raises(UsageError, match=f"2 maps are called bpftop_live: choose one of the ids {number}, "):
        read_live_map("bpftop_live", Stop())
    assert two.info().name == "bpftop_live"


def test_no_such_map() -> None:
    with pytest.raises(BpftopError, match="there is no map with the name no_such_map"):
        read_live_map("no_such_map", Stop())
    with pytest.raises(BpftopError, match="cannot open the BPF map 4294967295: ENOENT"):
        read_live_map("4294967295", Stop())
    for wanted in ("0", "99999999999"):
        with pytest.raises(UsageError, match="is no map id"):
            read_live_map(wanted, Stop())
    with pytest.raises(BpftopError, match="cannot open the pinned BPF map /etc/passwd"):
        read_live_map("/etc/passwd", Stop())


def test_other_types_are_refused_by_name() -> None:
    with (
        bpf_map.create(RINGBUF, 0, 0, 4096) as ring,
        pytest.raises(UsageError, match="is of type 27 of enum bpf_map_type; profiled are array,"),
    ):
        read_live_map(str(ring.info().map_id), Stop())


def test_a_copy_above_the_memory_limit_is_refused(make: MakeMap) -> None:
    live = read_live_map(str(make(bpf_map.HASH, 8, 1024, 10_000, 5).info().map_id), Stop())
    with pytest.raises(UsageError, match=r"would take 10\.\d MiB; the limit is 5\.0 MiB"):
        make_plan(MeasureRequest(memory_limit_bytes=5 << 20), allowed_cpus(), possible_cpus(), live)
