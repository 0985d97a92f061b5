"""An interpreter of verified BPF programs that counts the instructions a frame takes.

The count is the same on every machine of one kernel version, where nanoseconds differ by processor. The program is the
one that the kernel runs: its instructions after verification (``bpftool prog dump xlated``), with look-ups in arrays
inlined and dead branches removed. Only what programs of bpftool use is understood; anything else raises
NotImplementedError.
Encoding: Documentation/bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

import json
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

MASK = (1 << 64) - 1
STACK_BYTES = 512
PER_CPU_OFFSET = 0x5_0000_0000_0000
"""Added to the address of a per-CPU value by the kernel's own instruction; here only CPU 0 exists."""

PACKET_BASE = 0x7_0000_0000
"""A multiple of 4 GiB, so that a branch which looks at half a pointer takes it for NULL."""

HELPERS = ("bpf_xdp_get_buff_len", "bpf_xdp_load_bytes", "bpf_skb_load_bytes")

_SIZES = {0: 4, 8: 2, 16: 1, 24: 8}


class Insn(NamedTuple):
    code: int
    dst: int
    src: int
    off: int
    imm: int


@dataclass
class Region:
    """Memory that the program may reach."""

    base: int
    memory: bytearray


@dataclass
class ArrayMap:
    """An array: ``rows`` values of ``value_bytes``, of one CPU where it is per CPU."""

    value_bytes: int
    rows: int
    per_cpu: bool
    base: int
    memory: bytearray

    @property
    def struct_base(self) -> int:
        """Address of the map's kernel struct, by which inlined look-ups find the values."""
        return self.base + (1 << 44)


@dataclass
class Ctx:
    """The kernel's struct behind a program's context, and what helpers say of its packet."""

    region: Region
    frame: bytes
    length: int
    extra: list[Region] = field(default_factory=list)


class Interpreter:
    """One loaded program with maps of its own, all zero at first."""

    def __init__(self, prog_id: int) -> None:
        self.insns = dumped(prog_id)
        self.helpers = _helper_offsets()
        self.maps = {map_id: _array(map_id, number) for number, map_id in enumerate(_map_ids(prog_id))}

    def map_of(self, fd: int) -> bytes:
        """Return the memory of the map that ``fd`` refers to, as the program has written it."""
        info = Path(f"/proc/self/fdinfo/{fd}").read_text()
        map_id = next(int(line.split()[1]) for line in info.splitlines() if line.startswith("map_id"))
        return bytes(self.maps[map_id].memory)

    def run(self, ctx: Ctx) -> tuple[int, int]:
        """Return the return value (32 bits) and the number of instructions executed."""
        run = _Run(self, ctx)
        return run.call(0, [ctx.region.base]) & 0xFFFFFFFF, run.executed


