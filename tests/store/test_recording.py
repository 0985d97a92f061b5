"""A recording: samples are read as they were written, and SQL queries see their gains."""

from __future__ import annotations

import lzma
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bpftop.errors import BpftopError, UsageError
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Sample
from bpftop.model.timestamps import rfc3339_seconds
from bpftop.store import recording_writer
from bpftop.store.encoding.sample_lines import LineReader
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import KEY_EVERY_TICKS, LIMIT_MIN_BYTES, RecordingLimits, Writer
from bpftop.store.time_expressions import moment
from tests.store.made_up_machine import START_WALL_NS, Machine


def recorded(path: Path, samples: Iterable[Sample], limits: RecordingLimits | None = None) -> str:
    writer = Writer(str(path), limits or RecordingLimits())
    for sample in samples:
        writer.write([(sample, 0)])
    writer.close()
    return str(path)


def read(path: str, first: int = 1) -> list[Sample]:
    recording = Recording(path)
    extent = recording.extent()
    assert extent is not None
    samples = [tick.sample for tick in recording.ticks(first, extent.last)]
    recording.close()
    return samples


def sql(path: str, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def test_samples_come_back_from_any_tick_on(tmp_path: Path) -> None:
    samples = list(Machine(cpus=3, flows=True).samples(20))
    path = recorded(tmp_path / "a", samples)
    assert read(path) == samples
    assert read(path, 13) == samples[12:]


def test_samples_come_back_across_key_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "KEY_EVERY_TICKS", 4)
    samples = list(Machine(cpus=2, protocols=3).samples(11))
    path = recorded(tmp_path / "a", samples)
    assert sql(path, "SELECT group_concat(tick) FROM frames WHERE is_key") == [("1,5,9",)]
    for first in range(1, 12):
        assert read(path, first) == samples[first - 1 :]


def test_cells_of_large_frames_come_every_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "FRAME_BYTES", 0)
    samples = list(Machine(cpus=8).samples(35))
    path = recorded(tmp_path / "a", samples)
    with_cells = [tick for (tick,) in sql(path, "SELECT tick FROM frames WHERE cells IS NOT NULL")]
    assert with_cells[0] == 1
    assert len(with_cells) in (4, 5)
    name = "protocols/eth0/rx"
    for tick, (made, back) in enumerate(zip(samples, read(path), strict=True), 1):
        assert back.readings[name].totals == made.readings[name].totals
        if tick in with_cells:
            assert back == made
    replayed = read(path)
    for tick in range(12, len(samples)):  # ticks with cells, and ticks without
        displayed = derive_snapshot(replayed[tick - 2], replayed[tick - 1]).interfaces[0]
        assert len(displayed.rx.cpus) == 8
        assert all(row.counts.packets_per_sec for row in displayed.rx.cpus)
        whole = derive_snapshot(samples[tick - 2], samples[tick - 1]).interfaces[0]
        assert displayed.rx.totals == whole.rx.totals
        assert displayed.rx.protocols == whole.rx.protocols


def test_keep_cells_writes_cells_for_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "FRAME_BYTES", 0)
    out = Writer(str(tmp_path / "a"), RecordingLimits())
    for sample in Machine(cpus=8).samples(30):
        if sample.seq == 14:
            out.keep_cells()
        out.write([(sample, 0)])
    out.close()
    with_cells = {tick for (tick,) in sql(str(tmp_path / "a"), "SELECT tick FROM frames WHERE cells IS NOT NULL")}
    assert set(range(15, 24)) <= with_cells
    assert 9 not in with_cells


def test_traffic_rows_equal_the_snapshot(tmp_path: Path) -> None:
    samples = list(Machine(cpus=4).samples(5))
    path = recorded(tmp_path / "a", samples)
    displayed = derive_snapshot(samples[2], samples[3])
    traffic = displayed.interfaces[0].rx
    rows = sql(
        path, "SELECT name, packets_per_sec FROM traffic WHERE tick = 4 AND family = 'protocols' AND direction = 'rx'"
    )
    expected = {row.name: row.counts.packets_per_sec for row in traffic.protocols if row.counts.packets_per_sec}
    assert {str(name) for name, _ in rows} == set(expected)
    for name, rate in rows:
        assert rate == pytest.approx(expected[str(name)], rel=1e-2)  # read_ns is not mono_ns
    gained = sum(row[1] for row in sql(path, "SELECT tick, packets FROM traffic WHERE family = 'joint'"))
    first, last = (
        {name: r for name, r in s.readings.items() if r.family == "joint"} for s in (samples[0], samples[-1])
    )
    assert gained == sum(sum(last[n].values[::2]) - sum(first[n].values[::2]) for n in first)


