"""The Findings pane and the verdict of the Overview, on made-up faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bpftop.model.sample import Sample
from bpftop.rules.table import chosen
from tests.rules.world import START_NS, World
from tests.tui import conftest
from tests.tui.conftest import Same, Scenario, Stage, perform
from tests.tui.fake_source import START_WALL_NS, FakeSource

Script = Callable[[World, int], object]
"""Changes the world before a tick."""

SIZES = [(80, 24), (160, 50), (50, 10)]
CONNTRACK = "conntrack-full"


@dataclass
class Scripted(FakeSource):
    """A tick a second of a world."""

    script: Script = lambda world, tick: None
    world: World = field(default_factory=World)

    def sample(self, tick: int, offset_s: float) -> Sample:
        self.script(self.world, tick)
        taken = self.world.advance() if tick else self.world.sample()
        return replace(taken, wall_ns=START_WALL_NS + taken.mono_ns - START_NS, interfaces=self.world.interfaces)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``on(script, scenario, ...)``: perform the scenario on a world in which the script makes faults."""

    def run(script: Script, scenario: Scenario, **more: Any) -> None:
        def source(cpus: int, interfaces: object, gate: Any) -> Scripted:
            return Scripted(cpus=2, gate=gate, script=script)

        monkeypatch.setattr(conftest, "FakeSource", source)
        perform(scenario, **{"ticks": 12, "rules": chosen(), **more})

    return run


On = Callable[..., None]


def nothing(world: World, tick: int) -> None:
    """A server under a little load; connection tracking is not loaded."""
    if tick == 0:
        world.absent("conntrack", "nf_conntrack is not loaded").absent("conntrack_events", "nf_conntrack is not loaded")
        world.frames("protocols", 6, pps=3_000).frames("protocols", 17, pps=200, cpu=1).stack(IpInReceives=3_200)


def flood(world: World, tick: int) -> None:
    """A SYN flood from the third second on, with all that follows from it."""
    nothing(world, tick)
    if tick == 3:
        world.frames("protocols", 6, pps=20_000, size=60).frames("tcp_flags", "syn", pps=20_000, size=60)
        world.stack(IpInReceives=20_000, TcpExtTCPReqQFullDrop=19_000, TcpPassiveOpens=10, TcpExtSyncookiesSent=9)
        world.rate("softnet", (0,), "dropped", 1_000).rate("cpu_times", (0,), "softirq_ns", 98e7)


def several(world: World, tick: int) -> None:
    """Three causes that have nothing to do with each other, and one that passes."""
    nothing(world, tick)
    if tick == 2:
        world.stack(UdpRcvbufErrors=500).rate("udp_sockets", (4, "0.0.0.0", 53, 9, "dnsmasq[8]"), "drops", 500)
        world.rate("links/eth0", ("eth0",), "rx_crc_errors", 20).rate(
            "drops", ("eth0", "NETFILTER_DROP"), "packets", 30
        )
        world.stack(TcpInCsumErrors=9)
    if tick == 8:
        world.stack(TcpInCsumErrors=0)


def note(world: World, tick: int) -> None:
    nothing(world, tick)
    if tick == 2:
        world.rate("drops", ("eth0", "NETFILTER_DROP"), "packets", 30)


