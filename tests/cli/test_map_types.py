"""``bpftop maps`` on the rarer types of maps, and owners of objects: by a link alone, by /proc, with a hostile name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.object import BpfObject
from tests.bpf.compiled import compiled
from tests.cli.running import COMMAND, bpftop, environment
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.bpf
LO = 1
ARENA, MMAPABLE = 33, 1 << 10

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
char LICENSE[] SEC("license") = "GPL";
struct sock;
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	char name[16];
};
SEC("struct_ops") __u32 BPF_PROG(halve, struct sock *sk) { return 2; }
SEC(".struct_ops") struct tcp_congestion_ops test_ops = { .ssthresh = (void *)halve, .name = "bpftop_test" };
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} by_key SEC(".maps") = { .values = { [3] = &first } };
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} by_index SEC(".maps") = { .values = { [1] = &first } };
const volatile int limit = 7;
SEC("tc") int use(void *ctx)
{
	__u32 key = 3;
	return bpf_map_lookup_elem(&by_key, &key) && bpf_map_lookup_elem(&by_index, &key) && limit;
}
"""


@pytest.fixture(scope="module")
def map_ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, int]]:
    """Name of a map -> its id: maps of maps, struct_ops, and frozen constants."""
    path = compiled("test_maps", SOURCE, tmp_path_factory.mktemp("maps"))
    before = {each.map_id for each in inventory.maps()}
    with closing(BpfObject("maps", (), path=path)):
        names = ("by_key", "by_index", "first", "test_ops", "test_map.rodata")
        yield {each.name: each.map_id for each in inventory.maps() if each.map_id not in before and each.name in names}


def document(*words: str) -> Any:
    done = bpftop(*words, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_maps_of_maps_name_the_inner_map(map_ids: Mapping[str, int]) -> None:
    inner = map_ids["first"]
    whole = document("maps", str(map_ids["by_key"]))
    assert whole["map"]["type"] == "hash_of_maps"
    assert [(row["key"], row["value"]) for row in whole["entries"]] == [("03 00 00 00", {"map_id": inner})]
    whole = document("maps", str(map_ids["by_index"]))
    assert (whole["map"]["type"], whole["unreadable"]) == ("array_of_maps", 1)
    assert [row["value"] for row in whole["entries"]] == [{"map_id": inner}]


def test_struct_ops_and_frozen_constants(map_ids: Mapping[str, int]) -> None:
    whole = document("maps", str(map_ids["test_ops"]))
    assert (whole["map"]["type"], len(whole["entries"]), whole["complete"]) == ("struct_ops", 1, True)
    whole = document("maps", str(map_ids["test_map.rodata"]))
    assert whole["map"]["frozen"]
    assert [row["value"] for row in whole["entries"]] == [{"limit": 7}]


def test_an_arena_has_no_keys() -> None:
    with closing(bpf_map.create(ARENA, 0, 0, 4, MMAPABLE, "an_arena")) as made:
        map_id = made.info().map_id
        (row,) = [row for row in document("maps", "-i", "0.1")["maps"] if row["id"] == map_id]
        done = bpftop("maps", str(map_id))
    assert (row["type"], row["entries"]) == ("arena", None)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_program_that_only_a_link_holds() -> None:
    with closing(BpfObject("counter", "count_tc")) as loaded:
        prog_id = loaded.program.prog_id
        link = Link.tcx(loaded.program.fd, LO, "rx")
    with closing(link):
        (row,) = [row for row in document("progs", "-i", "0.1")["programs"] if row["id"] == prog_id]
    assert row["attached"] == ["tcx ingress lo"]
    assert [owner["pid"] for owner in row["owners"]] == [os.getpid()]


HOLDER = """
import ctypes, sys
from contextlib import closing
from bpftop.kernel.bpf.object import BpfObject
ctypes.CDLL(None).prctl(15, b"ev\\x1b[31mil\\n")
with closing(BpfObject("noop", "noop_xdp")) as loaded:
    print(loaded.program.prog_id, flush=True)
    sys.stdin.read()
"""


def test_an_owner_with_a_hostile_name() -> None:
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        prog_id = int(process.stdout.readline())
        rows = {
            form: bpftop("progs", "-i", "0.1", "--format", form) for form in ("table", "csv", "json", "openmetrics")
        }
        one = bpftop("progs", str(prog_id), "-i", "0.1")
        process.stdin.close()
        process.wait(LIMIT_S)
    for done in (*rows.values(), one):
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
    (row,) = [row for row in json.loads(rows["json"].stdout)["programs"] if row["id"] == prog_id]
    assert [owner["name"] for owner in row["owners"]] == ["ev\x1b[31mil\n"]


@pytest.mark.needs("unshare")
def test_without_the_btf_of_the_kernel_owners_come_from_proc() -> None:
    """The iterator over open files needs /sys/kernel/btf/vmlinux; an empty folder in a private mount hides it."""
    with closing(BpfObject("counter", "count_tc")) as loaded:
        prog_id = loaded.program.prog_id
        script = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *COMMAND, "progs", "-i", "0.1", "--format", "json"],
            capture_output=True, text=True, env=environment(),
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(done.stdout)["programs"]
    (row,) = [row for row in rows if row["id"] == prog_id]
    assert (row["name"], [owner["pid"] for owner in row["owners"]]) == ("count_tc", [os.getpid()])
    assert not any(row["name"] == "write_owner" and f"{os.getpid()}" in str(row["owners"]) for row in rows)