def dumped(prog_id: int) -> list[Insn]:
    """Return the instructions of the main program and its subprograms, as verified."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xlated"
        subprocess.run(["bpftool", "prog", "dump", "xlated", "id", str(prog_id), "file", str(path)], check=True)
        code = path.read_bytes()
    return [Insn(op, regs & 15, regs >> 4, off, imm) for op, regs, off, imm in struct.iter_unpack("<BBhi", code)]


def _helper_offsets() -> dict[int, str]:
    """Return helper names by the distance from __bpf_call_base, which calls in a dump hold (/proc/kallsyms, root)."""
    wanted = {"__bpf_call_base", *HELPERS}
    found: dict[str, int] = {}
    with open("/proc/kallsyms") as symbols:
        for symbol in symbols:
            address, _, name = symbol.split()[:3]
            if name in wanted:
                found[name] = int(address, 16)
    return {found[name] - found["__bpf_call_base"]: name for name in HELPERS if name in found}


def _map_ids(prog_id: int) -> list[int]:
    listed = subprocess.run(["bpftool", "-j", "prog", "show", "id", str(prog_id)], check=True, capture_output=True)
    return list(json.loads(listed.stdout)["map_ids"])


def _array(map_id: int, number: int) -> ArrayMap:
    shown = subprocess.run(["bpftool", "-j", "map", "show", "id", str(map_id)], check=True, capture_output=True)
    info = json.loads(shown.stdout)
    size, rows, per_cpu = info["bytes_value"], info["max_entries"], info["type"] == "percpu_array"
    memory = bytearray(size * rows)
    if not per_cpu and rows == 1:  # constants: .rodata
        words = subprocess.run(["bpftool", "-j", "map", "dump", "id", str(map_id)], check=True, capture_output=True)
        memory[:] = _value_bytes(json.loads(words.stdout)[0])
    return ArrayMap(size, rows, per_cpu, (number + 1) << 36, memory)


def _value_bytes(row: dict[str, list[str]]) -> bytes:
    return bytes(int(byte, 16) for byte in row["value"])


class _Run:
    def __init__(self, interpreter: Interpreter, ctx: Ctx) -> None:
        self.insns, self.maps, self.ctx = interpreter.insns, interpreter.maps, ctx
        self.helpers = interpreter.helpers
        self.executed = 0
        self.regions = [ctx.region, *ctx.extra, Region(PACKET_BASE, bytearray(ctx.frame))]
        self.regions += [Region(each.base, each.memory) for each in self.maps.values()]
        self.depth = 0

    def call(self, at: int, arguments: list[int]) -> int:
        """Run the function that begins at an instruction, with a stack of its own."""
        reg = [0, *arguments, *[0] * (11 - len(arguments))]  # r0 to r10, and the kernel's own r11
        stack = Region((0x6000 + self.depth) << 32, bytearray(STACK_BYTES))
        reg[10] = stack.base + STACK_BYTES
        self.regions.append(stack)
        self.depth += 1
        while True:
            insn = self.insns[at]
            self.executed += 1
            at += 1
            kind = insn.code & 7
            if kind in (4, 7):
                self._compute(insn, reg)
            elif kind == 0:
                reg[insn.dst] = self._constant(insn, self.insns[at])
                at += 1
            elif kind == 1:
                reg[insn.dst] = self._load(reg[insn.src] + insn.off, _SIZES[insn.code & 24])
            elif kind in (2, 3):
                value = insn.imm if kind == 2 else reg[insn.src]
                self._store(reg[insn.dst] + insn.off, value, _SIZES[insn.code & 24])
            elif insn.code == 0x95:
                self.regions.remove(stack)
                self.depth -= 1
                return reg[0]
            elif insn.code == 0x85:
                target = insn.off or insn.imm
                reg[0] = self.call(at + target, reg[1:6]) if insn.src == 1 else self._help(insn.imm, reg)
            elif insn.code == 0x06:
                at += insn.imm
            elif _taken(insn, reg):
                at += insn.off

    def _constant(self, insn: Insn, second: Insn) -> int:
        if insn.src == 0:
            return insn.imm & 0xFFFFFFFF | (second.imm & 0xFFFFFFFF) << 32
        array = self.maps[insn.imm]
        return array.struct_base if insn.src == 1 else array.base + second.imm

    def _compute(self, insn: Insn, reg: list[int]) -> None:
        wide, operation = insn.code & 7 == 7, insn.code & 0xF0
        operand = reg[insn.src] if insn.code & 8 else insn.imm & MASK
        if operation == 0xB0 and insn.code & 8 and insn.off == -1:  # the address of this CPU's copy
            reg[insn.dst] = reg[insn.src] - PER_CPU_OFFSET
            return
        if operation == 0xD0:
            reg[insn.dst] = _swapped(reg[insn.dst], insn)
            return
        bits = 64 if wide else 32
        mask = (1 << bits) - 1
        value = _arithmetic(operation, reg[insn.dst] & mask, operand & mask, bits)
        reg[insn.dst] = value & mask

    def _help(self, helper: int, reg: list[int]) -> int:
        name = self.helpers.get(helper, "")
        if name == "bpf_xdp_get_buff_len":
            return self.ctx.length
        if name in ("bpf_xdp_load_bytes", "bpf_skb_load_bytes"):
            offset, target, size = reg[2], reg[3], reg[4]
            if offset + size > len(self.ctx.frame):
                return -14 & MASK
            for i in range(size):
                self._store(target + i, self.ctx.frame[offset + i], 1)
            return 0
        raise NotImplementedError(f"the helper {helper} bytes behind __bpf_call_base")

    def _find(self, address: int, size: int) -> tuple[bytearray, int]:
        for region in self.regions:
            if region.base <= address and address + size <= region.base + len(region.memory):
                return region.memory, address - region.base
        raise IndexError(f"no memory at {address:#x}")

    def _load(self, address: int, size: int) -> int:
        for array in self.maps.values():  # the table of per-CPU pointers in the map's struct
            within = address - array.struct_base
            if array.per_cpu and 0 <= within < 1 << 20:
                table = self._table_offset(array)
                return array.base + (within - table) // 8 * array.value_bytes + PER_CPU_OFFSET
        memory, at = self._find(address, size)
        return int.from_bytes(memory[at : at + size], "little")

    def _table_offset(self, array: ArrayMap) -> int:
        """Return the offset of ``pptrs`` in struct bpf_array, which every inlined look-up adds."""
        for number, insn in enumerate(self.insns):
            if insn.code == 0x18 and insn.src == 1 and self.maps[insn.imm] is array:
                return next(
                    each.imm
                    for each in self.insns[number + 2 :]
                    if each.code == 0x07 and each.dst == insn.dst and each.imm > 64
                )
        raise NotImplementedError("a look-up that is not inlined")

    def _store(self, address: int, value: int, size: int) -> None:
        memory, at = self._find(address, size)
        memory[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def _arithmetic(operation: int, left: int, right: int, bits: int) -> int:
    shift = right & (bits - 1)
    if operation == 0xC0:
        signed = left - (1 << bits) if left >> (bits - 1) else left
        return signed >> shift
    return {
        0x00: left + right,
        0x10: left - right,
        0x20: left * right,
        0x30: left // right if right else 0,
        0x40: left | right,
        0x50: left & right,
        0x60: left << shift,
        0x70: left >> shift,
        0x80: -left,
        0x90: left % right if right else left,
        0xA0: left ^ right,
        0xB0: right,
    }[operation]


def _swapped(value: int, insn: Insn) -> int:
    size = insn.imm // 8
    cut = value & (1 << insn.imm) - 1
    return int.from_bytes(cut.to_bytes(size, "little"), "big") if insn.code & 8 else cut


def _taken(insn: Insn, reg: list[int]) -> bool:
    bits = 64 if insn.code & 7 == 5 else 32
    mask = (1 << bits) - 1
    left = reg[insn.dst] & mask
    right = (reg[insn.src] if insn.code & 8 else insn.imm) & mask
    signed_left, signed_right = (v - (1 << bits) if v >> (bits - 1) else v for v in (left, right))
    return {
        0x00: True,
        0x10: left == right,
        0x20: left > right,
        0x30: left >= right,
        0x40: bool(left & right),
        0x50: left != right,
        0x60: signed_left > signed_right,
        0x70: signed_left >= signed_right,
        0xA0: left < right,
        0xB0: left <= right,
        0xC0: signed_left < signed_right,
        0xD0: signed_left <= signed_right,
    }[insn.code & 0xF0]


def xdp_context(frame: bytes) -> Ctx:
    """Return a linear frame as struct xdp_buff: data, data_end, meta, hard_start, rxq, txq, frame_sz, flags."""
    memory = bytearray(struct.pack("<6QII", PACKET_BASE, PACKET_BASE + len(frame), 0, 0, 0, 0, 4096, 0))
    return Ctx(Region(0x4_0000_0000, memory), frame, len(frame))


def skb_context(frame: bytes) -> Ctx:
    """Return a linear packet as struct sk_buff of the running kernel: no GSO, no VLAN tag beside it."""
    offsets = struct_offsets("sk_buff", ("len", "data", "head", "end", "cb"))
    cb = offsets["cb"] + struct_offsets("bpf_skb_data_end", ("data_end",))["data_end"]
    memory = bytearray(1024)
    head = Region(0x4_4000_0000, bytearray(1024))  # struct skb_shared_info stands at its `end`
    for at, form, value in (
        (offsets["len"], "<I", len(frame)),
        (offsets["data"], "<Q", PACKET_BASE),
        (offsets["head"], "<Q", head.base),
        (offsets["end"], "<I", 256),
        (cb, "<Q", PACKET_BASE + len(frame)),
    ):
        struct.pack_into(form, memory, at, value)
    return Ctx(Region(0x4_0000_0000, memory), frame, len(frame), [head])


@cache
def struct_offsets(name: str, members: tuple[str, ...]) -> dict[str, int]:
    """Return byte offsets of members of a kernel struct, from the kernel's BTF (Documentation/bpf/btf.rst)."""
    btf = Path("/sys/kernel/btf/vmlinux").read_bytes()
    header_bytes, types_at, types_bytes, strings_at = struct.unpack_from("<IIII", btf, 4)
    strings, at = header_bytes + strings_at, header_bytes + types_at
    end = at + types_bytes
    structs: dict[int, tuple[str, list[tuple[str, int, int]]]] = {}
    number = 0
    while at < end:
        number += 1
        name_at, info, _ = struct.unpack_from("<III", btf, at)
        at += 12
        count, kind = info & 0xFFFF, info >> 24 & 31
        if kind in (4, 5):
            listed = [struct.unpack_from("<III", btf, at + 12 * i) for i in range(count)]
            named = [(_string(btf, strings + where), of, bits & 0xFFFFFF) for where, of, bits in listed]
            structs[number] = (_string(btf, strings + name_at), named)
        at += {
            1: 4,
            3: 12,
            4: 12 * count,
            5: 12 * count,
            6: 8 * count,
            13: 8 * count,
            14: 4,
            15: 12 * count,
            17: 4,
            19: 12 * count,
        }.get(kind, 0)
    found = next(named for title, named in structs.values() if title == name)
    return {member: bits // 8 for member, bits in _flat(structs, found) if member in members}


def _flat(
    structs: dict[int, tuple[str, list[tuple[str, int, int]]]], members: list[tuple[str, int, int]]
) -> Iterator[tuple[str, int]]:
    """Yield members by name, including members of anonymous structs and unions."""
    for name, of, bits in members:
        if name:
            yield name, bits
        elif of in structs:
            yield from ((inner, bits + more) for inner, more in _flat(structs, structs[of][1]))


def _string(btf: bytes, at: int) -> str:
    return btf[at : btf.index(b"\0", at)].decode()