def test_rows_of_counters_and_gauges(tmp_path: Path) -> None:
    samples = list(Machine(cpus=4).samples(15))
    path = recorded(tmp_path / "a", samples)
    processed = sql(
        path, "SELECT sum(value), kind, unit FROM signals WHERE family = 'softnet' AND counter = 'processed'"
    )
    rises = sum(samples[-1].readings["softnet"].values[::5]) - sum(samples[0].readings["softnet"].values[::5])
    assert processed == [(rises, "counter", "count")]
    assert sql(path, "SELECT count(DISTINCT name) FROM series WHERE family = 'irqs'") == [(1,)]
    gauges = sql(
        path, "SELECT value, per_sec FROM signals WHERE family = 'conntrack' AND counter = 'entries' AND tick = 3"
    )
    assert gauges == [(samples[2].readings["conntrack"].values[0], None)]
    assert sql(path, "SELECT time, interval_s, lost FROM times WHERE tick = 1") == [
        (rfc3339_seconds(START_WALL_NS)[:-1] + ".000Z", None, 0)
    ]


def test_unknown_gain_is_null(tmp_path: Path) -> None:
    first, second, third = Machine(cpus=2, protocols=2).samples(3)
    name = "protocols/eth0/tx"
    new_epoch = replace(second, readings={**second.readings, name: replace(second.readings[name], epoch=9)})
    hole = replace(third.readings["snmp"], missing=frozenset({0}))
    holed = replace(third, readings={**third.readings, "snmp": hole})
    path = recorded(tmp_path / "a", [first, new_epoch, holed])
    query = "SELECT DISTINCT packets, bytes FROM traffic WHERE direction = 'tx' AND family = 'protocols'"
    assert sql(path, query) == [(None, None)]
    counter = samples_name = hole.keys[0][0]
    assert samples_name
    assert sql(path, f"SELECT tick, value FROM signals WHERE name = '{counter}' AND tick = 3") == [(3, None)]


def test_sqlite3_command_reads_a_recording(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", Machine(cpus=2).samples(3))
    done = subprocess.run(
        ["sqlite3", path, "SELECT family, name, unit FROM signals LIMIT 1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("|") == 2


def test_second_run_continues_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    first, second = list(Machine(cpus=2).samples(3)), list(Machine(cpus=2, seed=2).samples(3))
    recorded(path, first)
    recorded(path, second)
    assert read(str(path)) == [*first, *second]
    recording = Recording(str(path))
    assert [tick.begins for tick in recording.ticks(1, 6)] == [True, False, False, True, False, False]
    assert recording.first_tick_within(6, 10**12) == 4  # the past of a run is its own
    assert recording.first_tick_within(3, 11 * 10**8) == 2  # ticks come up to 0.2 ms late
    assert (
        sql(str(path), "SELECT count(*), count(DISTINCT series) FROM series")[0][0]
        == sql(str(path), "SELECT max(series) FROM series")[0][0]
    )


def test_limits_delete_the_oldest_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "KEY_EVERY_TICKS", 5)
    samples = list(Machine(cpus=1, protocols=2).samples(43))
    by_count = recorded(tmp_path / "count", samples, RecordingLimits(ticks=12))
    remaining = read(by_count)
    assert samples[-len(remaining) :] == remaining
    assert 12 <= len(remaining) <= 12 + 2 * 5
    by_age = recorded(tmp_path / "age", samples, RecordingLimits(age_ns=10 * 10**9))
    remaining = read(by_age)
    assert samples[-len(remaining) :] == remaining
    assert 10 <= len(remaining) <= 10 + 2 * 5
    with pytest.raises(UsageError, match="holds too little; give it 16M or more"):
        RecordingLimits(bytes=10**6)


def test_size_limit_bounds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "KEY_EVERY_TICKS", 5)
    monkeypatch.setattr(recording_writer, "_LOG_BYTES", LIMIT_MIN_BYTES - 200_000)
    out = Writer(str(tmp_path / "a"), RecordingLimits(bytes=LIMIT_MIN_BYTES))
    sizes = []
    samples = list(Machine(cpus=2, protocols=4).samples(120))
    for sample in samples:
        out.write([(sample, 0)])
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir() if path.name == "a"))
    out.close()
    assert (tmp_path / "a").stat().st_size < 300_000
    remaining = read(str(tmp_path / "a"))
    assert samples[-len(remaining) :] == remaining
    assert 5 < len(remaining) < 100


