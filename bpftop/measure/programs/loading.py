"""Loading of programs to measure."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from bpftop.config.resources import exhausted
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.program import Program
from bpftop.kernel.privileges import Privileges
from bpftop.kernel.return_code import KernelError
from bpftop.measure.programs.costs import Size


def load_object(stack: ExitStack, name: str, programs: Collection[str] = (), path: str | None = None) -> BpfObject:
    """Load programs (empty: all) of an object, which ``stack`` unloads. Raises KernelError, BpftopError."""
    with missing_privileges_named():
        loaded = BpfObject(name, programs, path=path)
    stack.callback(loaded.close)
    return loaded


@contextmanager
def missing_privileges_named() -> Iterator[None]:
    """Name the missing capabilities in the error of a block that loads BPF programs.

    A missing capability gives EPERM. Without CAP_PERFMON the verifier also follows speculative paths, and refuses a
    program as too complex (EFAULT) or for pointer arithmetic (EACCES). Raises BpftopError, or KernelError for another
    refusal.
    """
    try:
        yield
    except KernelError as error:
        if (limit := exhausted(error)) is not None:
            raise BpftopError(limit) from error
        missing = Privileges.read().missing_to_load()
        if not missing and error.errno != errno.EPERM:
            raise
        remedy = (
            f"this process lacks {', '.join(missing)}: run it as root or with sudo"
            if missing
            else "it has the capabilities, so a container, a user namespace or a policy forbids it: run it on the host"
        )
        raise BpftopError(f"{str(error).partition(';')[0]}; {remedy}") from error


def size_of(program: Program) -> Size:
    """Return the size of a loaded program."""
    facts = program.info()
    return Size(facts.xlated_bytes // 8, facts.jited_bytes)
