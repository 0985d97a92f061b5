"""The person's own programs: selection by name, copies of their maps, comparison with an empty program."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bpftop.errors import BpftopError
from bpftop.kernel import build
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.object import object_path
from bpftop.kernel.measure.frames import DEFAULT_FRAMES, FRAMES
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.own_object import KINDS, choose, own_objects

pytestmark = pytest.mark.bpf

MIX = {name: FRAMES[name] for name in DEFAULT_FRAMES}
ONE = {"TCP": FRAMES["TCP"]}

HEAD = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""


def compiled(folder: Path, text: str) -> str:
    source, target = folder / "own.bpf.c", folder / "own.bpf.o"
    source.write_text(HEAD + text)
    build.compile_bpf_object(source, target, *build.find_bpf_tools())
    return str(target)


def measured(paths: list[str], program: str | None = None, repeat: int | None = 2000, rounds: int = 2) -> SuiteTable:
    *_, last = replace(own_objects(choose(paths, program), MIX, repeat), rounds=rounds).run(Stop())
    return last.table


@pytest.mark.parametrize(
    ("name", "program", "returns"),
    [
        ("counter", "count_xdp", "XDP_PASS"),
        ("counter", "count_xdp_frags", "XDP_PASS"),
        ("counter", "count_tc", "TC_ACT_UNSPEC"),
        ("bench_empty", "empty_socket", "0"),
        ("bench_empty", "empty_action", "TC_ACT_OK"),
        ("bench_empty", "empty_cgroup_skb", "1"),
        ("bench_empty", "empty_flow_dissector", "0"),
        ("bench_empty", "empty_lwt_xmit", "0"),
        ("bench_empty", "empty_raw_tp", "0"),
        ("bench_empty", "empty_syscall", "0"),
    ],
)
def test_every_type_that_can_be_test_run(name: str, program: str, returns: str) -> None:
    table = measured([object_path(name)], program)
    assert [row.name for row in table.rows] == [f"{name}.bpf.o:{program}"]
    assert table.rows[0].returns == returns
    assert table.rows[0].alone.gross.low > 0
    assert table.rows[0].size is not None
    assert table.rows[0].name in table.verdict


def test_a_counter_costs_more_than_an_empty_program() -> None:
    table = measured([object_path("noop")], "noop_tc", repeat=None, rounds=5)
    assert table.rows[0].ns < 3
    table = measured([object_path("counter")], "count_tc", repeat=None, rounds=5)
    assert 2 < table.rows[0].ns < 1000
    assert "of the TC budget of 1 µs" in table.verdict
    assert "Mpps" in table.verdict


def test_two_objects_side_by_side(tmp_path: Path) -> None:
    copy = tmp_path / "counter.bpf.o"
    shutil.copy(object_path("counter"), copy)
    table = measured([object_path("counter"), str(copy), str(copy)], "count_xdp")
    assert [row.name for row in table.rows] == [f"{path}:count_xdp" for path in (object_path("counter"), copy)]
    assert table.reference == table.rows[0].name


def test_return_values_for_different_frames(tmp_path: Path) -> None:
    text = """
SEC("xdp") int only_ip(struct xdp_md *ctx)
{
	unsigned char *frame = (void *)(long)ctx->data;
	if ((void *)(frame + 14) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	return frame[12] == 8 && frame[13] == 0 ? XDP_PASS : XDP_DROP;
}"""
    assert measured([compiled(tmp_path, text)]).rows[0].returns == "XDP_PASS 3, XDP_DROP 3"


def test_no_map_is_pinned(tmp_path: Path) -> None:
    """Else the bench would count in the maps of a program that runs, or leave its own behind."""
    text = """
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} bpftop_test_pinned SEC(".maps");
SEC("xdp") int counts(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&bpftop_test_pinned, &zero);
	if (value)
		++*value;
	return XDP_PASS;
}"""
    assert measured([compiled(tmp_path, text)]).rows
    assert not Path("/sys/fs/bpf/bpftop_test_pinned").exists()


def test_a_program_that_tail_calls_another(tmp_path: Path) -> None:
    text = """
int target(struct xdp_md *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__array(values, int(struct xdp_md *));
} targets SEC(".maps") = { .values = { (void *)&target } };
SEC("xdp") int target(struct xdp_md *ctx) { return XDP_DROP; }
SEC("xdp") int entry(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &targets, 0);
	return XDP_ABORTED;
}"""
    assert measured([compiled(tmp_path, text)], "entry").rows[0].returns == "XDP_DROP"


def refusal(paths: list[str], program: str | None = None, frames: dict[str, bytes] = ONE) -> str:
    with pytest.raises(BpftopError) as caught:
        list(own_objects(choose(paths, program), frames, 10).run(Stop()))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_objects_are_one_sentence(tmp_path: Path) -> None:
    assert "No such file" in refusal(["/no/such.o"])
    assert "not a regular file" in refusal([str(tmp_path)])
    text = tmp_path / "text.o"
    text.write_text("not an object")
    assert "is no BPF object" in refusal([str(text)])
    cut = tmp_path / "cut.o"
    cut.write_bytes(Path(object_path("counter")).read_bytes()[:500])
    assert "is no BPF object" in refusal([str(cut)])
    host = tmp_path / "host.o"
    shutil.copy(shutil.which("true") or "/bin/true", host)
    assert "is no BPF object" in refusal([str(host)])
    assert "has no BPF program" in refusal([compiled(tmp_path, "")])


def test_which_program() -> None:
    path = object_path("counter")
    assert f"{path} has 3 programs: count_xdp, count_xdp_frags, count_tc; choose one" in refusal([path])
    assert f"{path} has no program nonesuch; it has count_xdp, count_xdp_frags, count_tc" in refusal([path], "nonesuch")


def test_the_verifier_is_quoted(tmp_path: Path) -> None:
    text = 'SEC("xdp") int bad(struct xdp_md *ctx) { return *(int *)(long)ctx->data; }'
    message = refusal([compiled(tmp_path, text)])
    assert "cannot load bad of the BPF object own.bpf.o: EACCES" in message
    assert "invalid access to packet" in message


def test_a_type_that_is_not_test_run(tmp_path: Path) -> None:
    message = refusal([compiled(tmp_path, 'SEC("perf_event") int sample(void *ctx) { return 0; }')])
    assert "BPF_PROG_TEST_RUN does not run programs of type perf_event; it runs xdp, sched_cls" in message


def test_a_frame_that_the_kernel_refuses() -> None:
    message = refusal([object_path("noop")], "noop_tc", {"huge": bytes(200_000)})
    assert "EINVAL (Invalid argument); the kernel takes no frame of 200000 bytes for type sched_cls" in message


def test_every_known_type_has_an_empty_program() -> None:
    for kind in KINDS.values():
        assert kind.empty is not None
        assert Path(object_path(kind.empty[0])).exists()
