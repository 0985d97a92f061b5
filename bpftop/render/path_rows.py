"""The rows of the Path pane and the sums of losses: what each stage of the path lost in the last interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from bpftop.fields import computed_once, frozen, replace
from bpftop.history.stage_totals import StageRow
from bpftop.model.families import Scope
from bpftop.model.packet_filter import STAGE_DROPS, PacketFilter, drops_for
from bpftop.model.readings import RatedReading, ReadingPair, per_sec
from bpftop.model.sample import BEING_LOADED, EVERYTHING_ELSE, NOT_READ_YET, Key
from bpftop.model.snapshot import Number, Snapshot, sum_known
from bpftop.model.stages import BY_ID, GROUPS, STAGES, LossGroup, Stage, StageCounter, stage_gained
from bpftop.model.units import si
from bpftop.render.headroom import headroom_s
from bpftop.render.selection import Selection

CELL_S = 5.0
RECENT_S = 300

StageVerdict = Literal["losing", "stopped", "ok", "refused", "seen", "none", "unknown"]

_PENDING = (NOT_READ_YET, BEING_LOADED)
_FOREIGN = frozenset(s.id for s in STAGES if s.counters[0].family == "xdp_verdicts")


@frozen
class StageLine:
    """A stage in a selection. Rates are of the last interval, like every rate on the screen."""

    stage: Stage
    selection: Selection

    @computed_once
    def per_sec(self) -> float | None:
        return sum_known(self._rates)

    @computed_once
    def stands_still(self) -> bool:
        """Return True if the stage was known in every tick, and never gained anything."""
        stages, now_ns = self.selection.history.stages, self._now_ns
        return bool(self.rows) and all(stages.stands_still(row, now_ns) for row in self.rows)

    @computed_once
    def _rates(self) -> tuple[float | None, ...]:
        """The rate of each interface of the selection."""
        snapshot, stages = self.selection.snapshot, self.selection.history.stages
        return tuple(
            [
                0.0 if stages.stands_still(row, self._now_ns) else stage_per_sec(snapshot, self.stage, row[0])
                for row in self.rows
            ]
        )

    @computed_once
    def since_start(self) -> int | None:
        return sum_known(self.selection.history.stages.since_start(row, self._now_ns) for row in self.rows)

    @computed_once
    def since_mark(self) -> int | None:
        """Return the packets since the mark; None without a mark, or for a snapshot before the mark."""
        mark, now = self.selection.mark, self.since_start
        if mark is None or now is None or self._now_ns < mark.mono_ns:
            return None
        return now - (sum_known(mark.stages.get(row) for row in self.rows) or 0)

    @computed_once
    def peak_per_sec(self) -> float | None:
        """Return the highest rate of a tick that is kept; 0 where nothing was counted, None where nothing is known."""
        if not self.since_start:
            return None if self.per_sec is None else 0.0
        peak = self.selection.history.stages.peak(self.rows, self._now_ns)
        return 0.0 if peak is None else peak[0]

    @property
    def recent(self) -> int | None:
        """Return the packets of the last five minutes."""
        path, since_ns = self.selection.history.stages, self._now_ns - RECENT_S * 10**9
        return sum_known(path.since(row, since_ns, self._now_ns) for row in self.rows)

    def trend(self, cells: int) -> list[float | None]:
        history = self.selection.history
        ranges = history.tick_ranges(self._now_ns, CELL_S, cells)
        columns = (history.stages.means(row, ranges) for row in self.rows)
        return [sum_known(column) for column in zip(*columns, strict=True)]

    @property
    def verdict(self) -> StageVerdict:
        """Judge the stage; ``stopped``: it lost packets since the start, and loses none now."""
        if self.per_sec is None:
            return "unknown"
        if self.stage.group == "refused" and self.per_sec:
            return "refused"
        if self.stage.kind == "seen":
            return "seen" if self.since_start else "none"
        return "losing" if self.per_sec else "stopped" if self.since_start else "ok"

    @property
    def packets(self) -> PacketFilter | None:
        """Return which dropped packets belong to the stage; None where the kernel gives no reason for them."""
        return STAGE_DROPS.get(self.stage.id)

    @property
    def unread(self) -> tuple[str, ...]:
        """Return a sentence for each reason why counters are not read."""
        return unread_counters(self.selection.snapshot, self.stage, self.selection.labels)

    @property
    def is_whole(self) -> bool:
        """Return whether the rate includes all interfaces of the selection."""
        return None not in self._rates

    @property
    def is_pending(self) -> bool:
        """Return True if the rates that the stage lacks come with the next samples."""
        return _is_pending(self.selection.snapshot, self.stage, self.selection.labels)

    @property
    def headroom_s(self) -> float | None:
        """Return the seconds until the queue of the stage is full; None where unknown."""
        return headroom_s(self.stage.id, self.selection)

    @property
    def _now_ns(self) -> int:
        return self.selection.snapshot.mono_ns

    @computed_once
    def rows(self) -> tuple[StageRow, ...]:
        """Return the rows of the history that the stage adds up."""
        return self.selection.rows(self.stage)


def stage_per_sec(snapshot: Snapshot, stage: Stage, label: str) -> float | None:
    """Return the packets per second of a stage over the last interval; None where no rate is known.

    ``label`` is an interface; it is ignored for a stage of the namespace or the host.
    """

    def pair_of(family: str, where: str) -> ReadingPair | None:
        reading = snapshot.reading(family, *filter(None, (where,)))
        return None if reading is None else reading.pair

    place = label if stage.scope == "interface" else ""
    if not stage.within and all(_is_still(each, place, pair_of(each.family, place)) for each in stage.counters):
        return 0.0
    gained = stage_gained(stage, place, pair_of)
    return None if gained is None else per_sec(*gained) if gained[1] else None


def _is_still(counter: StageCounter, place: str, pair: ReadingPair | None) -> bool:
    """Return True if the counter is known, and did not gain anything; cheaper than its gain."""
    if pair is None or not counter.rests(place, pair):
        return False
    return counter.row is None or pair.after.row_of(counter.key(place, counter.row)) is not None


def stage_lines(selection: Selection) -> list[StageLine]:
    """Return a row per stage, in the order of the path."""
    return [StageLine(stage, selection) for stage in visible_stages(selection.snapshot, selection.labels)]


def visible_stages(snapshot: Snapshot, labels: Sequence[str]) -> list[Stage]:
    """Return the stages of these interfaces.

    The stages of a foreign XDP program are there only with such a program, and rare stages once they dropped something.
    """
    foreign = "xdp_verdicts" in snapshot.unavailable or any(snapshot.reading("xdp_verdicts", i) for i in labels)
    drops = snapshot.reading("drops")
    dropped = () if drops is None else drops.keys
    return [
        stage
        for stage in STAGES
        if (foreign or stage.id not in _FOREIGN) and (not stage.rare or any(map(stage.counters[0].includes, dropped)))
    ]


def unread_counters(snapshot: Snapshot, stage: Stage, labels: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence for each reason why counters of a stage are not read."""
    names: dict[str, list[str]] = {}
    for counter in stage.counters:
        for label in labels if counter.of_interface else ("",):
            if not _is_read(snapshot, counter, label):
                reason = why_unread(snapshot, counter.family, label)
                names.setdefault(reason, []).append(counter.display_name)
    return tuple(f"{', '.join(dict.fromkeys(counters))}: {reason}" for reason, counters in names.items())


