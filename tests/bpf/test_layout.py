"""Shared structs have one layout in cffi, in the BTF of the BPF object, and in the collector's list of cells."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from bpftop.collect.bpf.packet_counter import BREAKDOWN_CELLS
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.object import object_path
from bpftop.model import protocols
from bpftop.model.protocols import REFLECTION_PORTS
from bpftop.model.sample import CAST_LABELS, FLAG_LABELS, FRAGMENT_LABELS, L3_LABELS, SIZE_LABELS

pytestmark = pytest.mark.bpf  # for bpftool


def btf_struct(name: str) -> Any:
    shown = subprocess.run(
        ["bpftool", "-j", "btf", "dump", "file", object_path("flows")], check=True, capture_output=True, text=True
    )
    return next(t for t in json.loads(shown.stdout)["types"] if t["kind"] == "STRUCT" and t["name"] == name)


@pytest.mark.parametrize("name", ["cell", "counter_row", "flow_key", "flow_counts"])
def test_cffi_and_btf_agree_on_sizes_and_offsets(name: str) -> None:
    struct = btf_struct(name)
    assert ffi.sizeof(f"struct {name}") == struct["size"]
    for member in struct["members"]:
        assert ffi.offsetof(f"struct {name}", member["name"]) * 8 == member["bits_offset"], member["name"]


def test_every_cell_has_a_key_and_every_key_a_cell() -> None:
    """Numbers of cells: plain frames, then the joint cells; ICMP types have rows of their own."""
    cell = ffi.sizeof("struct cell")
    joint = ffi.offsetof("struct common_counters", "joint")
    common = (ffi.sizeof("struct common_counters") - joint) // cell
    starts: dict[str, int] = {}
    for at, (family, _) in enumerate(BREAKDOWN_CELLS):
        starts.setdefault(family, at)
    assert len(BREAKDOWN_CELLS) == common + 2 * lib.ICMP_TYPES
    assert starts.pop("icmp_types") == common
    assert {family: (ffi.offsetof("struct common_counters", family) - joint) // cell for family in starts} == starts


def test_a_row_holds_every_protocol_and_icmp_type() -> None:
    assert ffi.sizeof("struct counter_row") == lib.ROW_CELLS * ffi.sizeof("struct cell")
    assert max(lib.PROTOCOLS, lib.ICMP_TYPES) <= lib.ROW_CELLS
    assert lib.PLAIN_UDP == lib.TCP_CLASSES
    assert lib.PLAIN_ICMP == lib.PLAIN_UDP + 1 + lib.UDP_PORTS == lib.PLAIN_CLASSES - 1


def test_limits_and_labels_agree() -> None:
    assert protocols.MALFORMED + 1 == lib.PROTOCOLS
    labels = {
        "L3_CLASSES": L3_LABELS,
        "CASTS": CAST_LABELS,
        "SIZE_BINS": SIZE_LABELS,
        "TCP_CLASSES": FLAG_LABELS,
        "UDP_PORTS": tuple(REFLECTION_PORTS),
        "FRAGMENT_PARTS": FRAGMENT_LABELS,
    }
    assert {name: getattr(lib, name) for name in labels} == {name: len(values) for name, values in labels.items()}
