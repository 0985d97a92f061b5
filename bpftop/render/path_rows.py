"""Rows of the Path pane and of the LOST line: what a moment and its past say about each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bpftop.history.stage_totals import StageRow
from bpftop.model.path import STAGES, Scope, Stage, StageCounter
from bpftop.model.snapshot import Snapshot, sum_known
from bpftop.model.units import si
from bpftop.render.headroom import headroom_s
from bpftop.render.selection import Selection

CELL_S = 5.0
RECENT_S = 300

Verdict = Literal["losing", "stopped", "ok", "seen", "none", "unknown"]

_FOREIGN = frozenset(s.id for s in STAGES if s.counters[0].family == "xdp_verdicts")


@dataclass(frozen=True)
class StageLine:
    """One stage. Rates are means of five seconds, or of one interval where that is longer."""

    stage: Stage
    looked: Selection

    @cached_property
    def per_sec(self) -> float | None:
        return sum_known(self.looked.history.stages.rate(row, self._now_ns) for row in self._rows)

    @cached_property
    def since_start(self) -> int | None:
        return sum_known(self.looked.history.stages.since_start(row, self._now_ns) for row in self._rows)

    @cached_property
    def since_mark(self) -> int | None:
        """None without a mark, and for a moment before it."""
        mark, now = self.looked.mark, self.since_start
        if mark is None or now is None or self._now_ns < mark.mono_ns:
            return None
        return now - (sum_known(mark.stages.get(row) for row in self._rows) or 0)

    @property
    def recent(self) -> int | None:
        """In the last five minutes."""
        path, since_ns = self.looked.history.stages, self._now_ns - RECENT_S * 10**9
        return sum_known(path.since(row, since_ns, self._now_ns) for row in self._rows)

    def trend(self, cells: int) -> list[float | None]:
        history = self.looked.history
        ranges = history.tick_ranges(self._now_ns, CELL_S, cells)
        columns = (history.stages.means(row, ranges) for row in self._rows)
        return [sum_known(column) for column in zip(*columns, strict=True)]

    @property
    def verdict(self) -> Verdict:
        """``stopped``: it lost since the start, and does not now."""
        if self.per_sec is None:
            return "unknown"
        if self.stage.kind == "seen":
            return "seen" if self.since_start else "none"
        return "losing" if self.per_sec else "stopped" if self.since_start else "ok"

    @property
    def unread(self) -> tuple[str, ...]:
        """A sentence for each counter that is not read."""
        return unread_counters(self.looked.shown, self.stage, self.looked.labels)

    @property
    def is_whole(self) -> bool:
        """Whether all interfaces that are looked at are in the rate."""
        return all(self.looked.history.stages.rate(row, self._now_ns) is not None for row in self._rows)

    @property
    def headroom_s(self) -> float | None:
        """How long the queue of the stage lasts; None where that cannot be said."""
        return headroom_s(self.stage.id, self.looked)

    @property
    def _now_ns(self) -> int:
        return self.looked.shown.mono_ns

    @cached_property
    def _rows(self) -> tuple[StageRow, ...]:
        return self.looked.rows(self.stage)


def stage_lines(looked: Selection) -> list[StageLine]:
    """Return a row per stage, in the order of the path."""
    return [StageLine(stage, looked) for stage in visible_stages(looked.shown, looked.labels)]


def visible_stages(snapshot: Snapshot, labels: Sequence[str]) -> list[Stage]:
    """Return the stages of these interfaces: those of another's XDP program only where there is such a program."""
    foreign = "xdp_verdicts" in snapshot.unavailable or any(snapshot.reading("xdp_verdicts", i) for i in labels)
    return [stage for stage in STAGES if foreign or stage.id not in _FOREIGN]