def _is_pending(snapshot: Snapshot, stage: Stage, labels: Sequence[str]) -> bool:
    """Return True if all counters of a stage without a rate will have been read twice with the next samples."""
    if unread := unread_counters(snapshot, stage, labels):
        return all(any(reason in sentence for reason in _PENDING) for sentence in unread)
    readings = (
        snapshot.reading(counter.family, *filter(None, (label,)))
        for counter in stage.counters
        for label in (labels if counter.of_interface else ("",))
    )
    if any(reading is not None and reading.pair is None for reading in readings):
        return True
    return bool(stage.within) and _is_pending(snapshot, BY_ID[stage.within], labels)


def _is_read(snapshot: Snapshot, counter: StageCounter, label: str) -> bool:
    reading = snapshot.reading(counter.family, *filter(None, (label,)))
    if reading is None:
        return False
    return counter.row is None or reading.value(counter.key(label, counter.row), counter.column) is not None


def why_unread(snapshot: Snapshot, family: str, label: str = "") -> str:
    """Return the reason why a family has no reading, or lacks a row, as a sentence."""
    reason = snapshot.why_unavailable(family, label)
    if reason is not None:
        return reason
    if snapshot.reading(family, *filter(None, (label,))) is not None:
        return "this kernel does not count it"
    return snapshot.unavailable.get(EVERYTHING_ELSE, "not read here")


