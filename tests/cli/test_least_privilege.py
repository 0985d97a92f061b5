"""Long-running verbs give up the capabilities that they do not need, thread by thread, and attach again afterwards."""

from __future__ import annotations

import re
import urllib.request
from ctypes.util import find_library
from pathlib import Path

import pytest

from bpftop.kernel.least_privilege import FILES, SAMPLING
from bpftop.kernel.privileges import CAPABILITY_BITS
from tests.bpf.devices import Lab
from tests.cli.running import started
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf

LISTEN = "127.0.0.1:19435"
COUNTED = 'bpftop_protocol_packets_total{direction="rx",interface="v0"'


@pytest.fixture
def lab(lab: Lab) -> Lab:
    lab.veth()
    return lab


def held(pid: int) -> dict[str, int]:
    """Return thread id -> mask of permitted capabilities; every thread must have no_new_privs and a filter."""
    masks: dict[str, int] = {}
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        text = status.read_text()
        assert "NoNewPrivs:\t1" in text
        assert "Seccomp:\t2" in text or find_library("seccomp") is None
        masks[status.parent.name] = int(re.findall(r"^CapPrm:\t(\w+)$", text, re.MULTILINE)[0], 16)
    return masks


def mask_of(names: tuple[str, ...]) -> int:
    return sum(1 << CAPABILITY_BITS[name] for name in names)


def scraped() -> str:
    try:
        with urllib.request.urlopen(f"http://{LISTEN}/metrics", timeout=LIMIT_S) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_export_serves_without_any_capability_and_reattaches(lab: Lab) -> None:
    with started("export", "v0", "--listen", LISTEN, "-i", "0.2") as process:
        until(lambda: "bpftop_protocol_packets_total" in scraped(), scraped)
        masks = held(process.pid)
        assert [mask for mask in masks.values() if mask & ~mask_of(SAMPLING)] == []
        assert sum(mask == 0 for mask in masks.values()) >= 1
        lab.ip("link delete v0")
        until(lambda: COUNTED not in scraped(), scraped)
        lab.veth()
        lab.send_far("v1", 50)
        until(lambda: COUNTED in scraped(), scraped)


def test_record_keeps_what_files_and_sampling_need(lab: Lab, tmp_path: Path) -> None:
    with started("record", "v0", "-o", str(tmp_path / "a"), "-i", "0.2") as process:
        until(lambda: (tmp_path / "a-wal").exists() and (tmp_path / "a-wal").stat().st_size, "ticks are written")
        masks = held(process.pid)
        assert [mask for mask in masks.values() if mask & ~mask_of((*SAMPLING, *FILES))] == []
        assert 0 in masks.values()
        process.terminate()
        assert process.wait(60) == 0
