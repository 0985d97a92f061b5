"""Capabilities of the calling thread, read from /proc/thread-self/status."""

from pathlib import Path

import pytest

from bpftop.kernel.privileges import CAPABILITY_BITS, COUNTING, Privileges

UNKNOWN = Privileges(None)


def holding(*names: str) -> Privileges:
    return Privileges(sum(1 << CAPABILITY_BITS[name] for name in names))


def test_capabilities_are_read_from_proc(tmp_path: Path) -> None:
    status = tmp_path / "thread-self/status"
    status.parent.mkdir()
    status.write_text("Name:\tx\nCapPrm:\t00000000ffffffff\nCapEff:\t0000008000001000\n")
    assert Privileges.read(tmp_path) == holding("CAP_BPF", "CAP_NET_ADMIN")


def test_capabilities_without_proc_are_unknown(tmp_path: Path) -> None:
    assert Privileges.read(tmp_path) == UNKNOWN


@pytest.mark.parametrize(
    ("privileges", "missing"),
    [
        (UNKNOWN, COUNTING),
        (holding(), COUNTING),
        (holding("CAP_BPF", "CAP_NET_ADMIN"), ("CAP_PERFMON",)),
        (holding("CAP_SYS_ADMIN"), ("CAP_NET_ADMIN",)),
        (holding(*COUNTING), ()),
    ],
)
def test_missing_capabilities_for_counting(privileges: Privileges, missing: tuple[str, ...]) -> None:
    assert privileges.missing(COUNTING) == missing


@pytest.mark.parametrize(
    ("privileges", "missing"),
    [
        (holding(), COUNTING),
        (holding("CAP_BPF", "CAP_NET_ADMIN"), ("CAP_PERFMON",)),
        (holding("CAP_SYS_ADMIN"), ()),
        (holding(*COUNTING), ()),
    ],
)
def test_missing_capabilities_for_loading(privileges: Privileges, missing: tuple[str, ...]) -> None:
    assert privileges.missing_to_load() == missing
