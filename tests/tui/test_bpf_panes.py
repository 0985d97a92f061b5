"""The panes of BPF programs and maps: what they show, and that these objects are read only while one is open."""

from __future__ import annotations

import pytest

from bpftop.model.bpf.map_contents import EntryRow
from bpftop.model.derive import derive_snapshot
from bpftop.render.bpf.loaded_programs import recorded_program_lines
from bpftop.tui.measurements.map_entries import MapEntries
from bpftop.tui.panes.bpf_maps import MapTable
from bpftop.tui.panes.bpf_objects import NOT_READ
from bpftop.tui.panes.bpf_programs import ProgramTable
from tests import samples
from tests.tui.conftest import Same, Stage, perform
from tests.tui.engines import CannedMaps
from tests.waiting import until_async

SIZES = [(60, 15), (80, 24), (100, 30), (160, 50), (220, 60)]
ENGINES = {
    "program_text": lambda prog_id: (
        "verifier     walked 12.3 k instructions",
        "hot map      flows (id 8), named by 2 instructions",
        "",
        "; int prog(void)",
        f"    0: r0 = {prog_id}",
        "    1: r1 = map[id:8]    <- hot map flows",
        "    2: exit",
    ),
    "map_entries": lambda map_id: entries_of(map_id),
}


def entries_of(map_id: int) -> MapEntries:
    """Three entries of a per-CPU map of counters; names in the BTF and in the values are hostile."""
    rows = [
        EntryRow(
            f"10.0.0.{number}",
            {"packets": 100 * number, "na\x1b[31mme": f"ev\x1b[31mil {number}"},
            ({"packets": 90 * number}, {"packets": 10 * number}),
            (("packets", 5.0 * (4 - number)),),
        )
        for number in (1, 3, 2)
    ]
    return MapEntries(("key 4 B, value 16 B, flags none", "used by cil_from_netdev"), f"the first 3 of {map_id}", rows)


