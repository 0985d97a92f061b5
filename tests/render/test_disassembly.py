"""A disassembly in lines: a source line once, names of maps, and the hot map among them."""

from __future__ import annotations

import pytest

from bpftop.model.bpf.disassembly import Instruction
from bpftop.render.bpf.disassembly import disassembly_lines, hot_maps, map_references

CODE = (
    Instruction(0, "r1 = 1"),
    Instruction(1, "r1 = map[id:7]", 7),
    Instruction(3, "r1 = map[id:7]", 7),
    Instruction(5, "r1 = map[id:8][0]+4", 8, True),
    Instruction(7, "exit"),
)


def test_lines() -> None:
    source = {0: "int prog(void)", 1: "look_up();", 3: "look_up();", 7: "}"}
    hot = hot_maps(map_references(CODE))
    assert list(disassembly_lines(CODE, source, {7: "flows", 8: ".rodata"}, hot)) == [
        "; int prog(void)",
        "    0: r1 = 1",
        "; look_up();",
        "    1: r1 = map[id:7]    <- hot map flows",
        "    3: r1 = map[id:7]    <- hot map flows",
        "    5: r1 = map[id:8][0]+4    <- map .rodata",
        "; }",
        "    7: exit",
    ]


@pytest.mark.parametrize(
    ("references", "hot"),
    [({}, set()), ({1: 3}, {1}), ({1: 3, 2: 1}, {1}), ({1: 2, 2: 2}, set()), ({1: 2, 2: 2, 3: 1}, {1, 2})],
)
def test_the_hot_maps(references: dict[int, int], hot: set[int]) -> None:
    assert hot_maps(references) == hot
