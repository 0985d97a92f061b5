"""The disassembler: every class of instructions by its bytes. Loaded programs are compared with bpftool elsewhere."""

from __future__ import annotations

import struct

import pytest

from bpftop.model.bpf.disassembly import Instruction, disassemble


def slot(opcode: int, target: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, source << 4 | target, offset, immediate)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (slot(0x95), "exit"),
        (slot(0x85, immediate=1), "call #1"),
        (slot(0x85, source=1, immediate=9), "call subprogram 10"),
        (slot(0xB7, 3, immediate=-1), "r3 = -1"),
        (slot(0xBC, 3, 4), "w3 = w4"),
        (slot(0xBF, 3, 4, offset=8), "r3 = (s8)r4"),
        (slot(0x87, 5), "r5 = -r5"),
        (slot(0x3F, 1, 2, offset=1), "r1 s/= r2"),
        (slot(0xDC, 1, immediate=16), "r1 = be16 r1"),
        (slot(0xD7, 1, immediate=32), "r1 = bswap32 r1"),
        (slot(0x61, 1, 2, offset=-4), "r1 = *(u32 *)(r2 -4)"),
        (slot(0x81, 1, 2, offset=4), "r1 = *(s32 *)(r2 +4)"),
        (slot(0x7A, 10, offset=-8, immediate=7), "*(u64 *)(r10 -8) = 7"),
        (slot(0x73, 10, 1, offset=-1), "*(u8 *)(r10 -1) = r1"),
        (slot(0xDB, 1, 2, immediate=0x01), "r2 = atomic_add(*(u64 *)(r1 +0), r2)"),
        (slot(0xC3, 1, 2), "atomic_add(*(u32 *)(r1 +0), r2)"),
        (slot(0x05, offset=4), "goto 5"),
        (slot(0x06, immediate=-1), "goto 0"),
        (slot(0x15, 1, offset=2, immediate=8), "if r1 == 8 goto 3"),
        (slot(0xAE, 1, 2, offset=2), "if w1 < w2 goto 3"),
        (slot(0xF5), "opcode 0xf5 r0 r0 +0 0"),
        (slot(0x00), "opcode 0x00 r0 r0 +0 0"),
    ],
)
def test_one_instruction(code: bytes, text: str) -> None:
    assert list(disassemble(code)) == [Instruction(0, text)]


def test_constants_of_64_bits_and_maps() -> None:
    code = slot(0x18, 1, immediate=-1) + slot(0, immediate=1) + slot(0x18, 2, 1, immediate=77) + slot(0)
    code += slot(0x18, 3, 2, immediate=77) + slot(0, immediate=16) + slot(0x18, 4, 4, immediate=5) + slot(0)
    assert list(disassemble(code)) == [
        Instruction(0, "r1 = 0x1ffffffff"),
        Instruction(2, "r2 = map[id:77]", 77),
        Instruction(4, "r3 = map[id:77][0]+16", 77, True),
        Instruction(6, "r4 = subprogram +5"),
    ]
    assert list(disassemble(code[:8])) == [Instruction(0, "opcode 0x18 r1 r0 +0 -1")]  # cut in its middle
