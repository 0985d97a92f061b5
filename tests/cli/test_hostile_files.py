"""Files that somebody else wrote: within 256 MiB and bounded time, one sentence that names the file."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

from bpftop.config.untrusted_file import Refused, parse_json, read_bytes, read_limited
from bpftop.errors import BpftopError, UsageError
from bpftop.measure import run_store
from bpftop.store import hostile_file
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from bpftop.tui.themes import read_theme
from tests.cli.running import environment
from tests.store.made_up_machine import Machine

MEMORY_BYTES = 256 << 20


class Ran(NamedTuple):
    code: int
    message: str
    peak_bytes: int


MEASURED = """
import re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from bpftop.cli import main
code = main()
with open("/proc/self/status") as status:  # VmHWM begins anew at exec; ru_maxrss has the test's memory in it
    print(re.search("VmHWM: *\\t*(.*) kB", status.read())[1], file=sys.stderr)
sys.exit(code)
"""


def run(*words: str) -> Ran:
    """Run bpftop to its end with bounded CPU time, and measure its largest memory."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *words], env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    *message, peak_kib = done.stderr.splitlines(keepends=True)
    return Ran(done.returncode, "".join(message), int(peak_kib) << 10)


def assert_refused(ran: Ran, path: Path) -> None:
    assert ran.code in (1, 2), ran
    assert ran.message.count("\n") == 1, ran
    assert str(path) in ran.message
    assert "bug in bpftop" not in ran.message
    assert ran.peak_bytes < MEMORY_BYTES


def recording(path: Path, ticks: int = 30) -> Path:
    writer = Writer(str(path), RecordingLimits())
    writer.write([(sample, 0) for sample in Machine(cpus=2).samples(ticks)])
    writer.close()
    return path


def edited(path: Path, *statements: str) -> Path:
    with sqlite3.connect(recording(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i"


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE ticks", f"CREATE VIEW ticks AS {ENDLESS} AS tick, 1 AS wall_ns, 1 AS mono_ns, 1 AS interval_ns, "
         "1 AS seq, 0 AS lost FROM n"),
        ("DROP TABLE frames", f"CREATE VIEW frames AS {ENDLESS} AS tick, 1 AS is_key, x'' AS structure, "
         "zeroblob(900000000) AS body, x'' AS cells FROM n"),
        ("DROP TABLE ticks", "CREATE TABLE ticks (tick)"),
        ("DROP TABLE ticks", "CREATE TABLE ticks (tick, wall_ns, mono_ns, interval_ns, seq, lost)",
         "INSERT INTO ticks VALUES ('a', x'ff', 'b', 2.5, 'c', 'd')"),
        ("UPDATE ticks SET wall_ns = 'never'",),
        ("UPDATE ticks SET wall_ns = -1",),
        ("UPDATE frames SET body = 7",),
        ("UPDATE frames SET structure = cast(x'fffefd' AS TEXT)",),
        ("UPDATE frames SET body = zeroblob(20000000)",),
    ],
)  # fmt: skip
def test_a_recording_with_a_hostile_schema(tmp_path: Path, statements: tuple[str, ...]) -> None:
    path = edited(tmp_path / "a.bpftop", *statements)
    assert_refused(run("replay", str(path), "--format", "json"), path)


def test_flipped_bytes_are_no_bug(tmp_path: Path) -> None:
    whole = recording(tmp_path / "whole").read_bytes()
    dice = random.Random("2026 flips")
    for number in range(25):
        path = tmp_path / f"{number}.bpftop"
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 8, 64, 512))):
            damaged[dice.randrange(100, len(damaged))] = dice.randrange(256)
        path.write_bytes(damaged)
        ran = run("replay", str(path), "--format", "json")
        assert ran.code in (0, 1)
        assert "bug in bpftop" not in ran.message, f"{number}: {ran.message}"
        assert ran.peak_bytes < MEMORY_BYTES


