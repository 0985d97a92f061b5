"""The proofs' names and where they are: what the host's tests know of the guests' scripts."""

from __future__ import annotations

from collections.abc import Mapping

PROOFS: Mapping[str, str] = {
    "doctor": "doctor.answers_and_explains",
    "variants": "variants.all_load",
    "snapshot": "counting.snapshot_of_lo",
    "native": "counting.counts_natively",
    "jumbo": "counting.counts_jumbo_frames",
    "on request": "attaching.counts_on_request",
    "foreign XDP": "foreign.verdicts_are_counted",
    "drop reasons": "losses.drops_by_reason",
    "open files": "files.stay_open",
    "neighbour table": "losses.neighbour_table_fills",
    "flows": "flows.are_kept",
    "device stack": "stack.counts_once",
    "program counters": "counters.count_each_run",
    "capture": "packets.are_captured",
}
"""Each is a function that raises AssertionError, or returns its findings in a few words."""
