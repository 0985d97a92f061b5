"""BPF objects: bpftop's own and object files of other people, loaded with some of their programs."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import bpftop
from bpftop.config.resources import address_space_is_limited
from bpftop.errors import BpftopError
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import messages, text
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.return_code import check

_LOG_LINES = 3
_LIBELF_ERRORS = (4000, 4001)  # LIBBPF_ERRNO__LIBELF and __FORMAT


def object_path(name: str) -> str:
    """Return the path of the compiled object ``name``. Raises BpftopError if the installation lacks the file."""
    path = os.path.join(os.path.dirname(bpftop.__file__), "objects", f"{name}.bpf.o")
    if not os.path.exists(path):
        raise BpftopError(
            f"the BPF object {path} is missing; reinstall bpftop, or run `make .venv/run` in its checkout"
        )
    return path


class BpfObject:
    """One object file, loaded with one of its programs, or with several programs, which share its maps.

    Pins are ignored: no map is pinned, and a program under test writes to no map but its own.
    """

    def __init__(
        self,
        name: str,
        program: str | Collection[str],
        constants: Mapping[str, int] | None = None,
        path: str | None = None,
        target: tuple[int, str] | None = None,
        *,
        shared: Mapping[str, int] | None = None,
        max_entries: Mapping[str, int] | None = None,
    ) -> None:
        """Open and load the object.

        Args:
            name: The object file without its suffix.
            program: The name of the program to load, or the names of several (empty: all).
            constants: Values of ``const volatile __u32`` variables, by name.
            path: Another object file than the installed file.
            target: A loaded program (by fd) and its function, which tracing programs are attached to.
            shared: Maps (by fd) that take the place of the object's own maps, by name.
            max_entries: Sizes of maps that differ from the source, by name.

        Raises:
            KernelError: The kernel refused; ``log`` has the verifier's messages.
            BpftopError: The installation lacks the object, the program or a map.
        """
        self.name = name
        self._kept: list[OwnedFd] = []
        self._map_fds: dict[str, int] | None = None
        own = path is None
        path = path or object_path(name)
        lib.bpftop_messages_begin()
        self._object = lib.bpf_object__open_file(path.encode(), ffi.NULL)
        if self._object == ffi.NULL:
            number = ffi.errno
            if own and number in _LIBELF_ERRORS and address_space_is_limited():
                number = errno.ENOMEM  # libelf does not tell it from a damaged file, and libbpf prints no reason
            remedy = "" if number == errno.ENOMEM else "the file may be damaged: reinstall bpftop"
            check(-number, f"open the BPF object {path}", remedy)
        try:
            for map_name, fd in (shared or {}).items():
                check(lib.bpf_map__reuse_fd(self._map(map_name), fd), f"share the map {map_name}")
            for map_name, entries in (max_entries or {}).items():
                check(lib.bpf_map__set_max_entries(self._map(map_name), entries), f"size the map {map_name}")
            for constant, value in (constants or {}).items():
                check(
                    lib.bpftop_set_constant(self._object, constant.encode(), value),
                    f"set {constant} in the BPF object {name}",
                )
            self.programs = self._load(program, target)
        except BaseException:
            self.close()
            raise
        self.program = next(iter(self.programs.values()))

    def _load(self, programs: str | Collection[str], target: tuple[int, str] | None) -> dict[str, Program]:
        wanted = (programs,) if isinstance(programs, str) else tuple(programs)
        names = [ffi.new("char[]", name.encode()) for name in wanted]
        selected = lib.bpftop_select_programs(self._object, ffi.new("const char *[]", names), len(names))
        if not check(selected, f"select programs of the BPF object {self.name}"):
            raise BpftopError(f"the BPF object {self.name} has no program {', '.join(wanted)}; reinstall bpftop")
        if isinstance(programs, str):
            handles = {programs: lib.bpf_object__find_program_by_name(self._object, programs.encode())}
        else:
            each = {text(lib.bpf_program__name(handle)): handle for handle in each_program(self._object)}
            handles = {name: handle for name, handle in each.items() if not wanted or name in wanted}
        if target is not None:
            fd, function = target
            for handle in handles.values():
                check(
                    lib.bpf_program__set_attach_target(handle, fd, function.encode()),
                    f"find the function {function} in the BTF of its program",
                )
        rc = lib.bpf_object__load(self._object)
        if rc < 0:
            log = messages()
            excerpt = verifier_excerpt(log)
            if isinstance(programs, str):
                check(rc, f"load the BPF program {programs}", excerpt, log)
            first = ", ".join([*handles][:3]) + (", ..." if len(handles) > 3 else "")
            check(rc, f"load {first} of the BPF object {self.name}", excerpt or last_line(log), log)
        return {name: Program(int(lib.bpf_program__fd(handle)), name) for name, handle in handles.items()}

    def _map(self, name: str) -> Any:
        named_map = lib.bpf_object__find_map_by_name(self._object, name.encode())
        if named_map == ffi.NULL:
            raise BpftopError(f"the BPF object {self.name} has no map {name}; reinstall bpftop")
        return named_map

    def shrink(self, maps: Collection[str]) -> None:
        """Free libbpf's copy of the object file, 150 KiB for a counter; keep open the programs and the maps named.

        Raises KernelError: EMFILE where too few files may be open.
        """
        kept_maps = {name: self._keep(self.map_fd(name)) for name in maps}
        self.programs = {name: Program(self._keep(program.fd), name) for name, program in self.programs.items()}
        self.program = next(iter(self.programs.values()))
        self._map_fds = kept_maps
        self._close_object()

    def _keep(self, fd: int) -> int:
        """Return a descriptor of the same map or program that stays open without libbpf's object."""
        try:
            copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        except OSError as error:
            copy = check(-(error.errno or errno.EMFILE), f"keep the BPF object {self.name} open")
        self._kept.append(OwnedFd(copy))
        return copy

    def map_fd(self, name: str) -> int:
        """Return the file descriptor of a map; it belongs to this object."""
        if self._map_fds is not None:
            return self._map_fds[name]
        return check(
            lib.bpf_object__find_map_fd_by_name(self._object, name.encode()), f"find the map {name} in {self.name}"
        )

    def close(self) -> None:
        """Unload. The kernel frees programs and maps when no link refers to them any more."""
        for kept in self._kept:
            kept.close()
        self._close_object()

    def _close_object(self) -> None:
        if self._object != ffi.NULL:
            lib.bpf_object__close(self._object)
            self._object = ffi.NULL


def each_program(opened: Any) -> Iterator[Any]:
    """Yield libbpf's handle of every program of an opened object."""
    handle = ffi.NULL
    while (handle := lib.bpf_object__next_program(opened, handle)) != ffi.NULL:
        yield handle


def last_line(log: str) -> str:
    """Return the last line of libbpf's messages, without the prefix "libbpf: "."""
    lines = [line.removeprefix("libbpf: ").strip() for line in log.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def verifier_excerpt(log: str) -> str:
    """Return the last lines of the verifier's log as one line; empty if the log has none."""
    begin, end = log.find("BEGIN PROG LOAD LOG"), log.find("END PROG LOAD LOG")
    if begin < 0:
        return ""
    lines = [line.strip() for line in log[begin:end].splitlines()[1:]]
    # Register states are left out, because few people can read them; KernelError.log has the whole log.
    noise = ("processed ", "verification time", "stack depth", "--", "mark_precise", "func#")
    lines = [line for line in lines if 0 < len(line) < 120 and not line.startswith(noise)]
    return "the verifier's last words: " + " | ".join(lines[-_LOG_LINES:]) if lines else ""
