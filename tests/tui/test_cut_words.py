"""No pane cuts a word or a number, or parts a number from its unit, at any size."""

from __future__ import annotations

import re

import pytest

from bpftop.rules.table import chosen
from bpftop.tui.panes import PANES
from tests.tui.conftest import Stage, perform
from tests.tui.engines import CannedMaps, CannedSuites
from tests.tui.test_bpf_panes import ENGINES as BPF_ENGINES

WIDE = (400, 120)
"""A size at which everything is whole."""
SIZES = [(60, 15), (80, 24), (100, 30), (160, 50), (220, 60), *((width, 24) for width in range(50, 160, 9))]
ENGINES = {**BPF_ENGINES, "maps": CannedMaps(), "programs": CannedSuites()}
WORD = re.compile(r"[^\W\d_]{2,}")
CUT_NUMBER = re.compile(r"\d…|\d [kMGTP]…")
ADDRESS = re.compile(r"\[[0-9a-f:…]+\]")
"""An IPv6 address, of which a narrow column shows both ends."""


@pytest.mark.parametrize("inside", [False, True], ids=["table", "row"])
@pytest.mark.parametrize("pane", PANES)
def test_no_pane_cuts_a_word_or_a_number(pane: str, inside: bool) -> None:
    """No word of a narrow screen is a mere part of a word of the wide one."""

    async def scenario(stage: Stage) -> None:
        await stage.app.action_open_pane(pane)
        await stage.tick(2)
        if pane == "measure" or inside:
            await stage.press("j", "enter")
            await stage.tick(2)
        await stage.press("p")
        whole = set(WORD.findall(stage.text()))
        parts = {word[:end] for word in whole for end in range(2, len(word))} - whole
        cut = []
        for size in SIZES:
            await stage.pilot.resize_terminal(*size)
            await stage.pilot.pause()
            lines = ADDRESS.sub("", stage.text()).splitlines()
            assert max(map(len, lines)) <= size[0]
            cut += [(size, line) for line in lines if parts & set(WORD.findall(line)) or CUT_NUMBER.search(line)]
        assert cut == []

    perform(scenario, size=WIDE, rules=chosen(), engines=ENGINES)