def test_lost_ticks_stand_with_the_next_tick(tmp_path: Path) -> None:
    out = Writer(str(tmp_path / "a"), RecordingLimits())
    for sample in Machine(cpus=1).samples(6):
        if sample.seq not in (3, 4):
            out.write([(sample, 2 if sample.seq == 5 else 0)])
    out.close()
    recording = Recording(str(tmp_path / "a"))
    extent = recording.extent()
    assert extent is not None
    assert (extent.ticks, extent.lost) == (4, 2)
    assert [tick.lost for tick in recording.ticks(1, 4)] == [0, 0, 0, 2]
    query = "SELECT interval_s FROM times WHERE lost > 0"
    assert sql(str(tmp_path / "a"), query)[0][0] == pytest.approx(3, rel=1e-3)


def test_recording_is_readable_while_written(tmp_path: Path) -> None:
    samples = list(Machine(cpus=2).samples(6))
    out = Writer(str(tmp_path / "a"), RecordingLimits())
    out.write([(samples[0], 0)])
    recording = Recording(str(tmp_path / "a"))
    assert [tick.sample for tick in recording.ticks(1, 9)] == samples[:1]
    out.write([(sample, 0) for sample in samples[1:]])
    assert [tick.sample for tick in recording.ticks(1, 9)] == samples
    out.close()
    assert (tmp_path / "a-wal").stat().st_size == 0
    assert [tick.sample for tick in recording.ticks(1, 9)] == samples
    recording.close()


def test_closed_recording_is_one_file(tmp_path: Path) -> None:
    recorded(tmp_path / "a", Machine(cpus=1).samples(3))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_mode_and_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: given.append((uid, gid)))
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "2345")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    old = os.umask(0)
    try:
        path = recorded(tmp_path / "a", Machine(cpus=1).samples(1))
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert given == [(1234, 2345)]


def make_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"")
    path.symlink_to(path.with_name("target"))


def make_log_link(path: Path) -> None:
    path.with_name(f"{path.name}-wal").symlink_to("target")


def make_foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE precious (x)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (make_link, "is a symbolic link, and none is followed"),
        (make_log_link, "a-wal is a symbolic link, and none is followed"),
        (make_foreign, "is no recording of bpftop; it was left as it is"),
        (lambda path: path.write_text("precious"), "is no recording of bpftop; it was left as it is"),
        (os.mkdir, "Is a directory"),
        (os.mkfifo, "is no regular file"),
    ],
)
def test_foreign_file_is_left_alone(tmp_path: Path, make: Callable[[Path], object], why: str) -> None:
    path = tmp_path / "a"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(BpftopError, match=why):
        Recorder(str(path))
    assert not path.is_file() or path.read_bytes() == before


def test_second_recorder_is_refused(tmp_path: Path) -> None:
    first = Recorder(str(tmp_path / "a"))
    with pytest.raises(BpftopError, match="is being recorded to by another bpftop"):
        Recorder(str(tmp_path / "a"))
    first.close()
    Recorder(str(tmp_path / "a")).close()


def test_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        BpftopError, match=r"cannot record to .*: No such file or directory; give the recording another"
    ):
        Recorder(str(tmp_path / "no" / "a"))


OLD = Path(__file__).with_name("version_1.bpftop.xz")
"""Three samples of Machine(cpus=1, protocols=2, flows=True), recorded with version 1 of the file.

``version_1.samples.xz`` has them as JSON lines: with every new counter the machine has other numbers.
"""


def test_a_recording_of_version_1_is_read_and_continued(tmp_path: Path) -> None:
    lines = lzma.decompress(OLD.with_name("version_1.samples.xz").read_bytes()).splitlines()
    old = list(map(LineReader().read, lines))
    path = tmp_path / "old"
    path.write_bytes(lzma.decompress(OLD.read_bytes()))
    assert read(str(path)) == old
    assert sql(str(path), "PRAGMA user_version") == [(1,)]
    later = list(Machine(cpus=1, protocols=2, flows=True).samples(6))[3:]
    recorded(path, later)
    assert read(str(path)) == [*old, *later]
    assert sql(str(path), "PRAGMA user_version") == [(2,)]


