"""The drop reasons of the stages of the path."""

from __future__ import annotations

from bpftop.collect.bpf.drops import REASON_PREFIX, kernel_drop_reasons
from bpftop.collect.capture.request import REASONS_MOST
from bpftop.model.packet_filter import STAGE_DROPS
from bpftop.model.stages import BY_ID


def test_every_stage_exists_and_has_no_more_reasons_than_fit() -> None:
    assert set(STAGE_DROPS) <= set(BY_ID)
    assert all(0 < len(drops.reasons) <= REASONS_MOST for drops in STAGE_DROPS.values())


def test_every_reason_is_known_to_this_kernel() -> None:
    known = {name.removeprefix(REASON_PREFIX) for name in kernel_drop_reasons().names.values()}
    assert {reason for drops in STAGE_DROPS.values() for reason in drops.reasons} - known == set()
