"""Every program, map and link of the machine, compared with what bpftool says about them at the same moment."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_iterator import OpenObject, OwnerIterator
from bpftop.kernel.bpf.bpf_link import Link, attach_tracing
from bpftop.kernel.bpf.link_info import INFO_BYTES, LinkInfo, name_field, parse_link_info
from bpftop.kernel.bpf.object import BpfObject
from bpftop.model.bpf.btf import Btf
from bpftop.model.bpf.disassembly import disassemble

pytestmark = pytest.mark.bpf
LO = 1


def bpftool(*words: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(subprocess.check_output(["bpftool", "-j", *words], text=True))
    return listed


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[BpfObject, Link]]:
    """Yield a program of this process on lo, by TCX, and a tracing program."""
    with ExitStack() as stack:
        counter = stack.enter_context(closing(BpfObject("counter", "count_tc")))
        link = stack.enter_context(closing(Link.tcx(counter.program.fd, LO, "rx")))
        drops = stack.enter_context(closing(BpfObject("drops", "count_drop")))
        stack.enter_context(closing(attach_tracing(drops.program.fd)))
        yield counter, link


@pytest.mark.usefixtures("loaded")
def test_programs_are_those_of_bpftool() -> None:
    own = {program.prog_id: program for program in inventory.programs()}
    types = inventory.program_type_names()
    compared = 0
    for other in bpftool("prog", "show"):
        program = own.get(other["id"])
        if program is None:
            continue  # another test loaded or unloaded it meanwhile
        compared += 1
        assert types[program.type] == other["type"]
        assert (program.tag, program.created_by_uid) == (other["tag"], other["uid"])
        assert (program.xlated_bytes, program.jited_bytes) == (other["bytes_xlated"], other["bytes_jited"])
        assert program.btf_id == other.get("btf_id", 0)
        assert program.map_count == len(other.get("map_ids", []))
        assert other["name"].startswith(program.name)
    assert compared >= 2


def test_a_program_has_its_full_name_maps_and_memory(loaded: tuple[BpfObject, Link]) -> None:
    counter, _ = loaded
    prog_id = counter.program.prog_id
    (other,) = [each for each in bpftool("prog", "show") if each["id"] == prog_id]
    assert inventory.full_name_of(prog_id) == "count_tc"
    assert sorted(inventory.map_ids_of(prog_id)) == sorted(other["map_ids"])
    assert inventory.fdinfo_of("program", prog_id).memory_bytes == other["bytes_memlock"]


@pytest.mark.usefixtures("loaded")
def test_maps_are_those_of_bpftool() -> None:
    own = {each.map_id: each for each in inventory.maps()}
    types = inventory.map_type_names()
    compared = 0
    for other in bpftool("map", "show"):
        each = own.get(other["id"])
        if each is None:
            continue
        compared += 1
        assert (types[each.type], each.flags) == (other["type"], other["flags"])
        assert (each.key_bytes, each.value_bytes) == (other["bytes_key"], other["bytes_value"])
        assert each.max_entries == other["max_entries"]
        assert each.btf_id == other.get("btf_id", 0)
        assert each.name == other.get("name", "")
    assert compared >= 2


def test_links_are_those_of_the_kernel(loaded: tuple[BpfObject, Link]) -> None:
    counter, _ = loaded
    links = inventory.links()
    assert LinkInfo(
        next(each.link_id for each in links if each.prog_id == counter.program.prog_id),
        counter.program.prog_id, "tcx", attach_type=46, ifindex=LO,
    ) in links  # fmt: skip
    assert any((each.type, each.name) == ("raw_tracepoint", "kfree_skb") for each in links)
    listed = {each["id"]: each["prog_id"] for each in bpftool("link", "show")}
    assert {each.link_id: each.prog_id for each in links if each.link_id in listed}.items() <= listed.items()


def info(link_type: int, union: bytes) -> bytes:
    head = b"".join(number.to_bytes(4, "little") for number in (link_type, 5, 6, 0))
    return (head + union).ljust(INFO_BYTES, b"\0")


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


@pytest.mark.parametrize(
    ("link_type", "union", "name", "expected"),
    [
        (2, words(24, 0, 0), "", LinkInfo(5, 6, "tracing", attach_type=24)),
        (3, words(9, 0, 2), "", LinkInfo(5, 6, "cgroup", cgroup_id=9, attach_type=2)),
        (4, b"", "task_file", LinkInfo(5, 6, "iter", name="task_file")),
        (5, words(4026531840, 17), "", LinkInfo(5, 6, "netns", netns_ino=4026531840, attach_type=17)),
        (6, words(3), "", LinkInfo(5, 6, "xdp", ifindex=3)),
        (7, words(3, 0), "tcp_v4_connect", LinkInfo(5, 6, "perf_event", event="kprobe", name="tcp_v4_connect")),
        (7, words(6, 0), "", LinkInfo(5, 6, "perf_event", event="event")),
        (8, words(0, 0, 12), "", LinkInfo(5, 6, "kprobe_multi", count=12)),
        (9, words(44), "", LinkInfo(5, 6, "struct_ops", map_id=44)),
        (11, words(3, 47), "", LinkInfo(5, 6, "tcx", ifindex=3, attach_type=47)),
        (99, words(1), "", LinkInfo(5, 6, "99")),
    ],
)
def test_each_type_of_link_by_its_offsets(link_type: int, union: bytes, name: str, expected: LinkInfo) -> None:
    content = info(link_type, union)
    assert parse_link_info(content, name) == expected
    assert (name_field(content) is not None) == bool(name)


def test_objects_that_are_gone_have_no_facts() -> None:
    with closing(bpf_map.create(bpf_map.HASH, 4, 8, 10)) as own:
        map_id = own.info().map_id
        assert (inventory.fdinfo_of("map", map_id).memory_bytes or 0) > 0
    assert inventory.fdinfo_of("map", map_id) == inventory.FdInfo()
    assert inventory.map_ids_of(0xFFFFFFF0) == ()
    assert inventory.full_name_of(0xFFFFFFF0) == ""


def test_the_btf_of_a_map_decodes_its_value(loaded: tuple[BpfObject, Link]) -> None:
    counter, _ = loaded
    map_ids = inventory.map_ids_of(counter.program.prog_id)
    counters = next(each for each in inventory.maps() if each.map_id in map_ids and each.name == "counters")
    btf = Btf(inventory.btf_bytes(counters.btf_id))
    assert btf.size_bytes(counters.value_type_id) == counters.value_bytes
    decoded = btf.decode(counters.value_type_id, bytes(counters.value_bytes))
    assert isinstance(decoded, dict)
    cells = decoded["cells"]
    assert isinstance(cells, list)
    assert cells[0] == {"packets": 0, "bytes": 0}


def test_the_iterator_names_the_processes_that_hold_objects(loaded: tuple[BpfObject, Link]) -> None:
    counter, _ = loaded
    with closing(OwnerIterator()) as iterator, closing(bpf_map.create(bpf_map.HASH, 4, 8, 10)) as own:
        map_id = own.info().map_id
        held = iterator.read()
    comm = Path("/proc/self/comm").read_text().strip()
    assert OpenObject("program", counter.program.prog_id, os.getpid(), comm) in held
    assert OpenObject("map", map_id, os.getpid(), comm) in held
    link_ids = {each.link_id for each in inventory.links() if each.prog_id == counter.program.prog_id}
    assert {each.object_id for each in held if each.kind == "link" and each.pid == os.getpid()} >= link_ids


def test_the_disassembly_is_that_of_bpftool(loaded: tuple[BpfObject, Link]) -> None:
    counter, _ = loaded
    code = inventory.code_of(counter.program.prog_id)
    assert code is not None
    dump = subprocess.check_output(["bpftool", "prog", "dump", "xlated", "id", str(counter.program.prog_id)], text=True)
    theirs = {int(match[1]): match[2] for match in re.finditer(r"^ *(\d+): \(..\) (.*)$", dump, re.MULTILINE)}
    own = {each.offset: each.text for each in disassemble(code.xlated)}
    assert {at: in_our_words(at, text) for at, text in theirs.items()} == own
    texts = Btf(inventory.btf_bytes(code.btf_id))
    source = {texts.text(at).strip() for _, at in code.lines}
    assert "int count_tc(struct __sk_buff *skb)" in source


def in_our_words(at: int, text: str) -> str:
    """bpftool writes jumps relative, their numbers hexadecimal, and calls with names and addresses."""
    text = re.sub(r"call pc([+-]\d+)#\w+", lambda match: f"call subprogram {at + 1 + int(match[1])}", text)
    text = re.sub(r"call \w+#", "call #", text)
    text = re.sub(r"goto pc([+-]\d+)", lambda match: f"goto {at + 1 + int(match[1])}", text)
    if text.startswith("if "):
        text = re.sub(r"0x([0-9a-f]+) goto", lambda match: f"{signed(int(match[1], 16))} goto", text)
    return text


def signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number
