"""``bpftop diff``: two files, two moments of a recording, and other files."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bpftop.export.snapshot.document import document, json_text
from bpftop.model.derive import derive_snapshot
from bpftop.store.recorder import Recorder
from tests.cli.running import bpftop
from tests.export.moments import moment
from tests.store.made_up_machine import Machine

SCHEMA = json.loads(files("bpftop.export.diff").joinpath("diff.schema.json").read_text())
TICKS = 20


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    path.write_text(json_text(moment()))
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 ticks from 03:12:44 on."""
    path = tmp_path_factory.mktemp("recording") / "web-17.bpftop"
    recorder = Recorder(str(path))
    for sample in Machine().samples(TICKS):
        recorder.offer(sample)
    assert recorder.close().ticks == TICKS
    return path


def test_two_files(saved: Path, tmp_path: Path) -> None:
    done = bpftop("diff", str(saved), str(saved))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "Nothing changed by more than 10 %."
    assert len(done.stdout.splitlines()) == 3
    every_row = bpftop("diff", str(saved), str(saved), "--all").stdout
    assert "unchanged  eth0 RX TCP" in every_row
    assert "(--all)" not in every_row
    target = tmp_path / "diff.json"
    assert bpftop("diff", str(saved), str(saved), "--format", "json", "-o", str(target)).returncode == 0
    whole = json.loads(target.read_text())
    Draft202012Validator(SCHEMA).validate(whole)
    assert whole["before"] == {
        "name": str(saved), "taken_at": "2025-11-26T03:12:44.123Z", "host": "web-17", "interval_s": 1.0
    }  # fmt: skip


def test_two_moments_have_the_rates_of_their_time(recording: Path) -> None:
    done = bpftop("diff", f"{recording}@03:12:50", "@-5", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    whole = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(whole)
    assert whole["before"]["taken_at"] == "2025-11-26T03:12:50.000Z"
    assert whole["after"]["taken_at"] == "2025-11-26T03:12:58.000Z"
    samples = list(Machine().samples(TICKS))
    for side, at in (("before", 6), ("after", 14)):
        eth0 = document(derive_snapshot(samples[at - 1], samples[at]))["interfaces"][0]
        rates = {
            (row["direction"], row["measure"]): row[side]
            for row in whole["rows"]
            if row["family"] == "total" and row["interface"] == "eth0"
        }
        for direction, totals in eth0["totals"].items():
            assert rates[direction, "packets_per_sec"] == totals["packets_per_sec"]
            assert rates[direction, "bits_per_sec"] == totals["bits_per_sec"]


def test_a_moment_beside_a_file(recording: Path, saved: Path) -> None:
    done = bpftop("diff", str(saved), f"{recording}@-0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("web-17 2025-11-26T03:12:44.123Z  ->  web-17 2025-11-26T03:13:03.000Z\n")


def test_a_file_whose_name_holds_an_at(saved: Path) -> None:
    odd = saved.rename(saved.with_name("a@03:12.json"))
    assert bpftop("diff", str(odd), str(odd)).returncode == 0


@pytest.mark.parametrize(
    ("before", "code", "says"),
    [
        ("/nonexistent", 1, "cannot read /nonexistent: No such file or directory; name a file that `bpftop snapshot"),
        ("/nonexistent@03:12", 1, "cannot read /nonexistent@03:12: No such file"),
        ("{recording}", 2, "{recording} is a recording: add a moment, as in {recording}@03:12"),
        ("{recording}@04:12", 2, "04:12 is not within the recording, which lasts from 2025-11-26T03:12:44Z to "),
        ("{recording}@soon", 2, "'soon' is no moment; write it as 03:12"),
        ("{saved}@03:12", 2, "{saved} is no recording, and a snapshot has no other moments"),
        ("{foreign}@03:12", 1, "{foreign} is no recording of bpftop"),
        ("{truncated}@03:12", 1, "cannot read {truncated}: "),
        ("/etc/hostname", 1, "/etc/hostname is no whole snapshot: "),
    ],
)
def test_incomparable_files_are_one_line(
    before: str, code: int, says: str, recording: Path, saved: Path, tmp_path: Path
) -> None:
    foreign, truncated = tmp_path / "foreign.db", tmp_path / "cut"
    foreign.write_bytes(b"SQLite format 3\0" + bytes(4080))
    truncated.write_bytes(recording.read_bytes()[:6000])
    names = {"recording": recording, "saved": saved, "foreign": foreign, "truncated": truncated}
    done = bpftop("diff", before.format(**names), str(saved))
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"bpftop: {says.format(**names)}")
    assert done.stderr.count("\n") == 1
