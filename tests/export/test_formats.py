"""The registry of formats: every function can be loaded, and private content never gets a public format."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import pytest

from bpftop.export.formats import BENCH, DIAGNOSIS, DIFF, FLEET, PROFILE, SNAPSHOT, TICK, OutputFormat, tick_writer
from tests.export.moments import ETH0, moment

REGISTRY = {
    "snapshot": SNAPSHOT, "tick": TICK, "diagnosis": DIAGNOSIS, "diff": DIFF, "bench": BENCH, "profile": PROFILE,
    "fleet": FLEET,
}  # fmt: skip


@pytest.mark.parametrize("formats", REGISTRY.values(), ids=REGISTRY)
def test_every_format_loads(formats: Mapping[str, OutputFormat]) -> None:
    for chosen in formats.values():
        parameters = inspect.signature(chosen.load()).parameters
        assert not chosen.serial or "first" in parameters


def test_findings_and_whole_documents_are_private() -> None:
    assert {name for name, chosen in SNAPSHOT.items() if not chosen.public} == {"json", "markdown"}
    assert {name for name, chosen in TICK.items() if not chosen.public} == {"json", "markdown", "table"}
    assert not any(chosen.public for chosen in DIAGNOSIS.values())


def test_titles_stand_once_in_a_series() -> None:
    snapshot = moment(ETH0)
    for name, chosen in TICK.items():
        write = tick_writer(name)
        assert (write(snapshot, True) == write(snapshot, False)) != chosen.serial
