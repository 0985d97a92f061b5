"""The columns of the Path pane."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.model.units import UNKNOWN, spark
from bpftop.render.columns import Column, Look, clipped
from bpftop.render.path_rows import StageLine

TREND_CELLS = 12
_UNITS = ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min"), (172800.0, 3600.0, "h"))
"""(limit in seconds, length of the unit in seconds, unit): a duration below the limit has this unit."""


def duration(seconds: float | None) -> str:
    """Format a duration with two digits: ``12 ms``, ``3.4 s``, ``51 min``, ``9 d``."""
    if seconds is None:
        return UNKNOWN
    length_s, unit = next(((length, unit) for limit, length, unit in _UNITS if seconds < limit), (86400.0, "d"))
    value = seconds / length_s
    if value >= 9999:
        return ">9999 d"
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _look(line: StageLine) -> Look:
    return "name" if line.stage.group else "muted"


def _verdict_look(line: StageLine) -> Look:
    looks: Mapping[str, Look] = {"losing": "notice", "stopped": "factor", "ok": "good"}
    return looks.get(line.verdict, "muted")


def _number_look(line: StageLine) -> Look:
    return "text" if line.per_sec or line.since_start else "muted"


PATH_COLUMNS: tuple[Column[StageLine], ...] = (
    Column("stage", "Stage", "", 20,
          "A place where packets die, in the order of their path. Indented: part of the row above. Dim: in no "
          "sum of losses. Select one to read what its counter means.",
          lambda r: None, lambda r, width: clipped(r.stage.title, width), gap=0, left=True, look=_look, sortable=False,
          source="bpftop's table of stages"),
    Column("per_sec", "per s", "packets/s", 8, "Packets per second over the last interval.",
          lambda r: r.per_sec, look=_number_look, source="the counter that the last column names"),
    Column("peak", "peak/s", "packets/s", 8,
          "Highest rate of a tick in the last ten minutes; enter shows when that was.",
          lambda r: r.peak_per_sec, rank=3, look=_number_look, source="the counter that the last column names"),
    Column("since_start", "since start", "packets", 12, "Packets since bpftop began to look.",
          lambda r: r.since_start, look=_number_look, source="the counter that the last column names"),
    Column("since_mark", "since mark", "packets", 11, "Packets since `m`.",
          lambda r: r.since_mark, rank=1, look=_number_look, source="the counter that the last column names"),
    Column("verdict", "verdict", "", 9,
          "losing: packets die here now. stopped: they did since the start. ok: none did. refused: turned away now, on "
          "purpose. seen, none: no loss. "
          "unknown: it cannot be read; select the row to read why.",
          lambda r: None, lambda r, _: r.verdict, gap=2, left=True, look=_verdict_look, sortable=False,
          source="the counter that the last column names"),
    Column("group", "sum", "", 11,
          "The sum that the row counts into: lost here, refused (closed ports, no route, firewall), or elsewhere on "
          "the host.",
          lambda r: None, lambda r, _: r.stage.group or "-", rank=2, gap=2, left=True, look="muted", sortable=False,
          source="bpftop's table of stages"),
    Column("scope", "scope", "", 11,
          "Whose counter it is: the interface's, the network namespace's, or the whole host's.",
          lambda r: None, lambda r, _: r.stage.scope, rank=2, gap=2, left=True, look="muted", sortable=False,
          source="bpftop's table of stages"),
    Column("trend", "60 s, own scale", "packets/s", 17,
          "Packets per second, 5 s per cell, the newest on the right; each row has its own scale.",
          lambda r: None, lambda r, _: spark(r.trend(TREND_CELLS), TREND_CELLS), rank=3, gap=2,
          look=lambda r: "trend" if r.since_start else "muted",
          sortable=False, source="the counter that the last column names"),
    Column("headroom_s", "full in", "s", 9,
          "How long the queue of the stage takes what comes now if nobody takes anything out of it: ring, backlog. For "
          "conntrack: until its table is full if it goes on growing.",
          lambda r: r.headroom_s, form=duration, rank=4, sortable=False,
          source="sizes of rings and queues from ethtool and sysctl, conntrack's count and limit"),
    Column("counter", "counter", "", 26,
          "Where the number comes from, as ip -s, nstat or /proc name it. + adds, | takes the largest.",
          lambda r: None, lambda r, width: clipped(r.stage.counter, width), rank=5, gap=2, left=True, stretch=70,
          look="muted", sortable=False, source="bpftop's table of stages"),
)  # fmt: skip
