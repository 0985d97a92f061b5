"""BPF instructions as text, in the notation of the verifier's log and of bpftool.

Source: Documentation/bpf/standardization/instruction-set.rst of Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack

from bpftop.fields import frozen

_SIZES = {0x00: "u32", 0x08: "u16", 0x10: "u8", 0x18: "u64"}
_ALU = ("+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>=", "end")
_JUMPS = {
    0x1: "==", 0x2: ">", 0x3: ">=", 0x4: "&", 0x5: "!=", 0x6: "s>", 0x7: "s>=", 0xA: "<", 0xB: "<=", 0xC: "s<",
    0xD: "s<=",
}  # fmt: skip
_ATOMICS = {0x00: "add", 0x40: "or", 0x50: "and", 0xA0: "xor", 0xE0: "xchg", 0xF0: "cmpxchg"}
_FETCH = 0x01
_LD_IMM64, _MAP_FD, _MAP_VALUE, _FUNCTION = 0x18, 1, 2, 4
_CALL, _EXIT, _JA, _JA32 = 0x85, 0x95, 0x05, 0x06


@frozen
class Instruction:
    """One instruction. ``offset`` counts slots of 8 bytes from the program's beginning; ``map_id`` is 0 without.

    ``is_variable``: it takes the address of a global variable, which is a part of the map's only value.
    """

    offset: int
    text: str
    map_id: int = 0
    is_variable: bool = False


def disassemble(code: bytes) -> Iterator[Instruction]:
    """Yield the instructions of a translated program. An unknown instruction is written as its bytes."""
    slots = list(iter_unpack("<BBhi", code))
    at = 0
    while at < len(slots):
        opcode, registers, offset, immediate = slots[at]
        if opcode == _LD_IMM64 and at + 1 < len(slots):
            low, high = immediate & 0xFFFFFFFF, slots[at + 1][3] & 0xFFFFFFFF
            yield _constant(at, registers, low, high)
            at += 2
            continue
        yield Instruction(at, _text(opcode, registers & 0xF, registers >> 4, offset, immediate, at))
        at += 1


def _constant(at: int, registers: int, low: int, high: int) -> Instruction:
    target, kind = registers & 0xF, registers >> 4
    if kind == _MAP_FD:
        return Instruction(at, f"r{target} = map[id:{low}]", low)
    if kind == _MAP_VALUE:
        return Instruction(at, f"r{target} = map[id:{low}][0]+{high}", low, True)
    if kind == _FUNCTION:
        return Instruction(at, f"r{target} = subprogram {low:+d}")
    return Instruction(at, f"r{target} = 0x{high << 32 | low:x}")


def _text(opcode: int, target: int, source: int, offset: int, immediate: int, at: int) -> str:
    kind = opcode & 0x07
    if kind in (0x04, 0x07):
        return _arithmetic(opcode, target, source, offset, immediate, wide=kind == 0x07)
    if kind in (0x05, 0x06):
        return _jump(opcode, target, source, offset, immediate, at)
    return _memory(opcode, target, source, offset, immediate)


def _arithmetic(opcode: int, target: int, source: int, offset: int, immediate: int, *, wide: bool) -> str:
    name = "r" if wide else "w"
    number = opcode >> 4
    operator = _ALU[number] if number < len(_ALU) else "?"
    operand = f"{name}{source}" if opcode & 0x08 else str(immediate)
    if operator == "neg":
        return f"{name}{target} = -{name}{target}"
    if operator == "end":
        order = "bswap" if wide else "be" if opcode & 0x08 else "le"
        return f"r{target} = {order}{immediate} r{target}"
    if offset and operator in ("/=", "%="):
        operator = f"s{operator}"
    if offset in (8, 16, 32) and operator == "=":
        return f"{name}{target} = (s{offset}){operand}"
    return f"{name}{target} {operator} {operand}"


def _jump(opcode: int, target: int, source: int, offset: int, immediate: int, at: int) -> str:
    if opcode == _EXIT:
        return "exit"
    if opcode == _CALL:
        if source == 1:
            # Once the program is compiled, the distance stands in the offset (kernel/bpf/verifier.c: jit_subprogs).
            return f"call subprogram {at + 1 + (offset or immediate)}"
        return f"call kfunc {immediate}" if source == 2 else f"call #{immediate}"
    if opcode == _JA:
        return f"goto {at + 1 + offset}"
    if opcode == _JA32:
        return f"goto {at + 1 + immediate}"
    name = "r" if opcode & 0x07 == 0x05 else "w"
    operator = _JUMPS.get(opcode >> 4)
    if operator is None:
        return _unknown(opcode, target, source, offset, immediate)
    operand = f"{name}{source}" if opcode & 0x08 else str(immediate)
    return f"if {name}{target} {operator} {operand} goto {at + 1 + offset}"


def _memory(opcode: int, target: int, source: int, offset: int, immediate: int) -> str:
    kind, mode, size = opcode & 0x07, opcode & 0xE0, _SIZES[opcode & 0x18]
    address = f"*({size} *)(r{{}} {offset:+d})"
    if kind == 0x01 and mode in (0x60, 0x80):
        signed = address.replace("(u", "(s", 1) if mode == 0x80 else address
        return f"r{target} = {signed.format(source)}"
    if kind == 0x02 and mode == 0x60:
        return f"{address.format(target)} = {immediate}"
    if kind == 0x03 and mode == 0x60:
        return f"{address.format(target)} = r{source}"
    if kind == 0x03 and mode == 0xC0:
        operation = _ATOMICS.get(immediate & 0xF0, "?")
        fetched = f"r{source} = " if immediate & _FETCH else ""
        return f"{fetched}atomic_{operation}({address.format(target)}, r{source})"
    return _unknown(opcode, target, source, offset, immediate)


def _unknown(opcode: int, target: int, source: int, offset: int, immediate: int) -> str:
    return f"opcode 0x{opcode:02x} r{target} r{source} {offset:+d} {immediate}"