def unread_counters(snapshot: Snapshot, stage: Stage, labels: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence for each reason why counters of a stage are not read."""
    names: dict[str, list[str]] = {}
    for counter in stage.counters:
        for label in labels if counter.of_interface else ("",):
            if not _is_read(snapshot, counter, label):
                reason = why_unread(snapshot, counter.family, label)
                names.setdefault(reason, []).append(counter.display_name)
    return tuple(f"{', '.join(dict.fromkeys(counters))}: {reason}" for reason, counters in names.items())


def _is_read(snapshot: Snapshot, counter: StageCounter, label: str) -> bool:
    reading = snapshot.reading(counter.family, *filter(None, (label,)))
    if reading is None:
        return False
    return counter.row is None or reading.value(counter.key(label, counter.row), counter.column) is not None


def why_unread(shown: Snapshot, family: str, label: str = "") -> str:
    """Return the reason why a family has no reading, or lacks a row, as a sentence."""
    reason = shown.why_unavailable(family, label)
    if reason is not None:
        return reason
    if shown.reading(family, *filter(None, (label,))) is not None:
        return "this kernel does not count it"
    return "not read here"


@dataclass(frozen=True)
class Losses:
    """What is lost, in one line. ``per_sec`` None: no stage is known."""

    per_sec: float | None
    stages: Sequence[tuple[str, float, Scope]]
    """Title, rate and scope of the stages that lose, in the order of the path."""
    unseen: int
    """Stages that would count and cannot be read, of one of the interfaces at least."""
    recent: int | None
    """Packets in the last five minutes."""


def losses(looked: Selection) -> Losses:
    lines = [one for one in stage_lines(looked) if one.stage.kind == "loss"]
    losing = [(one.stage.title, one.per_sec, one.stage.scope) for one in lines if one.per_sec]
    return Losses(
        sum_known(one.per_sec for one in lines),
        losing,
        sum(not one.is_whole for one in lines),
        sum_known(one.recent for one in lines),
    )


@dataclass(frozen=True)
class Detail:
    """One row below the stages: a drop reason, a socket, a counter of the driver. ``kept`` is its total, or what a
    queue holds of how much."""

    key: str
    name: str
    where: str
    per_sec: float | None
    kept: str
    help: str
    moves: bool = True
    """It has a rate."""


@dataclass(frozen=True)
class Section:
    title: str
    rows: tuple[Detail, ...]
    missing: str = ""
    """Why there are no rows, where that has to be said."""


def sections(looked: Selection) -> list[Section]:
    """Drop reasons, sockets that overflow, driver counters; the largest first. Empty ones are left out."""
    found = [_drop_reasons(looked), _udp_sockets(looked), _listen_sockets(looked), _driver(looked)]
    return [one for one in found if one.rows or one.missing]


def _ranked(rows: Sequence[tuple[float | None, int, Detail]]) -> tuple[Detail, ...]:
    return tuple(row for _, _, row in sorted(rows, key=lambda one: (-(one[0] or 0.0), -one[1], one[2].key)))


def _drop_reasons(looked: Selection) -> Section:
    title, signal = "Drop reasons of the kernel", looked.shown.reading("drops")
    if signal is None:
        return Section(title, (), why_unread(looked.shown, "drops").removeprefix("drop reasons: "))
    rows = []
    for key in signal.keys:
        where, reason = str(key[0]), str(key[1])
        count = signal.value(key, "packets") or 0
        if count and (not where or where in looked.labels):
            rate = signal.per_sec(key, "packets")
            says = (
                "Packets the kernel dropped for this reason (skb:kfree_skb). Not in LOST: most are in a stage above, "
                "too, and some are no loss (a socket was closed, a segment was there already)."
            )
            name = f"drop:{where}:{reason}"
            rows.append((rate, count, Detail(name, reason, where or "no interface", rate, si(count), says)))
    return Section(title, _ranked(rows))


def _address(key: Sequence[int | str]) -> str:
    version, address, port = key[:3]
    return f"[{address}]:{port}" if str(version).endswith("6") else f"{address}:{port}"


def _udp_sockets(looked: Selection) -> Section:
    signal, rows = looked.shown.reading("udp_sockets"), []
    for key in signal.keys if signal is not None else ():
        assert signal is not None
        count, rate = signal.value(key, "drops") or 0, signal.per_sec(key, "drops")
        if count:
            says = "Datagrams dropped at this socket since it was opened; they are in the stage UDP sockets too."
            name = f"{_address(key)} {key[4]}".rstrip()
            rows.append((rate, count, Detail(f"udp:{key[3]}", name, "netns", rate, si(count), says)))
    return Section("UDP sockets that dropped", _ranked(rows))


def _listen_sockets(looked: Selection) -> Section:
    signal, rows = looked.shown.reading("listen_sockets"), []
    for key in signal.keys if signal is not None else ():
        assert signal is not None
        waiting, most = signal.value(key, "accept_queue") or 0, signal.value(key, "accept_queue_max")
        if waiting:
            says = "Connections that wait for the program to accept them, of the most that may; full above it."
            name = f"{_address(key)} {key[4]}".rstrip()
            kept = f"{waiting} of {'-' if most is None else most}"
            rows.append(
                (float(waiting), waiting, Detail(f"tcp:{key[3]}", name, "netns", None, kept, says, moves=False))
            )
    return Section("TCP accept queues", _ranked(rows))


def _driver(looked: Selection) -> Section:
    rows = []
    for label in looked.labels:
        signal = looked.shown.reading("nic", label)
        for key in signal.keys if signal is not None else ():
            assert signal is not None
            count, rate = signal.value(key, "count") or 0, signal.per_sec(key, "count")
            if count:
                says = "A loss counter by the driver's own name (ethtool -S); the ring or the wire may count it too."
                name = f"nic:{label}:{key[1]}"
                rows.append((rate, count, Detail(name, str(key[1]), label, rate, si(count), says)))
    return Section("Counters of the driver that are not zero", _ranked(rows))
