"""``bpftop progs`` and ``bpftop maps``: counts, times, owners and contents of programs and maps that the test makes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_link import Link
from bpftop.kernel.bpf.bpf_map import BpfMap
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.measure.run_stats import enable_run_stats, program_runs
from bpftop.model.bpf.map_contents import numbers
from bpftop.store.recording import Recording
from tests.cli.running import COMMAND, bpftop, environment, side_by_side, started
from tests.waiting import LIMIT_S, until

pytestmark = pytest.mark.bpf
LO = 1
RUNS = 1000


def schema(name: str) -> Any:
    return json.loads(files("bpftop.export.bpf").joinpath(f"{name}.schema.json").read_text())


def document(name: str, *words: str) -> dict[str, Any]:
    done = bpftop(*words, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    whole: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(schema(name)).validate(whole)
    return whole


@pytest.fixture
def counter() -> Iterator[BpfObject]:
    with closing(BpfObject("counter", "count_tc")) as loaded:
        yield loaded


def of_id(rows: list[dict[str, Any]], object_id: int) -> dict[str, Any]:
    (row,) = [row for row in rows if row["id"] == object_id]
    return row


def test_a_program_has_its_attachment_and_owner(counter: BpfObject) -> None:
    prog_id = counter.program.prog_id
    with closing(Link.tcx(counter.program.fd, LO, "tx")):
        row = of_id(document("programs", "progs", "-i", "0.1")["programs"], prog_id)
    assert (row["type"], row["name"], row["attached"]) == ("sched_cls", "count_tc", ["tcx egress lo"])
    assert {"pid": os.getpid(), "name": Path("/proc/self/comm").read_text().strip()}.items() <= row["owners"][0].items()
    assert len(row["map_ids"]) == 2


def test_runs_are_counted_exactly_and_timed_like_test_run(counter: BpfObject) -> None:
    program = counter.program
    with closing(enable_run_stats()):
        counted_before, _ = program_runs(program.fd)
        mean_ns = program.test_run(bytes(64), RUNS).duration_ns
        row = of_id(document("programs", "progs", "-i", "0.1")["programs"], program.prog_id)
    assert row["run_cnt"] - counted_before == RUNS
    assert row["runs_per_sec"] == 0
    # test-run's own loop is a part of its time; the clock of the statistics is taken off ours
    assert row["total_ns_per_run"] < 2 * mean_ns + 50


def test_a_rate_is_of_the_runs_in_the_interval(counter: BpfObject) -> None:
    with started("progs", "--watch", "-i", "0.2", "--format", "json") as process:
        assert process.stdout is not None
        rates: list[float] = []
        decoder, text = json.JSONDecoder(), ""
        while not any(rates):
            counter.program.test_run(bytes(64), RUNS)
            text += process.stdout.readline()
            if text.rstrip().endswith("\n}") or text == "}\n":
                whole, _ = decoder.raw_decode(text)
                text = ""
                rates.append(of_id(whole["programs"], counter.program.prog_id)["runs_per_sec"] or 0.0)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


def test_statistics_are_off_again_when_it_ends(counter: BpfObject) -> None:
    document("programs", "progs", "-i", "0.1")

    def off() -> bool:
        before = program_runs(counter.program.fd)
        counter.program.test_run(bytes(64), RUNS)
        return program_runs(counter.program.fd) == before

    until(off, "run statistics are off")  # another test may have them on at the same time


def test_a_program_that_only_a_pin_holds(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "bpf", "bpf", str(tmp_path)], check=True)
    try:
        with closing(BpfObject("noop", "noop_xdp")) as loaded:
            prog_id = loaded.program.prog_id
            subprocess.run(["bpftool", "prog", "pin", "id", str(prog_id), str(tmp_path / "kept")], check=True)
        row = of_id(document("programs", "progs", "-i", "0.1")["programs"], prog_id)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert (row["pinned"], row["owners"], row["attached"]) == ([str(tmp_path / "kept")], [], [])


def test_one_program_in_full_and_names_that_do_not_exist(counter: BpfObject) -> None:
    done = bpftop("progs", str(counter.program.prog_id), "-i", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"name  count_tc (id {counter.program.prog_id}, tag " in done.stdout
    assert "Run statistics are on meanwhile." in done.stdout
    for words, code, said in (
        (("progs", "no-such-program", "-i", "0.1"), 1, "there is no BPF program 'no-such-program'"),
        (("progs", "--sort", "speed"), 2, "there is no column 'speed'; the columns are id, type"),
        (("maps", "no-such-map"), 1, "there is no BPF map 'no-such-map'"),
        (("maps", "--limit", "0"), 2, "is not a whole number from 1"),
        (("maps", "--sort", "entries"), 2, "there is no column 'entries'; the columns are id, type"),
        (("maps", "x", "--format", "openmetrics"), 2, "are written as table, json, csv, not as openmetrics"),
    ):
        failed = bpftop(*words)
        assert (failed.returncode, failed.stdout) == (code, "")
        assert said in failed.stderr
        assert "Traceback" not in failed.stderr


@pytest.mark.needs("setpriv")
def test_without_privilege_one_line_says_what_is_needed() -> None:
    for verb in ("progs", "maps"):
        done = subprocess.run(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *COMMAND, verb],
            text=True, capture_output=True, env=environment(),
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
        assert "CAP_SYS_ADMIN" in done.stderr


@pytest.fixture
def hash_map() -> Iterator[tuple[BpfMap, str]]:
    """Yield a hash of 10 entries, and its id."""
    with ExitStack() as stack:
        made = stack.enter_context(closing(bpf_map.create(bpf_map.HASH, 4, 8, 100, name="test_hash")))
        for key in range(10):
            made.update(key.to_bytes(4, "little"), (key * 1000).to_bytes(8, "little"))
        yield made, str(made.info().map_id)


def test_entries_are_counted_and_read(hash_map: tuple[BpfMap, str]) -> None:
    _, map_id = hash_map
    row = of_id(document("maps", "maps", "-i", "0.1")["maps"], int(map_id))
    assert (row["entries"], row["entries_complete"], row["max_entries"]) == (10, True, 100)
    whole = document("map", "maps", map_id)
    assert whole["complete"]
    assert {row["key"]: row["value"] for row in whole["entries"]}["07 00 00 00"] == "58 1b 00 00 00 00 00 00"
    few = document("map", "maps", map_id, "--limit", "3")
    assert (len(few["entries"]), few["complete"]) == (3, False)
    assert len(document("map", "maps", map_id, "--search", "58 1B")["entries"]) == 1
    lines = list(csv.reader(io.StringIO(bpftop("maps", map_id, "--format", "csv").stdout)))
    assert (lines[0], len(lines)) == (["key", "value"], 11)
    assert bpftop("maps", map_id).stdout.startswith(f"test_hash (id {map_id}), hash, 10 entries\n")
    with closing(bpf_map.create(bpf_map.ARRAY, 4, 8, 1, name="test_array")) as array:
        array_id = array.info().map_id
        assert bpftop("maps", str(array_id)).stdout.startswith(f"test_array (id {array_id}), array, 1 entry\n")


def test_the_list_of_maps_is_searched_and_cut(hash_map: tuple[BpfMap, str]) -> None:
    def names(*words: str) -> list[str]:
        return [row["name"] for row in document("maps", "maps", "-i", "0.1", *words)["maps"]]

    with closing(bpf_map.create(bpf_map.HASH, 4, 8, 100, name="test_hash_2")):
        assert sorted(names("--search", "TEST_hash")) == ["test_hash", "test_hash_2"]
        assert names("--search", hash_map[1]) == ["test_hash"]
        assert len(names("--search", "test_hash", "--limit", "1")) == 1
        assert len(names("--limit", "2")) == 2
        assert names("--search", "no such map") == []
    done = bpftop("maps", "--per-cpu")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name the map" in done.stderr


def test_all_entries_are_searched_and_only_some_are_written(hash_map: tuple[BpfMap, str]) -> None:
    _, map_id = hash_map
    for number in range(10):
        found = document("map", "maps", map_id, "--search", number.to_bytes(4, "little").hex(" "), "--limit", "1")
        assert len(found["entries"]) == 1
    every = document("map", "maps", map_id, "--search", "00 00 00 00", "--limit", "3")
    assert (len(every["entries"]), every["complete"]) == (3, False)
    assert (
        "There are more entries; --limit shows more." in bpftop("maps", map_id, "--search", "00", "--limit", "3").stdout
    )


def test_the_largest_of_all_entries_are_written_first(counter: BpfObject) -> None:
    counter.program.test_run(bytes(64), RUNS)
    rows = document("maps", "maps", "-i", "0.1")["maps"]
    map_id = next(
        str(row["id"]) for row in rows if row["name"] == "counters" and counter.program.prog_id in row["prog_ids"]
    )
    field = next(path for path, number in _numbers(document("map", "maps", map_id)["entries"]) if number >= RUNS)
    every = document("map", "maps", map_id, "--sort", field)["entries"]
    few = document("map", "maps", map_id, "--sort", field, "--limit", "1")
    assert (few["entries"], few["complete"]) == (every[:1], False)
    assert dict(_numbers(few["entries"]))[field] >= RUNS


def _numbers(entries: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [pair for entry in entries for pair in numbers(entry["value"]).items()]


def test_entries_are_not_sorted_by_a_number_that_none_has(hash_map: tuple[BpfMap, str], counter: BpfObject) -> None:
    done = bpftop("maps", hash_map[1], "--sort", "packets")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot sort by 'packets': without BTF the values are bytes and no numbers" in done.stderr
    rows = document("maps", "maps", "-i", "0.1")["maps"]
    map_id = next(
        str(row["id"]) for row in rows if row["name"] == "counters" and counter.program.prog_id in row["prog_ids"]
    )
    done = bpftop("maps", map_id, "--sort", "packages")
    assert done.returncode == 1
    assert "cannot sort by 'packages': the numbers are " in done.stderr
    assert ".packets, " in done.stderr


def test_values_are_decoded_summed_and_rated(counter: BpfObject) -> None:
    counters = next(
        row for row in document("maps", "maps", "-i", "0.1")["maps"]
        if row["name"] == "counters" and counter.program.prog_id in row["prog_ids"]
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(document, "map", "maps", str(counters["id"]), "-i", "1")
        while not reading.done():
            counter.program.test_run(bytes(64), RUNS)
    entries = reading.result()["entries"]
    assert len(entries) == counters["max_entries"]
    moved = {path: rate for row in entries for path, rate in row["per_sec"].items() if rate}
    assert any(path.endswith(".packets") for path in moved)
    assert len(entries[0]["per_cpu"]) >= 1


@pytest.mark.parametrize(
    ("type_number", "key_bytes", "value_bytes", "name"),
    [
        (27, 0, 0, "ringbuf"), (11, 8, 8, "lpm_trie"), (22, 0, 8, "queue"), (7, 4, 8 * 4, "stack_trace"),
        (9, 4, 8, "lru_hash"),
    ],
)  # fmt: skip
def test_other_types_of_maps(type_number: int, key_bytes: int, value_bytes: int, name: str) -> None:
    entries = 4096
    flags = bpf_map.NO_PREALLOC if name == "lpm_trie" else 0
    with closing(bpf_map.create(type_number, key_bytes, value_bytes, entries, flags, "of_a_type")) as made:
        map_id = made.info().map_id
        row = of_id(document("maps", "maps", "-i", "0.1")["maps"], map_id)
        done = bpftop("maps", str(map_id))
    assert (row["type"], row["max_entries"]) == (name, entries)
    assert row["entries"] == (None if name in ("ringbuf", "queue") else 0)
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if name in ("ringbuf", "queue") else 0), done.stderr


def test_a_map_made_for_writing_only_is_read_by_its_id() -> None:
    """BPF_F_WRONLY binds the file descriptor of its maker alone (Linux 6.18: bpf_map_get_fd_by_id)."""
    write_only = 1 << 4
    with closing(bpf_map.create(bpf_map.HASH, 4, 8, 10, write_only, "write_only")) as made:
        made.update(bytes(4), bytes(8))
        whole = document("map", "maps", str(made.info().map_id))
    assert [row["value"] for row in whole["entries"]] == ["00 00 00 00 00 00 00 00"]


def test_a_disassembly_has_source_lines_and_names_of_maps(counter: BpfObject) -> None:
    done = bpftop("progs", str(counter.program.prog_id), "--disassemble")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n; int count_tc(struct __sk_buff *skb)\n" in done.stdout
    assert "    <- map counter.rodata" in done.stdout
    assert re.search(r"^ +\d+: exit$", done.stdout, re.MULTILINE)
    assert bpftop("progs", "--disassemble").returncode == 2


def test_a_map_that_fills_is_diagnosed() -> None:
    with closing(bpf_map.create(bpf_map.HASH, 4, 8, 100, name="filling")) as made:
        for key in range(97):
            made.update(key.to_bytes(4, "little"), bytes(8))
        words = ("diagnose", "lo", "--attach", "none", "--duration", "5", "--format", "json")
        awake, asleep = (json.loads(done.stdout) for done in side_by_side((*words, "--bpf"), words))
    (finding,) = [each for each in awake["findings"] if each["id"] == "bpf-map-full"]
    assert (finding["severity"], finding["title"]) == ("critical", "The BPF map filling is 97% full")
    unknown = {rule["id"]: rule for rule in asleep["unknown"]}
    assert unknown["bpf-map-full"]["kind"] == "does_not_apply"
    assert unknown["bpf-map-full"]["reason"].startswith("asleep: ")


def test_a_recording_has_the_programs_and_maps(counter: BpfObject, tmp_path: Path) -> None:
    target = tmp_path / "a.bpftop"
    done = bpftop("record", "lo", "--attach", "none", "-i", "0.1", "--duration", "0.5", "-o", str(target))
    assert done.returncode == 0, done.stderr
    with closing(Recording(str(target))) as recording:
        sample = next(recording.ticks(1, 1)).sample
    prog_id = str(counter.program.prog_id)
    assert any(key[:3] == (prog_id, "sched_cls", "count_tc") for key in sample.readings["bpf_programs"].keys)
    assert sample.readings["bpf_statistics"].values[0] == 0
    assert any(key[2] == "counters" for key in sample.readings["bpf_maps"].keys)


def series(text: str) -> dict[tuple[str, str, str], float]:
    """Return (metric, type, name) -> value."""
    return {
        (sample.name, sample.labels["type"], sample.labels["name"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_openmetrics_have_the_runs_and_entries_by_name(counter: BpfObject, hash_map: tuple[BpfMap, str]) -> None:
    with closing(enable_run_stats()):
        counter.program.test_run(bytes(64), RUNS)
    _, map_id = hash_map
    prog_id = str(counter.program.prog_id)
    runs = series(bpftop("progs", prog_id, "-i", "0.1", "--format", "openmetrics").stdout)
    assert runs["bpftop_bpf_program_runs_total", "sched_cls", "count_tc"] == RUNS
    assert runs["bpftop_bpf_program_run_seconds_total", "sched_cls", "count_tc"] > 0
    assert {(kind, name) for _, kind, name in runs} == {("sched_cls", "count_tc")}
    entries = series(bpftop("maps", "-i", "0.1", "--format", "openmetrics").stdout)
    assert entries["bpftop_bpf_map_entries", "hash", "test_hash"] == 10
    assert map_id not in {name for _, _, name in entries}


def test_maps_are_watched_and_sorted(hash_map: tuple[BpfMap, str]) -> None:
    made, map_id = hash_map
    with started("maps", map_id, "--watch", "-i", "0.2", "--format", "json", "--search", "07 00 00 00") as process:
        assert process.stdout is not None
        values: set[str] = set()
        text, value = "", 0
        while len(values) < 3:
            value += 1000
            made.update((7).to_bytes(4, "little"), value.to_bytes(8, "little"))
            text += process.stdout.readline()
            if text.endswith("\n}\n"):
                values |= {each["value"] for each in json.loads(text)["entries"] if each["key"] == "07 00 00 00"}
                text = ""
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    rows = document("maps", "maps", "-i", "0.1", "--sort", "max")["maps"]
    assert [row["max_entries"] for row in rows] == sorted((row["max_entries"] for row in rows), reverse=True)