def test_frames_that_expand_are_bounded(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.bpftop", 2)
    entry = ["protocols/e/rx", False, "protocols", 1, [["e", "rx", n] for n in range(2000)], 2 * 4096, 1, []]
    structure = {
        "boot_id": "", "host": "", "possible_cpus": 4096, "online_cpus": [], "interfaces": [], "unavailable": {},
        "kernel": "", "entries": [entry] * 20,
    }  # fmt: skip
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE frames SET is_key = 1, structure = ?", (zlib.compress(json.dumps(structure).encode()),)
        )
    connection.close()
    assert path.stat().st_size < 1 << 20
    assert_refused(run("replay", str(path), "--format", "json"), path)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * (57 << 20),
        b'{"schema": "bpftop.snapshot/1", "x": [' + b"[]," * (19 << 20) + b"0]}",
        b'{"schema": "bpftop.snapshot/1", "x": [' + b'{"a":0},' * (5 << 20) + b"0]}",
        b'{"schema": "bpftop.snapshot/1", "x": "' + b"a" * (40 << 20) + "😀".encode() + b'"}',
        b'{"schema": "bpftop.snapshot/1", "x": 1e999}',
        b'{"schema": "bpftop.snapshot/1", "x": ' + b"9" * 6000 + b"}",
    ],
)
def test_a_snapshot_that_expands(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert_refused(run("diff", str(path), str(path)), path)


@pytest.mark.parametrize(
    "words",
    [
        ("diff", "{}", "{}"),
        ("bench", "--object", "{}"),
        ("replay", "{}"),
        ("bench", "--object", "{}", "--packet", "{}"),
    ],
)
def test_a_fifo_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    assert_refused(run(*(word.format(path) for word in words)), path)


def test_a_file_that_has_nothing_to_read_now() -> None:
    """A non-blocking pipe answers as /proc/kmsg does, which is a regular file."""
    end, other_end = os.pipe2(os.O_NONBLOCK)
    with pytest.raises(Refused, match="nothing can be read now"):
        read_limited(end, 1 << 20)
    os.close(end)
    os.close(other_end)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, "background: 2026-99-99\n- x", "text: " + "9" * 6000, "text: 2026-01-01", "a: &a [*a]\n",
        "? [x]\n: y", "text: !!python/object:os.system x", "x" * (65 << 10),
    ],
)  # fmt: skip
def test_a_hostile_theme_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_theme(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.root
def test_behind_sudo_a_link_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "1234")
    secret = recording(tmp_path / "secret")
    secret.chmod(0o600)
    os.chown(secret, 0, 0)
    link = tmp_path / "own.yaml"
    link.symlink_to(secret)
    with pytest.raises(UsageError, match="not owned by the user who called sudo, nor readable for everyone"):
        read_theme(link)
    with pytest.raises(Refused, match="not owned by"):
        read_bytes(link, 1 << 20, named=True)
    assert read_bytes(secret, 1 << 20, named=True)  # the person named it
    with pytest.raises(BpftopError, match="not owned by"):
        Recording(str(link))
    Recording(str(secret)).close()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "1" + "0" * 400, "[]", '"x"'])
def test_stored_figures_are_finite(tmp_path: Path, value: str) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    run = run_store.StoredRun("2026-01-01T00:00:00Z", "6", False, {"a": {"ns": 1.5}})
    path = Path(run_store.save("maps", "m", run, environment))
    assert run_store.load("maps", "m", environment) == (run,)
    path.write_text(path.read_text().replace("1.5", value))
    assert run_store.load("maps", "m", environment) == ()


def test_json_of_a_large_machine_is_read() -> None:
    row = {"cpu": 7, "packets": 10**12, "bytes": 10**15, "packets_per_sec": 123456.789, "bits_per_sec": 123456789.123}
    whole = {"cpus": [{**row, "protocols": [row] * 8}] * 4096}
    assert parse_json(json.dumps(whole).encode()) == whole


def test_a_slow_query_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile_file, "READ_LIMIT_S", 0.05)
    opened = Recording(str(recording(tmp_path / "a")))
    with pytest.raises(BpftopError, match="interrupted"), opened._readable():
        opened._connection.execute(f"{ENDLESS} FROM n WHERE i < 0").fetchall()
    opened.close()
