"""The tracing parts: the meaning of refusals, and that no sample waits while a part is loaded."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from bpftop.collect.bpf import tracing
from bpftop.collect.bpf.tracing import Late, refusal
from bpftop.collect.collector import Unavailable
from bpftop.errors import BpftopError
from bpftop.kernel.privileges import TRACING
from bpftop.kernel.return_code import KernelError
from tests.waiting import LIMIT_S

HOW = "run it with sudo" if os.geteuid() else "give it to this container or service"


class Part:
    closed = False

    def close(self) -> None:
        self.closed = True


def failing(error: BaseException) -> Late[Part]:
    """Return a part whose loading ended with the error."""

    def load() -> Part:
        raise error

    late: Late[Part] = Late("drop reasons")
    with pytest.raises(Unavailable, match="drop reasons: being loaded"):
        late.get(lambda: held_back(load))
    BARRIER.wait()
    assert late._thread is not None
    late._thread.join()
    return late


BARRIER = threading.Barrier(2, timeout=LIMIT_S)


def held_back(load: object) -> Part:
    """Load once the test has seen the part loading."""
    BARRIER.wait()
    assert callable(load)
    part = load()
    assert isinstance(part, Part)
    return part


def reason(late: Late[Part]) -> str:
    with pytest.raises(Unavailable) as caught:
        late.get(Part)
    return str(caught.value)


def test_a_loaded_part_is_closed_with_its_owner() -> None:
    late: Late[Part] = Late("drop reasons")
    with pytest.raises(Unavailable, match="drop reasons: being loaded"):
        late.get(lambda: held_back(Part))
    BARRIER.wait()
    assert late._thread is not None
    late._thread.join()
    part = late.get(Part)
    assert late.get(Part) is part
    late.close()
    late.close()
    assert part.closed


def test_a_part_that_was_never_loaded_is_closed_quietly() -> None:
    Late("drop reasons").close()


def test_a_failure_stays_the_same_sentence() -> None:
    late = failing(BpftopError("this kernel does not say why"))
    assert reason(late) == reason(late) == "drop reasons: this kernel does not say why"
    late.close()


def test_no_proc_is_a_sentence() -> None:
    late = failing(FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/thread-self/ns/net"))
    assert reason(late).startswith("drop reasons: [Errno 2] No such file or directory: '/proc/")


def test_a_bug_is_raised_in_the_samplers_thread() -> None:
    late = failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        late.get(Part)


@pytest.fixture
def privileges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the path of a fake /proc/thread-self/status with all capabilities, which a test may rewrite."""
    from bpftop.kernel import privileges

    status = tmp_path / "proc/thread-self/status"
    status.parent.mkdir(parents=True)
    status.write_text("CapEff:\t000001ffffffffff\n")
    real = privileges.Privileges.read
    monkeypatch.setattr(privileges.Privileges, "read", lambda: real(tmp_path / "proc"))
    return status


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES])
def test_a_missing_capability_is_named(privileges: Path, number: int) -> None:
    privileges.write_text("CapEff:\t0000008000000000\n")  # CAP_BPF alone
    words = refusal(KernelError("cannot", number), TRACING)
    assert words == f"{errno.errorcode[number]} ({os.strerror(number)}); takes CAP_PERFMON: {HOW}"


def test_eperm_with_all_capabilities_is_the_kernels_own(privileges: Path) -> None:
    words = refusal(KernelError("cannot", errno.EPERM), TRACING)
    assert words.startswith(
        "this kernel refuses such programs, EPERM (Operation not permitted), although no capability"
    )
    assert "sudo" not in words


def test_a_kernel_without_the_tracepoint_or_btf(
    privileges: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = KernelError("cannot load the BPF program count_drop", errno.ESRCH)
    monkeypatch.setattr(tracing, "KERNEL_BTF", tmp_path)
    assert refusal(error, TRACING) == "this kernel has no such tracepoint"
    monkeypatch.setattr(tracing, "KERNEL_BTF", tmp_path / "nothing")
    assert refusal(error, TRACING).endswith("it takes one with CONFIG_DEBUG_INFO_BTF")


def test_another_error_is_shown_as_it_is(privileges: Path) -> None:
    assert refusal(KernelError("cannot load it: E2BIG", errno.E2BIG), TRACING) == "cannot load it: E2BIG"


def test_want_of_memory_is_a_limit_with_its_remedy(privileges: Path) -> None:
    limit = "the limit of memory (ulimit -v, memory.max of the cgroup) is too low for bpftop; raise it"
    assert refusal(KernelError("cannot load it: ENOMEM", errno.ENOMEM), TRACING) == limit
