"""``bpftop progs`` on programs of many types: exact counts, times like test-run's, and who holds them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.measure.run_stats import enable_run_stats, program_runs
from tests.bpf.compiled import compiled
from tests.cli.running import bpftop
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.bpf

SECTIONS = {
    "socket": "socket_filter", "tc": "sched_cls", "action": "sched_act", "xdp": "xdp",
    "cgroup_skb/egress": "cgroup_skb",
    "cgroup/sock_create": "cgroup_sock", "lwt_in": "lwt_in", "lwt_out": "lwt_out", "lwt_xmit": "lwt_xmit",
    "sockops": "sock_ops", "sk_skb/stream_parser": "sk_skb", "cgroup/dev": "cgroup_device", "sk_msg": "sk_msg",
    "raw_tp": "raw_tracepoint", "perf_event": "perf_event", "kprobe": "kprobe", "flow_dissector": "flow_dissector",
    "cgroup/sysctl": "cgroup_sysctl",
}  # fmt: skip
"""Section -> type of its program, as bpftool names it."""

RUNNABLE = ("socket_filter", "sched_cls", "sched_act", "xdp", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit")
"""Types that BPF_PROG_TEST_RUN runs on a frame."""
RUNS = 2000

HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
static __always_inline int work(void)
{
    volatile unsigned long sum = 0;
    for (int i = 0; i < 4000; i++) sum += i;
    return sum & 1;
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an object with a program of each section, all of them with the same work of some microseconds."""
    programs = "".join(
        f'SEC("{section}") int prog_{number}(void *ctx) {{ return work(); }}\n'
        for number, section in enumerate(SECTIONS)
    )
    return compiled("types", HEAD + programs, tmp_path_factory.mktemp("types"))


@pytest.fixture(scope="module")
def loaded(path: str) -> Iterator[BpfObject]:
    with closing(BpfObject("types", (), path=path)) as made:
        yield made


def listed() -> dict[int, dict[str, Any]]:
    done = bpftop("progs", "-i", "0.1", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    return {row["id"]: row for row in json.loads(done.stdout)["programs"]}


def test_types_names_and_owner_of_each(loaded: BpfObject) -> None:
    rows = listed()
    for (name, program), kind in zip(loaded.programs.items(), SECTIONS.values(), strict=True):
        row = rows[program.prog_id]
        assert (row["type"], row["name"]) == (kind, name)
        assert [owner["pid"] for owner in row["owners"]] == [os.getpid()]
    assert len({rows[program.prog_id]["type"] for program in loaded.programs.values()}) >= 12


def test_runs_of_each_type_are_counted_exactly(loaded: BpfObject) -> None:
    by_type = dict(zip(SECTIONS.values(), loaded.programs.values(), strict=True))
    before = {kind: program_runs(by_type[kind].fd)[0] for kind in RUNNABLE}
    with closing(enable_run_stats()):
        for kind in RUNNABLE:
            by_type[kind].test_run(bytes(128), RUNS)
        rows = listed()
    for kind in RUNNABLE:
        assert rows[by_type[kind].prog_id]["run_cnt"] - before[kind] == RUNS, kind


def test_the_mean_time_is_that_of_test_run_within_20_percent(path: str) -> None:
    """Both times are of the same runs, and the work is long beside the clock readings that test-run's time has too."""
    with closing(BpfObject("types", "prog_3", path=path)) as fresh, closing(enable_run_stats()):
        mean_ns = fresh.program.test_run(bytes(128), 20 * RUNS).duration_ns
        row = listed()[fresh.program.prog_id]
    assert row["total_ns_per_run"] == pytest.approx(mean_ns, rel=0.2)


HOLDER = """
import sys
from contextlib import closing
from bpftop.kernel.bpf.object import BpfObject
with closing(BpfObject("noop", "noop_xdp")) as loaded:
    print(loaded.program.prog_id, flush=True)
    sys.stdin.read()
"""


@pytest.mark.needs("unshare")
def test_a_holder_in_another_pid_namespace_has_its_pid_here() -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        prog_id = int(process.stdout.readline())
        row = listed()[prog_id]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.stdin.close()
        process.wait(LIMIT_S)
    assert [str(owner["pid"]) for owner in row["owners"]] == children
