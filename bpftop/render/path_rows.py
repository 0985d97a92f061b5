"""Rows of the Path pane and of the LOST line: what a moment and its past say about each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bpftop.history.stage_totals import StageRow
from bpftop.model.families import FAMILIES
from bpftop.model.path import STAGES, Scope, Stage, StageCounter
from bpftop.model.sample import reading_key
from bpftop.model.snapshot import Snapshot, total
from bpftop.model.units import si
from bpftop.render.headroom import headroom_s
from bpftop.render.selection import Selection

CELL_S = 5.0
RECENT_S = 300

Verdict = Literal["losing", "stopped", "ok", "seen", "none", "unknown"]

_FOREIGN = frozenset(s.id for s in STAGES if s.counters[0].family == "xdp_verdicts")
_COLLECTORS = {"conntrack_events": "conntrack"}
"""Collectors that are called otherwise than the family."""


@dataclass(frozen=True)
class StageLine:
    """One stage. Rates are means of five seconds, or of one interval where that is longer."""

    stage: Stage
    looked: Selection

    @cached_property
    def per_sec(self) -> float | None:
        return total(self.looked.history.path.rate(row, self._now_ns) for row in self._rows)

    @cached_property
    def since_start(self) -> int | None:
        return total(self.looked.history.path.since_start(row, self._now_ns) for row in self._rows)

    @cached_property
    def since_mark(self) -> int | None:
        """None without a mark, and for a moment before it."""
        mark, now = self.looked.mark, self.since_start
        if mark is None or now is None or self._now_ns < mark.mono_ns:
            return None
        return now - (total(mark.stages.get(row) for row in self._rows) or 0)

    @property
    def recent(self) -> int | None:
        """In the last five minutes."""
        path, since_ns = self.looked.history.path, self._now_ns - RECENT_S * 10**9
        return total(path.since(row, since_ns, self._now_ns) for row in self._rows)

    def trend(self, cells: int) -> list[float | None]:
        history = self.looked.history
        slices = history.slices(self._now_ns, CELL_S, cells)
        return [total(column) for column in zip(*(history.path.means(row, slices) for row in self._rows), strict=True)]

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
        found: dict[str, list[str]] = {}
        for counter in self.stage.counters:
            for label in self.looked.labels if FAMILIES[counter.family].scope == "interface" else ("",):
                if not self._is_read(counter, label):
                    reason = why_unread(self.looked.shown, counter.family, label)
                    found.setdefault(reason, []).append(counter.shown)
        return tuple(f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in found.items())

    @property
    def is_whole(self) -> bool:
        """Whether all interfaces that are looked at are in the rate."""
        return all(self.looked.history.path.rate(row, self._now_ns) is not None for row in self._rows)

    @property
    def headroom_s(self) -> float | None:
        """How long the queue of the stage lasts; None where that cannot be said."""
        return headroom_s(self.stage.id, self.looked)

    def _is_read(self, counter: StageCounter, label: str) -> bool:
        signal = self.looked.shown.reading(counter.family, *filter(None, (label,)))
        if signal is None:
            return False
        if counter.row is None:
            return True
        key = (label, *counter.row) if label else counter.row
        return signal.value(key, counter.column) is not None

    @property
    def _now_ns(self) -> int:
        return self.looked.shown.mono_ns

    @cached_property
    def _rows(self) -> tuple[StageRow, ...]:
        return self.looked.rows(self.stage)


def stage_lines(looked: Selection) -> list[StageLine]:
    """A row per stage, in the order of the path; those of another's XDP program only where there is one."""
    return [StageLine(stage, looked) for stage in STAGES if stage.id not in _FOREIGN or _foreign(looked)]


def _foreign(looked: Selection) -> bool:
    shown = looked.shown
    return "xdp_verdicts" in shown.unavailable or any(shown.reading("xdp_verdicts", label) for label in looked.labels)


def why_unread(shown: Snapshot, family: str, label: str = "") -> str:
    """Why a family has no reading, or lacks a row, as a sentence."""
    for key in (reading_key(family, label), family, _COLLECTORS.get(family, "")):
        if key in shown.unavailable:
            return shown.unavailable[key]
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
        total(one.per_sec for one in lines),
        losing,
        sum(not one.is_whole for one in lines),
        total(one.recent for one in lines),
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
