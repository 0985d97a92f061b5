"""The programs of an object file, listed without loading them."""

from __future__ import annotations

import errno

from bpftop.config.untrusted_file import Refused, opened
from bpftop.errors import BpftopError
from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import messages, text
from bpftop.kernel.bpf.object import each_program, last_line
from bpftop.kernel.return_code import errno_words

_NOT_ELF = 4000  # libbpf's own error numbers (bpf/libbpf_legacy.h) begin here


@frozen
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
        return [_entry(handle) for handle in each_program(opened_object)]
    finally:
        lib.bpf_object__close(opened_object)


def _entry(handle: object) -> ProgramEntry:
    type_name = lib.libbpf_bpf_prog_type_str(lib.bpf_program__type(handle))
    return ProgramEntry(
        name=text(lib.bpf_program__name(handle)),
        section=text(lib.bpf_program__section_name(handle)),
        type=text(type_name) if type_name != ffi.NULL else "unknown",
    )
