"""A recording: all of what went in comes out, and plain SQL sees it too."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from bpftop.errors import BpftopError, UsageError
from bpftop.model.derive import derive_snapshot
from bpftop.model.sample import Sample
from bpftop.model.timestamps import rfc3339_seconds
from bpftop.store import writer
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from bpftop.store.time_expressions import moment
from bpftop.store.writer import KEY_EVERY_TICKS, LIMIT_MIN_BYTES, Limits, Writer
from tests.store.made_up_machine import START_WALL_NS, Machine


def recorded(path: Path, samples: Iterable[Sample], limits: Limits | None = None) -> str:
    writer = Writer(str(path), limits or Limits())
    for sample in samples:
        writer.write([(sample, 0)])
    writer.close()
    return str(path)


def read(path: str, first: int = 1) -> list[Sample]:
    recording = Recording(path)
    extent = recording.extent()
    assert extent is not None
    found = [tick.sample for tick in recording.ticks(first, extent.last)]
    recording.close()
    return found


def sql(path: str, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def test_everything_comes_back_from_any_tick_on(tmp_path: Path) -> None:
    samples = list(Machine(cpus=3, flows=True).samples(20))
    path = recorded(tmp_path / "a", samples)
    assert read(path) == samples
    assert read(path, 13) == samples[12:]


def test_across_key_frames_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "KEY_EVERY_TICKS", 4)
    samples = list(Machine(cpus=2, protocols=3).samples(11))
    path = recorded(tmp_path / "a", samples)
    assert sql(path, "SELECT group_concat(tick) FROM frames WHERE is_key") == [("1,5,9",)]
    for first in range(1, 12):
        assert read(path, first) == samples[first - 1 :]


def test_what_is_too_much_for_every_tick_comes_every_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FRAME_BYTES", 0)
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
    shown = derive_snapshot(read(path)[29], read(path)[30]).interfaces[0]
    assert len(shown.rx.cpus) == 8
    assert all(row.counts.packets_per_sec for row in shown.rx.cpus)
    whole = derive_snapshot(samples[29], samples[30]).interfaces[0]
    assert shown.rx.totals == whole.rx.totals
    assert shown.rx.protocols == whole.rx.protocols


def test_cells_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "FRAME_BYTES", 0)
    out = Writer(str(tmp_path / "a"), Limits())
    for sample in Machine(cpus=8).samples(30):
        if sample.seq == 14:
            out.keep_cells()
        out.write([(sample, 0)])
    out.close()
    with_cells = {tick for (tick,) in sql(str(tmp_path / "a"), "SELECT tick FROM frames WHERE cells IS NOT NULL")}
    assert set(range(15, 24)) <= with_cells
    assert 9 not in with_cells


def test_plain_rows_say_what_the_screen_says(tmp_path: Path) -> None:
    samples = list(Machine(cpus=4).samples(5))
    path = recorded(tmp_path / "a", samples)
    shown = derive_snapshot(samples[2], samples[3])
    traffic = shown.interfaces[0].rx
    rows = sql(
        path, "SELECT name, packets_per_sec FROM traffic WHERE tick = 4 AND family = 'protocols' AND direction = 'rx'"
    )
    told = {row.name: row.counts.packets_per_sec for row in traffic.protocols if row.counts.packets_per_sec}
    assert {str(name) for name, _ in rows} == set(told)
    for name, rate in rows:
        assert rate == pytest.approx(told[str(name)], rel=1e-2)  # read_ns is not mono_ns
    gained = sum(one[1] for one in sql(path, "SELECT tick, packets FROM traffic WHERE family = 'joint'"))  # type: ignore[misc]
    first, last = (
        {name: one for name, one in s.readings.items() if one.family == "joint"} for s in (samples[0], samples[-1])
    )
    assert gained == sum(sum(last[n].values[::2]) - sum(first[n].values[::2]) for n in first)


def test_plain_rows_of_signals(tmp_path: Path) -> None:
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


def test_no_gain_is_made_up(tmp_path: Path) -> None:
    one, two, three = Machine(cpus=2, protocols=2).samples(3)
    name = "protocols/eth0/tx"
    new_epoch = replace(two, readings={**two.readings, name: replace(two.readings[name], epoch=9)})
    hole = replace(three.readings["snmp"], missing=frozenset({0}))
    holed = replace(three, readings={**three.readings, "snmp": hole})
    path = recorded(tmp_path / "a", [one, new_epoch, holed])
    query = "SELECT DISTINCT packets, bytes FROM traffic WHERE direction = 'tx' AND family = 'protocols'"
    assert sql(path, query) == [(None, None)]
    counter = samples_name = hole.keys[0][0]
    assert samples_name
    assert sql(path, f"SELECT tick, value FROM signals WHERE name = '{counter}' AND tick = 3") == [(3, None)]


def test_the_sqlite3_command_reads_it(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", Machine(cpus=2).samples(3))
    said = subprocess.run(
        ["sqlite3", path, "SELECT family, name, unit FROM signals LIMIT 1"], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("|") == 2


def test_a_second_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    first, second = list(Machine(cpus=2).samples(3)), list(Machine(cpus=2, seed=2).samples(3))
    recorded(path, first)
    recorded(path, second)
    assert read(str(path)) == [*first, *second]
    recording = Recording(str(path))
    assert [tick.begins for tick in recording.ticks(1, 6)] == [True, False, False, True, False, False]
    assert recording.first_tick_within(6, 10**12) == 4  # the past of a run is its own
    assert recording.first_tick_within(3, 10**9) == 2
    assert (
        sql(str(path), "SELECT count(*), count(DISTINCT series) FROM series")[0][0]
        == sql(str(path), "SELECT max(series) FROM series")[0][0]
    )


def test_limits_let_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "KEY_EVERY_TICKS", 5)
    samples = list(Machine(cpus=1, protocols=2).samples(43))
    by_count = recorded(tmp_path / "count", samples, Limits(ticks=12))
    kept = read(by_count)
    assert samples[-len(kept) :] == kept
    assert 12 <= len(kept) <= 12 + 2 * 5
    by_age = recorded(tmp_path / "age", samples, Limits(age_ns=10 * 10**9))
    kept = read(by_age)
    assert samples[-len(kept) :] == kept
    assert 10 <= len(kept) <= 10 + 2 * 5
    with pytest.raises(UsageError, match="holds too little; give it 16M or more"):
        Limits(bytes=10**6)


def test_a_file_that_is_full_stays_as_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "KEY_EVERY_TICKS", 5)
    monkeypatch.setattr(writer, "_LOG_BYTES", LIMIT_MIN_BYTES - 200_000)
    out = Writer(str(tmp_path / "a"), Limits(bytes=LIMIT_MIN_BYTES))
    sizes = []
    samples = list(Machine(cpus=2, protocols=4).samples(120))
    for sample in samples:
        out.write([(sample, 0)])
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir() if path.name == "a"))
    out.close()
    assert (tmp_path / "a").stat().st_size < 300_000
    kept = read(str(tmp_path / "a"))
    assert samples[-len(kept) :] == kept
    assert 5 < len(kept) < 100


def test_lost_ticks_are_told_where_they_are_missing(tmp_path: Path) -> None:
    out = Writer(str(tmp_path / "a"), Limits())
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


def test_while_it_is_written_it_can_be_read(tmp_path: Path) -> None:
    samples = list(Machine(cpus=2).samples(6))
    out = Writer(str(tmp_path / "a"), Limits())
    out.write([(samples[0], 0)])
    recording = Recording(str(tmp_path / "a"))
    assert [tick.sample for tick in recording.ticks(1, 9)] == samples[:1]
    out.write([(sample, 0) for sample in samples[1:]])
    assert [tick.sample for tick in recording.ticks(1, 9)] == samples
    out.close()
    assert (tmp_path / "a-wal").stat().st_size == 0
    assert [tick.sample for tick in recording.ticks(1, 9)] == samples
    recording.close()


def test_what_is_left_is_one_file(tmp_path: Path) -> None:
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
def test_what_is_not_ours_stays_as_it_is(tmp_path: Path, make: Callable[[Path], object], why: str) -> None:
    path = tmp_path / "a"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(BpftopError, match=why):
        Recorder(str(path))
    assert not path.is_file() or path.read_bytes() == before


def test_one_recorder_at_a_time(tmp_path: Path) -> None:
    first = Recorder(str(tmp_path / "a"))
    with pytest.raises(BpftopError, match="is being recorded to by another bpftop"):
        Recorder(str(tmp_path / "a"))
    first.close()
    Recorder(str(tmp_path / "a")).close()


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(
        BpftopError, match=r"cannot record to .*: No such file or directory; give the recording another"
    ):
        Recorder(str(tmp_path / "no" / "a"))


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
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


def test_a_file_cut_anywhere_is_one_line_or_still_readable(tmp_path: Path) -> None:
    samples = list(Machine(cpus=2).samples(8))
    whole = Path(recorded(tmp_path / "a", samples)).read_bytes()
    for length in range(100, len(whole), 4096 + 411):
        (tmp_path / "cut").write_bytes(whole[:length])
        try:
            found = read(str(tmp_path / "cut"))
        except BpftopError:
            continue
        assert found == samples[: len(found)]


@pytest.mark.parametrize("back_s", [3600, 20])
def test_a_clock_that_was_set_back(tmp_path: Path, back_s: int) -> None:
    """Twice the same time of day, or a time that only the first half had."""
    samples = list(Machine(cpus=1, protocols=1).samples(100))
    set_back = [replace(one, wall_ns=one.wall_ns - back_s * 10**9) if one.seq >= 60 else one for one in samples]
    recording = Recording(recorded(tmp_path / "a", set_back))
    extent = recording.extent()
    assert extent is not None
    assert extent.last_ns == set_back[-1].wall_ns
    for tick in (1, 30, 60, 61, 100):
        found = recording.tick_at(set_back[tick - 1].wall_ns)
        assert set_back[found - 1].wall_ns == set_back[tick - 1].wall_ns
        assert recording.tick_at_mono(samples[tick - 1].mono_ns, 100) == tick
    recording.close()


def test_a_log_that_cannot_be_read_where_it_is(tmp_path: Path) -> None:
    """SQLite has to make a file beside it; a log without anything in it is not needed."""
    path = recorded(tmp_path / "ro", Machine(cpus=1, protocols=1).samples(3))
    out = Writer(path, Limits())
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
    said = []
    for size in (None, 0):
        if size is not None:
            os.truncate(folder / "ro-wal", size)
        folder.chmod(0o555)
        command = [*without, sys.executable, "-c", program, str(folder / "ro")]
        said.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        folder.chmod(0o755)
    assert "ro-wal, which can only be read where files can be made beside it; copy both" in said[0]
    assert said[1] == "3"


DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize(
    ("text", "offset_s"),
    [("03:12", 0), ("03:12:44", 0), ("03:13", 16), ("3:15:44Z", 180), ("2025-11-26T03:13:44", 60), ("-90", 510),
     ("2025-11-26T04:13:44+01:00", 60), ("+5m", 600), ("-1h", 0), ("2025-11-26 03:13:44Z", 60)],
)  # fmt: skip
def test_moments(text: str, offset_s: int) -> None:
    end_ns = START_WALL_NS + 600 * 10**9
    assert moment(text, START_WALL_NS, end_ns, end_ns) == START_WALL_NS + offset_s * 10**9


def test_a_time_of_day_is_that_of_the_nearest_day() -> None:
    for day in range(3):
        near_ns = START_WALL_NS + day * DAY_NS + 10**9
        found_ns = moment("03:14", START_WALL_NS, START_WALL_NS + 3 * DAY_NS, near_ns)
        assert found_ns == START_WALL_NS + day * DAY_NS + 76 * 10**9


@pytest.mark.parametrize("text", ["", "now", "25:00", "03:12:99", "05:00", "2024-01-01", "5m", "+99999999"])
def test_what_is_no_moment_of_it(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, START_WALL_NS, START_WALL_NS + 600 * 10**9, START_WALL_NS)


def test_key_frames_are_as_far_apart_as_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recording.md").read_text()
    assert f"every {KEY_EVERY_TICKS} ticks" in page