SCRIPTS: dict[str, Script] = {"nothing": nothing, "flood": flood, "several": several, "note": note}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", SCRIPTS)
def test_pane(on: On, same: Same, what: str, size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.tick(4)
        await stage.press("8")
        drawn = stage.text().splitlines()
        assert len(drawn) == size[1]
        assert max(map(len, drawn)) <= size[0]
        same(f"findings-{what}-{size[0]}x{size[1]}.txt", stage.text())

    on(SCRIPTS[what], scenario, size=size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", SCRIPTS)
def test_overview(on: On, same: Same, what: str, size: tuple[int, int]) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.tick(4)
        drawn = stage.text().splitlines()
        assert max(map(len, drawn)) <= size[0]
        same(f"verdict-{what}-{size[0]}x{size[1]}.txt", stage.text())

    on(SCRIPTS[what], scenario, size=size)


def test_the_verdict_waits_for_the_first_rates(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        assert "nothing found yet" in stage.line(2)
        assert "the others need a few seconds" in stage.text()
        await stage.press("8")
        assert "checks are waiting" in stage.text()
        assert "two readings 3 s apart" in " ".join(stage.text().split())

    on(nothing, scenario, ticks=2, size=(100, 30))


def test_nothing_found_counts_the_blind_checks(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.line(2) == "nothing wrong found"
        assert re.match(r"   \d+ of \d+ checks active", stage.line(4))
        assert stage.line(4).endswith("8: why not all")
        await stage.press("8")
        assert stage.row("conntrack-full").split("  ")[-1].strip() == "nf_conntrack is not loaded"

    on(nothing, scenario, ticks=20, size=(120, 40))


def test_a_flood_is_shown_with_its_consequences(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.line(2).startswith("▲▲ CRITICAL  SYN flood likely: 20.0 k/s SYN, <1 % accepted")
        assert stage.line(3).startswith("   leads to: ")
        assert "Backlog overflows" in stage.line(3)
        assert "checks active" in stage.line(4)
        await stage.press("8")
        text = " ".join(stage.text().split())
        assert "▲▲ CRITICAL SYN flood likely" in text
        for part in ("SYN 20.0 k/s; limit 1.00 k/s", "netdata tcp_listen", "$ ss -ltn", "interface eth0", "leads to"):
            assert part in text, part

    on(flood, scenario, ticks=14, size=(160, 50))


def test_a_consequence_names_its_cause(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("8", "j", "j")
        text = " ".join(stage.text().split())
        assert "follows from syn-flood: SYN flood likely" in text

    on(flood, scenario, ticks=14, size=(160, 50))


def test_a_finding_is_copied_with_its_evidence_and_commands(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("8", "slash", *"udp", "enter", "j", "y")
        copied = stage.app.clipboard
        for part in ("UDP socket overflows: 500/s", "0.0.0.0:53 of dnsmasq[8] drops 500/s", "$ ss -lunpm",
                     "limit 10/s (netdata udp_errors)", "since"):  # fmt: skip
            assert part in copied, copied
        assert "CRC" not in stage.text()
        await stage.press("slash", *"nosuch", "enter")
        assert "no row matches udpnosuch" in stage.text()

    on(several, scenario, size=(120, 40))


def test_past_findings_are_listed_below_active_findings(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("8")
        assert "over for" not in stage.text()
        await stage.tick(8)
        rows = [line for line in stage.text().splitlines() if "▲" in line or "note" in line]
        assert "Bad checksums" in rows[-1]
        assert "over for" in rows[-1]
        for _ in range(len(rows)):
            await stage.press("j")
        assert "checksum-errors, scope netns" in stage.text()
        assert " until " in stage.text()

    on(several, scenario, ticks=9, size=(120, 40))


def test_paused_and_scrolled_back_it_shows_the_findings_of_then(on: On) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("8", "p")
        assert "SYN flood likely" in stage.text()
        await stage.press(*["left"] * 12)
        assert "SYN flood likely" not in stage.text()
        assert "nothing found" in stage.text()
        await stage.press("1")
        assert "nothing found" in stage.line(2)
        await stage.press("p")
        assert "CRITICAL" in stage.line(2)

    on(flood, scenario, ticks=15, size=(100, 30))


def test_hostile_names_of_processes_are_escaped(on: On) -> None:
    def hostile(world: World, tick: int) -> None:
        nothing(world, tick)
        if tick == 1:
            name = "a\x1b[31m\u202eb[8]"
            world.stack(UdpRcvbufErrors=500).rate("udp_sockets", (4, "0.0.0.0", 53, 9, name), "drops", 500)

    async def scenario(stage: Stage) -> None:
        for key in ("1", "8", "j"):
            await stage.press(key)
            assert "\x1b" not in stage.text()
            assert "\u202e" not in stage.text()
        await stage.press("y")
        assert "\x1b" not in stage.app.clipboard

    on(hostile, scenario, size=(120, 40))
