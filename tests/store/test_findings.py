"""Findings in a recording: times of raising and clearing, also on a busy disk."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bpftop.history.analyzer import Analyzer
from bpftop.model.findings import Finding, Severity
from bpftop.model.sample import Sample
from bpftop.rules.table import chosen
from bpftop.store import recording_file, recording_writer
from bpftop.store.finding_rows import RecordedFinding, TickFindings
from bpftop.store.recorder import Recorder
from bpftop.store.recording import Recording
from bpftop.store.recording_writer import RecordingLimits, Writer
from tests.rules.world import START_NS, World
from tests.store.made_up_machine import START_WALL_NS, Machine
from tests.store.test_recording import sql
from tests.waiting import until

S = 10**9
ALL = "SELECT tick, time, since, ended, severity, id, scope, scope_name, title, why FROM findings ORDER BY tick, id"


def samples(count: int) -> list[Sample]:
    """Return samples of an idle machine, a second apart, from 2025-11-26T03:12:44Z on."""
    world = World()
    taken = [world.advance() if seq else world.sample() for seq in range(count)]
    return [replace(s, wall_ns=START_WALL_NS + s.mono_ns - START_NS) for s in taken]


def finding(name: str, severity: Severity = "warning", since_s: float = 0, scope_name: str = "eth0") -> Finding:
    since_ns = START_NS + int(since_s * S)
    return Finding(name, severity, f"{name}!", "interface", scope_name, (), "because", since_ns, (), "")


def record_findings(
    path: Path, findings_by_tick: Sequence[Sequence[Finding]], limits: RecordingLimits | None = None
) -> str:
    """Write a recording with a tick a second and the findings of each tick. Return its path."""
    out = Writer(str(path), limits or RecordingLimits())
    for sample, findings in zip(samples(len(findings_by_tick)), findings_by_tick, strict=True):
        out.write([(sample, 0), TickFindings(sample.mono_ns, tuple(findings))])
    out.close()
    return str(path)


def test_recorder_writes_rows_of_findings(tmp_path: Path) -> None:
    """Offer samples and findings in the order of `bpftop record`."""
    world = World()
    world.absent("conntrack", "nf_conntrack is not loaded")
    recorder, analyzer = Recorder(str(tmp_path / "a")), Analyzer(chosen())
    for tick in range(30):
        if tick in (5, 15):
            world.stack(TcpInCsumErrors=9 if tick == 5 else 0)
        sample = world.advance() if tick else world.sample()
        recorder.offer(sample)
        recorder.offer_findings(sample.mono_ns, analyzer.push(sample).diagnosis.findings)
        until(lambda: recorder.progress.ticks == tick + 1, "the tick is written")  # noqa: B023 - waited for here
    assert recorder.close().ticks == 30
    (episode,) = analyzer.episodes
    rows = sql(str(tmp_path / "a"), "SELECT tick, wall_ns, since_ns, end_tick, end_ns, id, severity FROM episodes")
    at = {row[0]: row[1:] for row in sql(str(tmp_path / "a"), "SELECT mono_ns, tick, wall_ns FROM ticks")}
    finding_raised, raised = episode.finding, at[episode.raised_ns]
    since_ns = finding_raised.since_ns + raised[1] - episode.raised_ns
    assert rows == [(*raised, since_ns, *at[episode.ended_ns], finding_raised.id, finding_raised.severity)]
    value = episode.finding.value
    assert value is not None
    rows = sql(str(tmp_path / "a"), "SELECT id, name, peak, total, raise_at, clears_below FROM finding_peaks")
    assert rows == [("checksum-errors", value.name, 9.0, 90.0, value.raise_at, value.clear_at)]


def test_findings_view(tmp_path: Path) -> None:
    a, worse, b = finding("a", since_s=-2), finding("a", "critical"), finding("b", "info", scope_name="e\x1b[31m\udcff")
    path = record_findings(tmp_path / "a", [[], [a], [worse], [a, b], [b], [b]])
    assert sql(path, ALL) == [
        (2, "2025-11-26T03:12:45.000Z", "2025-11-26T03:12:42.000Z", "2025-11-26T03:12:48.000Z", "critical", "a",
         "interface", "eth0", "a!", "because"),
        (4, "2025-11-26T03:12:47.000Z", "2025-11-26T03:12:44.000Z", None, "info", "b",
         "interface", "e\\x1b[31m\\udcff", "b!", "because"),
    ]  # fmt: skip
    done = subprocess.run(["sqlite3", path, "SELECT time, severity, title, ended FROM findings"], capture_output=True)
    assert done.stdout.decode().splitlines()[1] == "2025-11-26T03:12:47.000Z|info|b!|"


def test_documented_queries_work(tmp_path: Path) -> None:
    """Run the queries of docs/recording.md with `sqlite3`, in a recording for which each has an answer."""
    path, findings_by_tick = tmp_path / "a", {2: (finding("a"),), 4: ()}
    out = Writer(str(path), RecordingLimits())
    for sample in Machine(cpus=2).samples(6):
        findings = findings_by_tick.get(sample.seq, findings_by_tick[2])
        out.write([(sample, int(sample.seq == 3)), TickFindings(sample.mono_ns, findings)])
    out.close()
    page = (Path(__file__).parents[2] / "docs" / "recording.md").read_text()
    questions = re.findall(r"```sql\n(.*?)```", page, re.S)
    assert len(questions) >= 6
    for question in questions:
        query = question.replace("03:10' AND '2025-11-26T03:15", "03:10' AND '2025-11-26T04:00")
        done = subprocess.run(["sqlite3", str(path), query], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_next_and_previous_finding(tmp_path: Path) -> None:
    a, b, c = finding("a"), finding("b", "critical"), finding("c", "info")
    path = record_findings(tmp_path / "a", [[], [a], [a], [a, b, c], [c]])
    with closing(Recording(path)) as recording:
        assert recording.lists_findings
        first = RecordedFinding(2, START_WALL_NS + S, START_WALL_NS + 4 * S, "warning", "a!", "eth0", 0)
        second = RecordedFinding(4, START_WALL_NS + 3 * S, START_WALL_NS + 4 * S, "critical", "b!", "eth0", 1)
        assert [recording.finding(tick, later=True) for tick in (1, 2, 3, 4)] == [first, second, second, None]
        assert [recording.finding(tick, later=False) for tick in (1, 2, 3, 4, 5)] == [None, None, first, first, second]


def test_each_run_has_its_own_findings(tmp_path: Path) -> None:
    record_findings(tmp_path / "a", [[], [finding("a")]])
    path = record_findings(tmp_path / "a", [[finding("a")], []])
    assert sql(path, "SELECT tick, end_tick FROM episodes") == [(2, None), (3, 4)]


def test_late_findings_stand_at_their_tick(tmp_path: Path) -> None:
    """Findings arrive after their sample. If their tick was lost, the tick before stands for it."""
    taken = samples(6)
    out = Writer(str(tmp_path / "a"), RecordingLimits())
    late = TickFindings(taken[1].mono_ns, (finding("a"),))
    lost = TickFindings(taken[4].mono_ns, ())
    out.write([(sample, 0) for sample in taken[:4]])
    out.write([late, (taken[5], 1), lost])
    out.close()
    assert sql(str(tmp_path / "a"), "SELECT tick, end_tick FROM episodes") == [(2, 4)]


def test_old_findings_are_deleted_unless_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_writer, "KEY_EVERY_TICKS", 5)
    stands, passes = finding("stands"), finding("passes")
    findings_by_tick = [[stands, passes] if 2 <= tick <= 4 else [stands] for tick in range(30)]
    path = record_findings(tmp_path / "a", findings_by_tick, RecordingLimits(ticks=8))
    assert sql(path, "SELECT tick, id FROM episodes") == [(1, "stands")]
    record_findings(tmp_path / "a", [[] for _ in range(30)], RecordingLimits(ticks=8))
    assert sql(path, "SELECT * FROM episodes") == []


def test_a_ring_keeps_what_was_around_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key frame every 5 ticks; the last 10 s are kept, and 2 s around the begin and the end of a finding for 60 s."""
    monkeypatch.setattr(recording_writer, "KEY_EVERY_TICKS", 5)
    monkeypatch.setattr(recording_writer, "AROUND_NS", 2 * S)
    flood = finding("udp-flood")
    ticks = [[flood] if 22 <= tick <= 38 else [] for tick in range(1, 71)]
    path = record_findings(tmp_path / "a", ticks, RecordingLimits(age_ns=10 * S, around_findings_ns=60 * S))
    kept = [row[0] for row in sql(path, "SELECT tick FROM ticks ORDER BY tick")]
    assert {*range(21, 26), *range(36, 41)} <= set(kept)  # its begin and its end
    assert not set(kept) & {*range(1, 16), *range(26, 31), *range(46, 51)}
    assert {*range(61, 71)} <= set(kept)
    assert [row[0] for row in sql(path, "SELECT id FROM findings")] == ["udp-flood"]
    with closing(Recording(path)) as recording:
        assert [tick.tick for tick in recording.ticks(1, 70)] == kept
    record_findings(tmp_path / "b", [[flood] if tick < 5 else [] for tick in range(1, 91)],
                    RecordingLimits(age_ns=10 * S, around_findings_ns=30 * S))  # fmt: skip
    assert sql(str(tmp_path / "b"), "SELECT count(*) FROM ticks WHERE tick <= 60") == [(0,)]


