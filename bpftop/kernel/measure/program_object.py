"""BPF objects with several programs to compare: bpftop's own, and object files of other people."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bpftop.config.untrusted_file import Refused, opened
from bpftop.errors import BpftopError
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import messages, text
from bpftop.kernel.bpf.object import BpfObject, verifier_excerpt
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.check import check, errno_words

_NOT_ELF = 4000  # libbpf's own error numbers (bpf/libbpf_legacy.h) begin here


class BenchObject(BpfObject):
    """One object file, loaded with the given programs (empty: all), which share its maps.

    Pins are ignored, so that a program under test writes to no map but its own. Raises KernelError if the kernel
    refuses; ``log`` has the verifier's messages.
    """

    def __init__(self, name: str, programs: Collection[str] = (), path: str | None = None) -> None:
        self._wanted = frozenset(programs)
        self.programs: dict[str, Program] = {}
        super().__init__(name, next(iter(programs), ""), path=path)

    def _prepare(self, wanted: str, constants: Mapping[str, int]) -> int:
        chosen = []
        for entry, program in _programs(self._object):
            is_wanted = not self._wanted or entry.name in self._wanted
            lib.bpf_program__set_autoload(program, is_wanted)
            if is_wanted:
                chosen.append((entry.name, program))
        if not chosen:
            raise BpftopError(f"the BPF object {self.name} has no program {wanted}; reinstall bpftop")
        _ignore_pins(self._object)
        rc = lib.bpf_object__load(self._object)
        if rc < 0:
            log = messages()
            names = ", ".join(name for name, _ in chosen[:3]) + (", ..." if chosen[3:] else "")
            check(rc, f"load {names} of the BPF object {self.name}", verifier_excerpt(log) or last_line(log), log)
        self.programs = {name: Program(int(lib.bpf_program__fd(program)), name) for name, program in chosen}
        return self.programs[wanted or chosen[0][0]].fd


@dataclass(frozen=True)
class ProgramEntry:
    """A program of an object file, not loaded. ``type`` is libbpf's name of the type: ``xdp``, ``sched_cls``."""

    name: str
    section: str
    type: str


def list_programs(path: str) -> list[ProgramEntry]:
    """List the programs of the object file ``path``. Raises BpftopError if there is no such file or no BPF object."""
    try:
        with opened(path, named=True):
            pass
    except Refused as error:
        raise BpftopError(f"cannot open {path}: {error}; name a BPF object, which clang makes") from None
    except OSError as error:
        raise BpftopError(f"cannot open {path}: {error.strerror}; name a BPF object, which clang makes") from error
    lib.bpftop_messages_begin()
    opened_object = lib.bpf_object__open_file(path.encode(), ffi.NULL)
    if opened_object == ffi.NULL:
        message = last_line(messages())
        why = message if ffi.errno in (errno.EINVAL, errno.ENOEXEC) or ffi.errno >= _NOT_ELF else errno_words(ffi.errno)
        raise BpftopError(
            f"{path} is no BPF object: {why or 'libbpf refuses it'}; compile one with clang -target bpf -g"
        )
    try:
        return [entry for entry, _ in _programs(opened_object)]
    finally:
        lib.bpf_object__close(opened_object)


def last_line(log: str) -> str:
    """Return the last line of libbpf's messages, without the prefix "libbpf: "."""
    lines = [line.removeprefix("libbpf: ").strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _programs(opened: object) -> Iterator[tuple[ProgramEntry, object]]:
    program = ffi.NULL
    while (program := lib.bpf_object__next_program(opened, program)) != ffi.NULL:
        type_name = lib.libbpf_bpf_prog_type_str(lib.bpf_program__type(program))
        entry = ProgramEntry(
            name=text(lib.bpf_program__name(program)),
            section=text(lib.bpf_program__section_name(program)),
            type=text(type_name) if type_name != ffi.NULL else "unknown",
        )
        yield entry, program


def _ignore_pins(opened: object) -> None:
    """Neither pin the maps of the object nor reuse maps that are pinned under their names."""
    bpf_map = ffi.NULL
    while (bpf_map := lib.bpf_object__next_map(opened, bpf_map)) != ffi.NULL:
        check(lib.bpf_map__set_pin_path(bpf_map, ffi.NULL), "keep a map of the BPF object unpinned")
