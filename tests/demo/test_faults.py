"""The faults of the demo: what it offers, and that a tour makes them and undoes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpftop.demo.faults import tour
from bpftop.demo.faults.offers import OFFERS
from bpftop.demo.faults.tour import Tour
from bpftop.demo.lab import Lab
from bpftop.demo.sides import GENERATOR, WATCHED
from bpftop.errors import BpftopError
from bpftop.model.stages import STAGES
from bpftop.rules.table import RULES
from tests.cli.running import bpftop
from tests.waiting import until


def test_every_offer_is_a_fault_that_a_check_finds() -> None:
    checks = {rule.id for rule in RULES}
    for name, offer in OFFERS.items():
        assert offer.load().id == name
        assert name in checks


def test_the_list_has_what_to_look_at() -> None:
    done = bpftop("demo", "--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"{name} " in done.stdout and offer.look in done.stdout for name, offer in OFFERS.items())
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_what_to_look_at_is_where_the_screen_has_it() -> None:
    """LOST and REFUSED are followed by the name of a stage that the block has."""
    blocks = {stage.title: "REFUSED" if stage.refused else "LOST" for stage in STAGES}
    words = re.compile(r"(LOST|REFUSED): (?:by the )?([^;]+)")
    named = [match for offer in OFFERS.values() for match in words.findall(offer.look)]
    assert len(named) >= 5
    assert [(blocks.get(stage), stage) for _, stage in named] == named


def test_an_unknown_fault_is_bad_usage() -> None:
    done = bpftop("demo", "--fault", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "argument --fault: invalid choice: 'nonsense'" in done.stderr


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(quiet=True) as lab:
        yield lab


def counter(name: str) -> int:
    """Return a counter of /proc/net/snmp of the calling thread's namespace: ``UdpRcvbufErrors``."""
    lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    rows = {
        head.split()[0][:-1] + column: int(value)
        for head, values in zip(lines[::2], lines[1::2], strict=True)
        for column, value in zip(head.split()[1:], values.split()[1:], strict=True)
    }
    return rows[name]


@pytest.mark.bpf
def test_a_tour_makes_one_fault_after_the_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "CALM_S", 0.2)
    monkeypatch.setattr(tour, "TOUR_S", 0.5)
    chosen = {name: OFFERS[name] for name in ("udp-socket-overflow", "checksum-errors")}
    faults = Tour(lab, chosen)
    said: list[str] = []

    def both_made() -> bool:
        said.extend(faults.remarks())
        return all(any(words.startswith(offer.look) for words in said) for offer in chosen.values())

    faults.start()
    try:
        until(both_made, lambda: said)
    finally:
        faults.stop()
    assert any(words == "udp-socket-overflow begins in 1 s: a program does not read its UDP socket" for words in said)
    assert lab.call_in(WATCHED, lambda: counter("UdpRcvbufErrors")) > 0
    assert "9200" not in lab.run_in(WATCHED, ["ss", "-uan"]).stdout  # the socket is closed again


@pytest.mark.bpf
def test_a_fault_that_cannot_be_made_is_one_sentence(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    faults = Tour(lab, {"firewall-drops": OFFERS["firewall-drops"]})
    with pytest.raises(BpftopError, match="the command `nft` is missing; install the package nftables"):
        faults.start()
    faults.stop()


@pytest.mark.bpf
def test_a_later_fault_that_cannot_be_made_is_a_remark(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "CALM_S", 0.1)
    monkeypatch.setattr(tour, "TOUR_S", 0.1)
    missing = OFFERS["udp-flood"]._replace(class_name="SynFlood", module="tcp")
    faults = Tour(lab, {"udp-socket-overflow": OFFERS["udp-socket-overflow"], "syn-flood": missing})
    lab.run_in(WATCHED, ["ip", "route", "add", "198.19.0.0/16", "via", GENERATOR.ipv4[0]])  # the flood adds this route
    said: list[str] = []

    def failed() -> bool:
        said.extend(faults.remarks())
        return any("syn-flood cannot be made here: `ip -batch -` failed: " in words for words in said)

    faults.start()
    try:
        until(failed, lambda: said)
    finally:
        faults.stop()
