"""The translated instructions of a loaded program with its source lines, on demand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel.bpf import inventory
from bpftop.kernel.return_code import KernelError
from bpftop.model.bpf.btf import BadBtf, Btf
from bpftop.model.bpf.disassembly import Instruction, disassemble
from bpftop.model.bpf.inventory import BpfProgram


@frozen
class Disassembly:
    """Instructions, the source line of the instructions that begin one, by offset, and the number of functions."""

    instructions: tuple[Instruction, ...]
    source: Mapping[int, str]
    functions: int


def read_disassembly(program: BpfProgram) -> Disassembly:
    """Read the instructions of a program. Raises BpftopError if it is gone, or the kernel hides its instructions."""
    code = inventory.code_of(program.prog_id)
    if code is None:
        raise BpftopError(f"the BPF program {program.prog_id} has been unloaded")
    if not code.xlated:
        raise BpftopError(
            f"the kernel does not give away the instructions of the BPF program {program.prog_id}; it takes root, and "
            "kernel.kptr_restrict below 2"
        )
    source: dict[int, str] = {}
    if code.btf_id and code.lines:
        with suppress(BadBtf, KernelError):
            btf = Btf(inventory.btf_bytes(code.btf_id))
            source = {offset: btf.text(at).strip() for offset, at in code.lines}
    written = {offset: line for offset, line in source.items() if line}
    return Disassembly(tuple(disassemble(code.xlated)), written, code.functions)
