"""BPF objects that hold several programs to compare, and those that other people wrote."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bpftop.errors import BpftopError
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.object import BpfObject, last_words
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.check import check, errno_words

_NOT_ELF = 4000  # libbpf's own error numbers (bpf/libbpf_legacy.h) begin here


class BenchObject(BpfObject):
    """One object file, loaded with these of its programs (empty: all), which share its maps.

    No map is pinned, nor taken from where one of its name is pinned: what runs here writes to no map but its own.
    Raises KernelError when the kernel refuses; its ``log`` is what the verifier said.
    """

    def __init__(self, name: str, programs: Collection[str] = (), path: str | None = None) -> None:
        self._wanted = frozenset(programs)
        self.programs: dict[str, Program] = {}
        super().__init__(name, next(iter(programs), ""), path=path)

    def _prepare(self, wanted: str, constants: Mapping[str, int]) -> int:
        chosen = []
        for listed, program in _programs(self._object):
            load = not self._wanted or listed.name in self._wanted
            lib.bpf_program__set_autoload(program, load)
            if load:
                chosen.append((listed.name, program))
        if not chosen:
            raise BpftopError(f"the BPF object {self.name} has no program {wanted}; reinstall bpftop")
        _forget_pins(self._object)
        rc = lib.bpf_object__load(self._object)
        if rc < 0:
            log = ffi.string(lib.bpftop_messages()).decode(errors="replace")
            names = ", ".join(name for name, _ in chosen[:3]) + (", ..." if chosen[3:] else "")
            check(rc, f"load {names} of the BPF object {self.name}", last_words(log) or last_line(log), log)
        self.programs = {name: Program(int(lib.bpf_program__fd(program)), name) for name, program in chosen}
        return self.programs[wanted or chosen[0][0]].fd


@dataclass(frozen=True)
class ProgramEntry:
    """A program of an object file that was not loaded. ``type`` is libbpf's word for it: ``xdp``, ``sched_cls``."""

    name: str
    section: str
    type: str


def list_programs(path: str) -> list[ProgramEntry]:
    """The programs of the object file ``path``, in its order. Raises BpftopError: no such file, or no BPF object."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise BpftopError(f"cannot open {path}: {error.strerror}; name a BPF object, which clang makes") from error
    lib.bpftop_messages_begin()
    opened = lib.bpf_object__open_file(path.encode(), ffi.NULL)
    if opened == ffi.NULL:
        said = last_line(ffi.string(lib.bpftop_messages()).decode(errors="replace"))
        why = said if ffi.errno in (errno.EINVAL, errno.ENOEXEC) or ffi.errno >= _NOT_ELF else errno_words(ffi.errno)
        raise BpftopError(
            f"{path} is no BPF object: {why or 'libbpf refuses it'}; compile one with clang -target bpf -g"
        )
    try:
        return [listed for listed, _ in _programs(opened)]
    finally:
        lib.bpf_object__close(opened)


def last_line(log: str) -> str:
    """The last thing that libbpf said, without its own name."""
    lines = [line.removeprefix("libbpf: ").strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _programs(opened: object) -> list[tuple[ProgramEntry, object]]:
    found = []
    program = ffi.NULL
    while (program := lib.bpf_object__next_program(opened, program)) != ffi.NULL:
        words = lib.libbpf_bpf_prog_type_str(lib.bpf_program__type(program))
        name, section = lib.bpf_program__name(program), lib.bpf_program__section_name(program)
        found.append(
            (ProgramEntry(_text(name), _text(section), _text(words) if words != ffi.NULL else "unknown"), program)
        )
    return found


def _forget_pins(opened: object) -> None:
    bpf_map = ffi.NULL
    while (bpf_map := lib.bpf_object__next_map(opened, bpf_map)) != ffi.NULL:
        check(lib.bpf_map__set_pin_path(bpf_map, ffi.NULL), "keep a map of the BPF object unpinned")


def _text(words: object) -> str:
    return str(ffi.string(words).decode(errors="replace"))