def test_busy_disk_loses_no_standing_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_file, "_BUSY_S", 0.05)
    path = tmp_path / "a"
    recorder = Recorder(str(path))
    taken = samples(60)

    def push(which: slice, *findings: Finding) -> None:
        for sample in taken[which]:
            recorder.offer(sample)
            recorder.offer_findings(sample.mono_ns, findings)

    push(slice(0, 1))
    while recorder.progress.ticks < 1:
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        push(slice(1, 50), finding("a"))
        while "database is locked" not in (recorder.progress.trouble or ""):
            pass
        other.execute("ROLLBACK")
    while recorder._queue.qsize():
        pass
    for number in range(50, 60):
        push(slice(number, number + 1), finding("a"))
        while recorder._queue.qsize():
            pass
    progress = recorder.close()
    assert progress.ticks + progress.lost == 60
    assert progress.lost > 0
    assert len(sql(str(path), "SELECT id FROM episodes WHERE end_tick IS NULL")) == 1


def test_old_recording_gets_its_findings_table(tmp_path: Path) -> None:
    path = record_findings(tmp_path / "a", [[], [finding("a")]])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP VIEW findings; DROP TABLE episodes;")
    with closing(Recording(path)) as recording:
        assert not recording.lists_findings
    record_findings(tmp_path / "a", [[], [finding("b")]])
    with closing(Recording(path)) as recording:
        assert recording.lists_findings
        assert recording.finding(1, later=True) is not None