@frozen
class Losses:
    """The sum of the losses of one group. ``per_sec`` is None where no stage is known."""

    per_sec: float | None
    stages: Sequence[tuple[str, float, Scope]]
    """Title, rate and scope of the losing stages, in the order of the path."""
    unread: int
    """The number of stages of the group that cannot be read for at least one interface."""
    pending: int
    """The number of further stages without a rate yet: they are not read yet, or once, or are being loaded."""
    recent: int | None
    """Packets in the last five minutes."""


def losses(selection: Selection, groups: Sequence[LossGroup] = GROUPS) -> dict[LossGroup, Losses]:
    """Add up the stages of each of the groups."""
    stages = visible_stages(selection.snapshot, selection.labels)
    lines = [StageLine(stage, selection) for stage in stages if stage.group in groups or stage.within]
    return losses_of(lines, groups)


def losses_of(lines: Sequence[StageLine], groups: Sequence[LossGroup] = GROUPS) -> dict[LossGroup, Losses]:
    """Add up the stages of each group; ``lines`` belong to one selection."""
    own = {line.stage.within: line for line in lines if line.stage.within}
    return {group: _sum([line for line in lines if line.stage.group == group], own) for group in groups}


def _sum(lines: Sequence[StageLine], own: Mapping[str, StageLine]) -> Losses:
    """Add up lines. ``own``: stage of the host -> the part of it that is the interface's own, which is left out."""
    moving = [line for line in lines if not line.stands_still]
    stages: list[tuple[str, float, Scope]] = []
    is_known = len(moving) < len(lines)  # a stage that stands still is known, and adds nothing
    rates: list[float | None] = [0.0] * is_known
    recent: list[int | None] = [0] * is_known
    for line in moving:
        part = own.get(line.stage.id)
        rate = line.per_sec if part is None else _without(line.per_sec, part.per_sec)
        rates.append(rate)
        recent.append(line.recent if part is None else _without(line.recent, part.recent))
        if rate:
            stages.append((_sum_title(line.stage), rate, line.stage.scope))
    partial = [line for line in moving if not line.is_whole]
    pending = sum(line.is_pending for line in partial)
    return Losses(sum_known(rates), stages, len(partial) - pending, pending, sum_known(recent))


def _sum_title(stage: Stage) -> str:
    """Return the name of a stage in a sum of losses; a part has the name of its whole."""
    return BY_ID[stage.within].title if stage.within else stage.title.strip()


def _without(whole: Number | None, part: Number | None) -> Number | None:
    """Return the rest of a whole; the parts of several interfaces may be more than the whole."""
    return whole if whole is None or part is None else max(whole - whole, whole - part)


@frozen
class Detail:
    """A row below the stages: a drop reason, a socket, a counter of the driver.

    ``total`` is the total as text; for a queue, the used places of all places.
    """

    key: str
    name: str
    where: str
    per_sec: float | None
    total: str
    help: str
    has_rate: bool = True
    """False: the row has no rate."""
    packets: PacketFilter | None = None
    """The dropped packets of the row; None where the kernel gives no reason for them."""


@frozen
class Section:
    """A titled group of rows below the stages."""

    title: str
    rows: tuple[Detail, ...]
    missing: str = ""
    """The reason why there are no rows, if the person must know it."""


