"""Flows counted for some seconds, for the verbs that make a document of them."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from bpftop.cli.live_source import live_session, print_notices
from bpftop.config.settings import Settings
from bpftop.errors import BpftopError
from bpftop.model.sample import reading_key

if TYPE_CHECKING:
    from bpftop.model.snapshot import Snapshot

_PATIENCE_S = 30.0
"""Longest time beyond the duration until flows have rates; many interfaces take some seconds to attach."""


def watched_flows(arguments: argparse.Namespace, settings: Settings) -> Snapshot:
    """Count flows for ``--duration``, and return the last snapshot. Raises BpftopError.

    The duration begins when every direction is counted: the programs of a busy machine take a second.
    """
    from bpftop.model.derive import derive_snapshot

    with live_session(arguments, settings, flows=True) as (samples, _):
        before, snapshot, begun_s, counting_s = None, None, time.monotonic(), float("inf")
        for sample in samples:
            snapshot, before, now_s = derive_snapshot(before, sample), sample, time.monotonic()
            counting_s = min(counting_s, now_s) if _is_counting(snapshot) else float("inf")
            over_s = now_s - begun_s - arguments.duration
            if now_s - counting_s >= arguments.duration and _has_rates(snapshot):
                break
            if over_s >= 0 and (_is_hopeless(snapshot) or over_s > _PATIENCE_S):
                break
    if snapshot is None or before is None:
        raise BpftopError("it ended before the first sample; try again")
    print_notices(before)
    return snapshot


def _is_counting(snapshot: Snapshot) -> bool:
    """Return True if each direction that a program counts has its table of flows, or a reason why not."""
    counted = [
        (each.label, direction)
        for each in snapshot.interfaces
        for direction, hook in each.interface.hooks.items()
        if hook.hook != "none"
    ]
    return bool(counted) and all(
        reading_key("flow_table", *where) in snapshot.readings or f"flows/{'/'.join(where)}" in snapshot.unavailable
        for where in counted
    )


def _has_rates(snapshot: Snapshot) -> bool:
    rated = [each for name, each in snapshot.readings.items() if name.startswith("flows/")]
    return bool(rated) and all(each.elapsed_ns for each in rated)


def _is_hopeless(snapshot: Snapshot) -> bool:
    """Return True where flows cannot be counted: refused, or no program on any interface."""
    programs = any(hook.hook != "none" for each in snapshot.interfaces for hook in each.interface.hooks.values())
    refused = any(part.startswith("flows/") for part in snapshot.unavailable)
    return refused or not programs