def test_unreadable_recording_is_one_sentence(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", Machine(cpus=2).samples(8))
    whole = Path(path).read_bytes()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "later").write_bytes(whole[:60] + (9).to_bytes(4, "big") + whole[64:])
    recorded(tmp_path / "none", [])
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("pipe", "samples from a pipe go to `bpftop replay -`"),
        (".", "is no file that a recording can be in"),
        ("missing", "No such file or directory"),
        ("text", "is no recording of bpftop"),
        ("empty", "is no recording of bpftop"),
        ("later", "recorded by a later bpftop"),
        ("none", "holds no tick"),
    ):
        with pytest.raises(BpftopError, match=why) as raised:
            Recording(str(tmp_path / name))
        assert "\n" not in str(raised.value)


def test_truncated_recording_is_read_or_refused(tmp_path: Path) -> None:
    samples = list(Machine(cpus=2).samples(8))
    whole = Path(recorded(tmp_path / "a", samples)).read_bytes()
    for length in range(100, len(whole), 4096 + 411):
        (tmp_path / "cut").write_bytes(whole[:length])
        try:
            samples_read = read(str(tmp_path / "cut"))
        except BpftopError:
            continue
        assert samples_read == samples[: len(samples_read)]


@pytest.mark.parametrize("back_s", [3600, 20])
def test_clock_set_back(tmp_path: Path, back_s: int) -> None:
    """The clock is set back by more, or by less, than the recording lasts."""
    samples = list(Machine(cpus=1, protocols=1).samples(100))
    set_back = [replace(s, wall_ns=s.wall_ns - back_s * 10**9) if s.seq >= 60 else s for s in samples]
    recording = Recording(recorded(tmp_path / "a", set_back))
    extent = recording.extent()
    assert extent is not None
    assert extent.last_ns == set_back[-1].wall_ns
    for tick in (1, 30, 60, 61, 100):
        tick_read = recording.tick_at(set_back[tick - 1].wall_ns)
        assert set_back[tick_read - 1].wall_ns == set_back[tick - 1].wall_ns
        assert recording.tick_at_mono(samples[tick - 1].mono_ns, 100) == tick
    recording.close()


def test_log_in_a_read_only_folder(tmp_path: Path) -> None:
    """SQLite reads a log only where it can create a file beside it. An empty log is not needed."""
    path = recorded(tmp_path / "ro", Machine(cpus=1, protocols=1).samples(3))
    out = Writer(path, RecordingLimits())
    out.write([(sample, 0) for sample in Machine(cpus=1, protocols=1).samples(2)])
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("ro", "ro-wal"):
        (folder / name).write_bytes((tmp_path / name).read_bytes())
    out.close()
    program = (
        "import sys\nfrom bpftop.errors import BpftopError\nfrom bpftop.store.recording import Recording\n"
        "try: print(Recording(sys.argv[1]).extent().ticks)\nexcept BpftopError as error: print(error)"
    )
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    outputs = []
    for size in (None, 0):
        if size is not None:
            os.truncate(folder / "ro-wal", size)
        folder.chmod(0o555)
        command = [*without, sys.executable, "-c", program, str(folder / "ro")]
        outputs.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        folder.chmod(0o755)
    assert "ro-wal, which can only be read where files can be made beside it; copy both" in outputs[0]
    assert outputs[1] == "3"


DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize(
    ("text", "offset_s"),
    [("03:12", 0), ("03:12:44", 0), ("03:13", 16), ("3:15:44Z", 180), ("2025-11-26T03:13:44", 60), ("-90", 510),
     ("2025-11-26T04:13:44+01:00", 60), ("+5m", 600), ("-1h", 0), ("2025-11-26 03:13:44Z", 60)],
)  # fmt: skip
def test_moment_expressions(text: str, offset_s: int) -> None:
    end_ns = START_WALL_NS + 600 * 10**9
    assert moment(text, START_WALL_NS, end_ns, end_ns) == START_WALL_NS + offset_s * 10**9


def test_time_of_day_means_the_nearest_day() -> None:
    for day in range(3):
        near_ns = START_WALL_NS + day * DAY_NS + 10**9
        moment_ns = moment("03:14", START_WALL_NS, START_WALL_NS + 3 * DAY_NS, near_ns)
        assert moment_ns == START_WALL_NS + day * DAY_NS + 76 * 10**9


@pytest.mark.parametrize("text", ["", "now", "25:00", "03:12:99", "05:00", "2024-01-01", "5m", "+99999999"])
def test_bad_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, START_WALL_NS, START_WALL_NS + 600 * 10**9, START_WALL_NS)


def test_documented_distance_of_key_frames() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recording.md").read_text()
    assert f"every {KEY_EVERY_TICKS} ticks" in page