def shows(same: Same, name: str, size: tuple[int, int], *keys: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(*keys[:1])
        await stage.tick(2)
        await stage.press(*keys[1:])
        lines = stage.text().splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        assert "\x1b" not in stage.text()
        same(f"{name}-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size, engines=ENGINES)


@pytest.mark.parametrize("size", SIZES)
def test_programs(same: Same, size: tuple[int, int]) -> None:
    shows(same, "bpf-programs", size, "5")


@pytest.mark.parametrize("size", SIZES)
def test_maps(same: Same, size: tuple[int, int]) -> None:
    shows(same, "bpf-maps", size, "6")


@pytest.mark.parametrize("size", SIZES)
def test_the_detail_of_a_program(same: Same, size: tuple[int, int]) -> None:
    """Charts of ten minutes, its facts, and its instructions; the factor compares with the mark."""

    async def scenario(stage: Stage) -> None:
        await stage.press("5")
        await stage.tick(40)
        await stage.press("m")
        await stage.tick(5)
        await stage.press("g", "enter")
        await until_async(lambda: "hot map" in stage.text() or size[1] < 24, "the instructions were read")
        same(f"bpf-program-detail-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size, engines=ENGINES)


def test_a_mark_has_its_factor_and_its_gain() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("5")
        await stage.tick(12)
        assert "vs 1 min ago" in stage.text()
        await stage.press("m")
        await stage.tick(10)
        (line,) = [line for line in stage.text().splitlines() if "cil_from_netdev" in line]
        assert "vs mark" in stage.text()
        assert " 1.0 " in line
        await stage.press("6")
        (line,) = [line for line in stage.text().splitlines() if "cilium_ct4" in line]
        assert "since mark" in stage.text()
        assert " 500 " in line

    perform(scenario, size=(220, 60), engines=ENGINES)


def test_objects_are_read_only_while_a_pane_of_them_is_open() -> None:
    async def scenario(stage: Stage) -> None:
        assert not stage.source.bpf_watched
        await stage.press("5")
        await until_async(lambda: stage.source.bpf_watched, "the programs are read")
        await stage.press("6")
        await stage.press("1")
        await until_async(lambda: not stage.source.bpf_watched, "they are not read any more")
        await stage.tick(2)
        await stage.press("p", "5")
        assert NOT_READ[:40] in stage.text()

    perform(scenario)


def test_the_dearest_program_is_first_and_groups_are_together() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("5")
        await stage.tick(2)
        table = stage.app.query_one(ProgramTable)
        assert stage.app.frame.pane is not None
        assert list(table._keys) == ["88", "41", "91", "90"]
        await stage.press("b")
        assert list(table._keys) == ["90", "88", "91", "41"]
        await stage.press("slash", *"cilium", "enter")
        assert list(table._keys) == ["88"]
        await stage.press("escape", "6")
        maps = stage.app.query_one(MapTable)
        assert list(maps._keys) == ["8", "7", "12", "9"]
        await stage.press("b")
        assert list(maps._keys) == ["7", "8", "9", "12"]
        assert "by type" in stage.text()
        await stage.press("b")
        assert list(maps._keys) == ["12", "8", "9", "7"]

    perform(scenario, size=(160, 50))


@pytest.mark.parametrize(("pane", "text"), [("5", "r0 = 88"), ("6", "the first 3 of 8")])
def test_enter_shows_what_is_in_an_object_and_esc_goes_back(pane: str, text: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press(pane)
        await stage.tick(2)
        await stage.press("down", "enter")
        await until_async(lambda: text in stage.text(), stage.text)
        assert "\x1b" not in stage.text()
        await stage.press("escape")
        assert text not in stage.text()

    perform(scenario, size=(160, 50), engines=ENGINES)


@pytest.mark.parametrize("size", SIZES)
def test_the_detail_of_a_map(same: Same, size: tuple[int, int]) -> None:
    """Its facts, a column per field of the entries, and the selected entry on each CPU."""

    async def scenario(stage: Stage) -> None:
        await stage.press("6")
        await stage.tick(2)
        await stage.press("down", "enter")
        await until_async(lambda: "10.0.0.1" in stage.text() or size[1] < 24, stage.text)
        await stage.press("down")
        assert "\x1b" not in stage.text()
        same(f"bpf-map-detail-{size[0]}x{size[1]}.txt", stage.text())

    perform(scenario, size=size, engines=ENGINES)


def test_entries_are_searched_and_sorted_by_a_field_or_its_rate() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.press("6")
        await stage.tick(2)
        await stage.press("down", "enter")
        await until_async(lambda: "10.0.0.1" in stage.text(), "the entries were read")
        assert in_order(stage) == ["10.0.0.1", "10.0.0.3", "10.0.0.2"]
        await stage.press("s", "s")
        assert in_order(stage) == ["10.0.0.3", "10.0.0.2", "10.0.0.1"]
        await stage.press("s")
        assert in_order(stage) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        await stage.press("slash", *"nothing", "enter")
        assert in_order(stage) == []
        await stage.press("slash", *["backspace"] * 7, "i", "l", "space", "2", "enter")
        assert in_order(stage) == ["10.0.0.2"]
        await stage.press("down")
        assert "CPU 0: packets=180; CPU 1: packets=20" in stage.text()
        await stage.press("enter")
        assert in_order(stage) == ["10.0.0.2"]
        await stage.press("escape", "g", "down", "enter")
        await until_async(lambda: "the first 3 of 7" in stage.text(), "the other map was read")
        assert in_order(stage) == ["10.0.0.1", "10.0.0.3", "10.0.0.2"]

    perform(scenario, size=(160, 50), engines=ENGINES)


def in_order(stage: Stage) -> list[str]:
    """Return the keys of the entries on the screen, from top to bottom."""
    lines = stage.text().splitlines()
    rule = next(at for at, line in enumerate(lines) if line.startswith("───"))
    return [line.split()[0].rstrip("◂") for line in lines[:rule] if line.startswith("10.0.0.")]


def test_copies_of_a_map_are_profiled_from_list_and_entries() -> None:
    engine = CannedMaps()

    async def scenario(stage: Stage) -> None:
        await stage.press("6")
        await stage.tick(2)
        await stage.press("M")
        assert "Select a map first" in said(stage)
        await stage.press("down", "M")
        await until_async(lambda: engine.copied == ["8"], "a profile of copies began")
        await until_async(lambda: "none was wrong" in stage.text(), stage.text)
        assert "profile of flows" in stage.text()
        await stage.press("escape", "escape")
        assert "6 Maps" in stage.text()
        await stage.press("down", "enter")
        await until_async(lambda: "the first 3 of" in stage.text(), stage.text)
        await stage.press("M")
        await until_async(lambda: len(engine.copied) == 2, "a second profile began")

    perform(scenario, size=(160, 50), engines={**ENGINES, "maps": engine})


def said(stage: Stage) -> str:
    return " ".join(sentence for _, sentence, _ in stage.app.said)


def test_rows_of_similar_cost_do_not_change_places() -> None:
    def order(first_ns: int, second_ns: int) -> list[int]:
        rows = {
            ("1", "xdp", "a", "", ""): (1000, 1000 * first_ns, 0),
            ("2", "xdp", "b", "", ""): (1000, 1000 * second_ns, 0),
        }
        nothing = dict.fromkeys(rows, (0, 0, 0))
        on = samples.reading("bpf_statistics", {(): (1, 0)}, 1)
        before = samples.sample(1, samples.reading("bpf_programs", nothing, 1), on, seq=1)
        after = samples.sample(2, samples.reading("bpf_programs", rows, 2), on, seq=2)
        return [line.prog_id for line in recorded_program_lines(derive_snapshot(before, after))]

    assert order(1300, 2400) == [1, 2]
    assert order(2400, 1300) == [1, 2]
    assert order(1300, 9000) == [2, 1]
    assert order(10, 90) == [1, 2]
