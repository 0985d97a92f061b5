"""Choices of a capture: ends of flows, protocols, names of kernel functions."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from bpftop.collect.capture.packet_capture import KernelFunctions
from bpftop.collect.capture.request import FlowSide, flow_sides, protocol_numbers
from bpftop.errors import BpftopError

KALLSYMS = """\
0000000000000000 D zero
ffffffff81000000 T _stext
ffffffff81000040 t tcp_v4_rcv
ffffffff81000030 d some_data
ffffffffc0000000 t nf_hook\t[nf_tables]
"""


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("198.18.0.1", [("198.18.0.1", None)]),
        ("198.18.0.1:53", [("198.18.0.1", 53)]),
        (":53", [(None, 53)]),
        ("fd00::1", [("fd00::1", None)]),
        ("[fd00::1]:443, :5", [("fd00::1", 443), (None, 5)]),
    ],
)
def test_flow_sides(text: str, sides: list[tuple[str | None, int | None]]) -> None:
    assert flow_sides(text) == tuple(FlowSide(ip_address(a) if a else None, port) for a, port in sides)


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4:", ":70000", "[fd00::1", "[fd00::1]:x", "1.2.3.4:-1", ","])
def test_bad_flow_sides(text: str) -> None:
    with pytest.raises(BpftopError, match=r"is no end of a flow|more than two"):
        flow_sides(text)


def test_protocols() -> None:
    assert [protocol_numbers(name) for name in ("TCP", "icmpv6", "47", "arp", "proto 200")] == [
        (None, 6), (None, 58), (None, 47), (0x0806, None), (None, 200),
    ]  # fmt: skip


def test_names_of_functions(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(KALLSYMS)
    functions = KernelFunctions(path)
    assert functions.name(0xFFFFFFFF81000052) == "tcp_v4_rcv+0x12"
    assert functions.name(0xFFFFFFFFC0000001) == "nf_hook+0x1"
    assert functions.name(0x1000) is None
    assert not functions.is_hidden


@pytest.mark.parametrize("content", ["0000000000000000 T _stext\n", "", "garbage\n\0\n"])
def test_hidden_addresses_have_no_names(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(content)
    functions = KernelFunctions(path)
    assert functions.name(0xFFFFFFFF81000052) is None
    assert functions.is_hidden


def test_a_missing_table_has_no_names(tmp_path: Path) -> None:
    functions = KernelFunctions(tmp_path / "missing")
    assert functions.name(1) is None
    assert functions.is_hidden
