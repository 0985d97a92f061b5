"""``bpftop profile`` as a command: its formats, bad input, an interrupt, a wrong value, and the run before."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.cli.verbs import profile as verb
from bpftop.measure.maps.geometry import KINDS
from bpftop.measure.maps.plan import ACCESSES, OPERATIONS
from tests.cli.running import COMMAND, Terminal, bpftop, environment, fdinfo, started
from tests.waiting import LIMIT_S, until

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.measure").joinpath("profile.schema.json").read_text())
SHORT = ("--type", "hash", "--operation", "lookup,delete,lookup_batch", "--batch", "1,16", "--run-ms", "1")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(XDG_STATE_HOME=str(tmp_path / "state"))


def document(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(text)
    Draft202012Validator(SCHEMA).validate(content)
    return content


def test_the_help_names_all_values() -> None:
    assert verb.TYPES.split(", ") == list(KINDS)
    assert verb.OPERATIONS.split(", ") == list(OPERATIONS)
    assert verb.ACCESSES.split(", ") == list(ACCESSES)
    done = bpftop("profile", "--help")
    assert done.returncode == 0
    words = " ".join(done.stdout.split())
    assert "A batch lookup walks the map in the order of the map and ignores the keys of the caller" in words
    assert "attached nowhere" in words
    for name in (*KINDS, *OPERATIONS, *ACCESSES):
        assert name in words
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--type", "hsah"], "hsah is no map type; choose from array, percpu_array, hash,"),
        (["--operation", "get"], "get is no operation; choose from lookup,"),
        (["--access", "random"], "random is no access; choose from sequential, uniform, zipf"),
        (["--entries", "ten"], "argument --entries: 'ten' is no list of whole numbers, as in 1,16,256"),
        (["--entries", "0"], "0 entries: a map has 1 to 4294967295"),
        (["--entries", "100000000"], "would take 1525.9 MiB; the limit is 256.0 MiB"),
        (["--batch", "8000"], "a batch of 8000: an array of 10000 entries"),
        (["--threads", "4096"], "threads cannot be 4096"),
        (["--runs", "3"], "the number of runs cannot be 3; choose 5 to 1000"),
        (["--memory-limit", "-1"], "the memory limit in MiB cannot be -1"),
        (["--type", "hash", "some_map"], "--type and a map: the copy has the type, sizes and fill of the map"),
        (["--key-size", "5", "some_map"], "--key-size and a map"),
        (["one", "two"], "unrecognized arguments: two"),
    ],
)
def test_bad_usage(words: list[str], message: str) -> None:
    ended = bpftop("profile", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.bpf
def test_a_table(env: dict[str, str]) -> None:
    ended = bpftop("profile", *SHORT, env=env)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "hash: 7500 of 10000 entries, key 8 B, value 16 B, 1 thread, uniform access" in ended.stdout
    assert "values and keys compared with what was written, none was wrong" in ended.stdout


@pytest.mark.bpf
def test_json_has_the_change_since_the_earlier_run(env: dict[str, str]) -> None:
    first, second = (document(bpftop("profile", *SHORT, "--format", "json", env=env).stdout) for _ in range(2))
    assert not first["partial"]
    assert [cell["earlier"]["user"] for cell in first["cells"]] == [None] * 4
    for before, now in zip(first["cells"], second["cells"], strict=True):
        earlier = now["earlier"]["user"]
        assert earlier["taken_at"] == first["taken_at"]
        assert earlier["p50_ns"] == pytest.approx(before["user"]["p50_ns"])
        expected = 100 * (now["user"]["p50_ns"] / before["user"]["p50_ns"] - 1)
        assert earlier["change_pct"] == pytest.approx(expected, abs=0.1)
    assert "change" in bpftop("profile", *SHORT, env=env).stdout


@pytest.mark.bpf
def test_csv_into_a_file(env: dict[str, str], tmp_path: Path) -> None:
    ended = bpftop("profile", *SHORT, "--format", "csv", "-o", str(tmp_path / "cells.csv"), env=env)
    assert (ended.returncode, ended.stdout) == (0, "")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "cells.csv").read_text())))
    assert [(row["operation"], row["batch"]) for row in rows] == [
        ("lookup", ""),
        ("delete", ""),
        ("lookup_batch", "1"),
        ("lookup_batch", "16"),
    ]


@pytest.mark.bpf
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_shows_and_stores_the_results(env: dict[str, str], tmp_path: Path, number: int) -> None:
    words = (
        "--type",
        "hash",
        "--operation",
        "lookup,delete",
        "--entries",
        "1000,2000",
        "--run-ms",
        "300",
        "--format",
        "json",
    )
    with started("profile", *words, env=env) as process:
        # A program is loaded once the first cell is measured from user space.
        until(lambda: "prog_type" in str(fdinfo(process.pid)), "the first cell is being measured in the kernel")
        process.send_signal(number)
        text, message = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, message) == (128 + number, "")
    content = document(text)
    assert content["partial"]
    assert 1 <= len(content["cells"]) < 4
    (stored_file,) = (tmp_path / "state" / "bpftop").iterdir()
    assert json.loads(stored_file.read_text())["partial"]


@pytest.mark.bpf
def test_a_wrong_value_is_an_error_and_stores_nothing(env: dict[str, str], tmp_path: Path) -> None:
    script = """
import sys
from bpftop.cli import main
from bpftop.measure.maps.scratch_map import Scratch
send = Scratch.loops
def loops(self, cell):
    value = bytearray(self.map.lookup(self.subject.key(3), 16))
    value[-1] ^= 1
    self.map.update(self.subject.key(3), bytes(value))
    return send(self, cell)
Scratch.loops = loops
sys.exit(main(sys.argv[1:]))
"""
    words = [*SHORT, "--operation", "lookup", "--run-ms", "300"]
    ended = subprocess.run(
        [sys.executable, "-c", script, "profile", *words], capture_output=True, text=True, env=env, timeout=LIMIT_S
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "lookup from user space: compare a value failed at key" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "state").exists()


@pytest.mark.bpf
def test_progress_on_a_terminal(env: dict[str, str]) -> None:
    with Terminal("profile", *SHORT, env=env) as terminal:
        assert terminal.await_end() == 0
    assert b"cells; Ctrl-C ends early and shows the results" in terminal.written
    assert b" s left  hash lookup" in terminal.written


@pytest.mark.bpf
def test_a_failed_store_does_not_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "bpftop").write_text("")
    ended = bpftop("profile", *SHORT, env=environment(XDG_STATE_HOME=str(tmp_path)))
    assert ended.returncode == 0
    assert "none was wrong" in ended.stdout
    assert "cannot store this run in" in ended.stderr


@pytest.mark.bpf
@pytest.mark.needs("setpriv")
def test_missing_privileges_are_named(env: dict[str, str]) -> None:
    ended = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *COMMAND, "profile", *SHORT],
        capture_output=True,
        text=True,
        env=env,
        timeout=LIMIT_S,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "cannot make a BPF map: EPERM" in ended.stderr
    assert "CAP_BPF" in ended.stderr
