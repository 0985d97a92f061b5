"""Builders of samples with a few cells of a few families."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from bpftop.history.history import History
from bpftop.model.families import FAMILIES
from bpftop.model.sample import Interface, Reading, Sample, reading_key
from bpftop.render.path_rows import StageLine, stage_lines
from bpftop.render.selection import Selection

S = 10**9
ETH0 = Interface("eth0", "eth0", 2)


def reading(family: str, rows: Mapping[Any, Sequence[Any]], second: float, epoch: int = 0, **more: Any) -> Reading:
    """Return a reading. ``rows``: key -> the cells of the row; None is unreadable."""
    cells = [cell for row in rows.values() for cell in row]
    missing = frozenset(i for i, cell in enumerate(cells) if cell is None)
    values = array("Q", [cell or 0 for cell in cells])
    return Reading(family, int(second * S), 0, epoch, tuple(rows), values, missing, **more)


def links(second: float, label: str = "eth0", epoch: int = 0, **columns: int | None) -> Reading:
    """Return rtnetlink's counters of an interface; columns without a value are zero."""
    return reading("links", {(label,): [columns.get(c, 0) for c in FAMILIES["links"].columns]}, second, epoch)


def stack(family: str, second: float, **counters: int | None) -> Reading:
    return reading(family, {(name,): [count] for name, count in counters.items()}, second)


def softnet(second: float, dropped: Mapping[int, int], epoch: int = 0) -> Reading:
    """Return a reading of softnet. ``dropped``: CPU -> packets dropped at its full backlog."""
    return reading("softnet", {(cpu,): [0, count, 0, 0, 0] for cpu, count in dropped.items()}, second, epoch)


def sample(
    second: float,
    *readings: Reading,
    interfaces: Sequence[Interface] = (ETH0,),
    cpus: int = 4,
    unavailable: Mapping[str, str] | None = None,
) -> Sample:
    named = {}
    for one in readings:
        labels = FAMILIES[one.family].labels
        where = [str(one.keys[0][0])] if labels[:1] == ("interface",) and one.family != "drops" else []
        named[reading_key(one.family, *where)] = one
    ns = int(second * S)
    return Sample(0, "boot", "host", ns, ns, cpus, tuple(range(cpus)), tuple(interfaces), named, unavailable or {})


def pushed(*samples: Sample) -> History:
    history = History()
    for one in samples:
        history.push(one)
    return history


def looked(history: History, index: int = -1, label: str | None = None) -> Selection:
    shown = history.at(index)
    return Selection(shown, shown.total if label is None else shown.interface(label), history)


def line(history: History, stage: str, index: int = -1, label: str | None = None) -> StageLine:
    return next(one for one in stage_lines(looked(history, index, label)) if one.stage.id == stage)
