"""``bpftop bench`` as a command: its formats, bad input, an interrupt, and too few privileges."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.kernel.bpf.object import object_path
from bpftop.measure.programs.comparison import SUITES
from tests.cli.running import COMMAND, bpftop, environment, fdinfo, started
from tests.waiting import LIMIT_S, until

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.measure").joinpath("bench.schema.json").read_text())
COUNTER = object_path("counter")


def valid(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    Draft202012Validator(SCHEMA).validate(document)
    return document


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_list_names_every_suite_and_contestant() -> None:
    done = bpftop("bench", "--list")
    assert (done.returncode, done.stderr) == (0, "")
    for suite in SUITES.values():
        assert f"\n{suite.name}: {suite.title}\n" in f"\n{done.stdout}"
        assert all(f"\n  {name} " in done.stdout for name, _ in suite.contestants())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["speed"], "there is no suite speed; the suites are counters, spills"),
        (["--program", "x"], "--program is for your own programs"),
        (["--packet", "00"], "--packet is for your own programs"),
        (["--object", COUNTER, "--packet", "zz", "--program", "count_xdp"], "'z' is no hex digit"),
        (["--object", COUNTER, "--repeat", "0"], "'0' is not a whole number"),
        (["--object", COUNTER, "--repeat", "-5"], "'-5' is not a whole number"),
        (["--object", COUNTER, "--repeat", "1e9"], "'1e9' is not a whole number"),
        (["--format", "xml"], "invalid choice: 'xml'"),
        (["--object", COUNTER, "--program", "count_xdp", "--", "spills"], "--object runs your programs, not a suite"),
    ],
)
def test_bad_usage(words: list[str], message: str) -> None:
    done = bpftop("bench", *words)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert done.returncode == 2


def test_a_bad_object_is_one_line_and_exit_code_1() -> None:
    done = bpftop("bench", "--object", "/no/such.o")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "cannot open /no/such.o: No such file or directory" in done.stderr


@pytest.mark.bpf
def test_tables_as_text() -> None:
    done = bpftop("bench", "clock", "calls")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Linux " in done.stdout.splitlines()[0]
    assert "JIT " in done.stdout
    for words in ("\nclock: ", "\ncalls: ", "ktime three times", "BPF-to-BPF call", "=> ", "budgets: XDP 100 ns"):
        assert words in done.stdout
    assert done.stdout.index("clock: ") < done.stdout.index("calls: ")


@pytest.mark.bpf
def test_json_fits_its_schema() -> None:
    document = valid(bpftop("bench", "spills", "batch", "--format", "json").stdout)
    assert [suite["name"] for suite in document["suites"]] == ["spills", "batch"]
    assert not document["partial"]
    assert document["conditions"]["cpus_used"] >= 1
    assert all(suite["verdict"] for suite in document["suites"])


@pytest.mark.bpf
def test_csv_has_a_row_per_contestant() -> None:
    done = bpftop("bench", "clock", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["name"] for row in rows] == [name for name, _ in SUITES["clock"].contestants()]
    assert all(float(row["ns"]) > 0 and row["cpus"] == "1" for row in rows)


@pytest.mark.bpf
def test_own_programs_side_by_side() -> None:
    done = bpftop("bench", "--object", COUNTER, object_path("noop"), "--program", "noop_xdp")
    assert "has no program noop_xdp; it has count_xdp, count_xdp_frags, count_tc" in done.stderr
    words = ("--object", COUNTER, object_path("bench_own"), "--program", "count_xdp", "--repeat", "1000")
    document = valid(bpftop("bench", *words, "--packet", "00" * 60, "--format", "json").stdout)
    rows = document["suites"][0]["rows"]
    assert [row["name"] for row in rows] == ["counter.bpf.o:count_xdp", "bench_own.bpf.o:count_xdp"]
    assert [row["returns"] for row in rows] == ["XDP_PASS", "XDP_PASS"]


def cpu_time_s(pid: int) -> float:
    """Return the CPU time of the process: the clock of work that a busy machine slows down."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def program_ids(pid: int) -> set[str]:
    """Return the ids of the BPF programs that the process holds."""
    return {line for line in fdinfo(pid) if line.startswith("prog_id:")}


def suite_programs(pid: int) -> set[str]:
    """Return the ids of a suite's programs: libbpf first loads programs of its own, but holds one at a time."""
    ids = program_ids(pid)
    return ids if len(ids) > 1 else set()


@pytest.mark.bpf
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupt_writes_the_results(number: signal.Signals) -> None:
    with started("bench", "--format", "json") as process:
        first = until(lambda: suite_programs(process.pid), "the first suite has programs")
        until(lambda: program_ids(process.pid).isdisjoint(first), "the first suite is done")
        until(lambda: program_ids(process.pid), "the second suite has programs")
        process.send_signal(number)
        output, errors = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 128 + number
    assert errors == ""
    document = valid(output)
    assert document["partial"]
    assert document["suites"]
    assert 1 <= len(document["suites"]) < len(SUITES)
    assert "interrupted" in document["warnings"][0]


@pytest.mark.bpf
def test_an_interrupted_table_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bench.txt"
    with started("bench", "counters", "-o", str(path)) as process:
        until(lambda: suite_programs(process.pid), "programs are loaded")
        loaded_s = cpu_time_s(process.pid)
        until(lambda: cpu_time_s(process.pid) > loaded_s + 0.5, "the first round is measured")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=LIMIT_S)
    text = path.read_text()
    assert "PARTIAL" in text
    assert "this run was interrupted" in text
    assert "percpu-array" in text


@pytest.mark.bpf
@pytest.mark.needs("setpriv")
def test_missing_capabilities_are_named() -> None:
    for bounding, named in (("-all", "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"), ("-perfmon,-sys_admin", "CAP_PERFMON")):
        done = subprocess.run(
            ["setpriv", f"--bounding-set={bounding}", "--inh-caps=-all", *COMMAND, "bench", "spills"],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=LIMIT_S,
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"this process lacks {named}: run it as root or with sudo" in done.stderr


@pytest.mark.bpf
def test_programs_are_loaded_and_none_is_attached() -> None:
    """An attachment would be a link; a program that is neither attached nor pinned ends with the process."""
    with started("bench", "counters") as process:
        until(lambda: suite_programs(process.pid), "programs are loaded")
        kinds = {line.partition(":")[0] for line in fdinfo(process.pid)}
    assert "prog_type" in kinds
    assert "map_type" in kinds
    assert "link_type" not in kinds