def sections(selection: Selection) -> list[Section]:
    """Return drop reasons, overflowing sockets and driver counters, each with the largest first; no empty one."""
    candidates = (_drop_reasons(selection), _udp_sockets(selection), _listen_sockets(selection), _driver(selection))
    return [section for section in candidates if section.rows or section.missing]


def _ranked(rows: Iterable[tuple[int, Detail]]) -> tuple[Detail, ...]:
    """Return the rows that have a count: the highest rate first, then the largest count."""
    counted = [(count, row) for count, row in rows if count]
    return tuple(row for _, row in sorted(counted, key=lambda each: (-(each[1].per_sec or 0.0), -each[0], each[1].key)))


def _counted(
    reading: RatedReading | None,
    column: str,
    detail: Callable[[Key], tuple[str, str, str]],
    help_text: str,
    packets: Callable[[Key], PacketFilter | None] = lambda key: None,
) -> Iterator[tuple[int, Detail]]:
    """Yield the count and the row of each key of a reading. ``detail`` returns the row's key, name and place."""
    for key in reading.keys if reading is not None else ():
        assert reading is not None
        count = reading.value(key, column) or 0
        rate = reading.per_sec(key, column)
        yield count, Detail(*detail(key), rate, si(count), help_text, packets=packets(key))


def _drop_reasons(selection: Selection) -> Section:
    title, reading = "Drop reasons of the kernel", selection.snapshot.reading("drops")
    if reading is None:
        return Section(title, (), why_unread(selection.snapshot, "drops").removeprefix("drop reasons: "))
    help_text = (
        "Packets the kernel dropped for this reason (skb:kfree_skb). In no sum: most are in a stage above, "
        "too, and some are no loss (a socket was closed, a segment was there already)."
    )
    rows = _counted(
        reading,
        "packets",
        lambda key: (f"drop:{key[0]}:{key[1]}", str(key[1]), str(key[0]) or "no interface"),
        help_text,
        lambda key: drops_for(str(key[1])),
    )
    places = (*selection.labels, "no interface")
    return Section(title, _ranked(row for row in rows if row[1].where in places))


def _socket(key: Key) -> str:
    """Return the address of a socket, and the program that has it."""
    version, address, port, _, process = key
    place = f"[{address}]:{port}" if str(version).endswith("6") else f"{address}:{port}"
    return f"{place} {process}".rstrip()


def _udp_sockets(selection: Selection) -> Section:
    help_text = "Datagrams dropped at this socket since it was opened; they are in the stage UDP sockets too."
    reading = selection.snapshot.reading("udp_sockets")
    rows = _counted(
        reading,
        "drops",
        lambda key: (f"udp:{key[3]}", _socket(key), "netns"),
        help_text,
        lambda key: replace(STAGE_DROPS["udp_sockets"], port=int(key[2])),
    )
    return Section("UDP sockets that dropped", _ranked(rows))


def _listen_sockets(selection: Selection) -> Section:
    help_text = "Connections that wait for the program to accept them, of the most that may; full above it."
    reading, rows = selection.snapshot.reading("listen_sockets"), []
    for key in reading.keys if reading is not None else ():
        assert reading is not None
        waiting, most = reading.value(key, "accept_queue") or 0, reading.value(key, "accept_queue_max")
        used = f"{waiting} of {'-' if most is None else most}"
        packets = replace(STAGE_DROPS["listen"], port=int(key[2]))
        detail = Detail(f"tcp:{key[3]}", _socket(key), "netns", None, used, help_text, has_rate=False, packets=packets)
        rows.append((waiting, detail))
    return Section("TCP accept queues", _ranked(rows))


def _driver(selection: Selection) -> Section:
    help_text = "A loss counter by the driver's own name (ethtool -S); the ring or the wire may count it too."
    rows: list[tuple[int, Detail]] = []
    for label in selection.labels:
        reading = selection.snapshot.reading("nic", label)
        rows += _counted(reading, "count", lambda key: (f"nic:{key[0]}:{key[1]}", str(key[1]), str(key[0])), help_text)
    return Section("Counters of the driver that are not zero", _ranked(rows))
