"""Language of the docstrings: none opens with a riddle, and folders stay small enough to overlook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIDDLE = re.compile(r'"""(?:What|Where|Those|Of|As|Not|The same|Which|That|How|When|Whose|Who|Why)\b')
MODULES_MAX = 26


@pytest.mark.parametrize("room", ["bpftop", "contrib", "tests"])
def test_docstrings_name_their_subject(room: str) -> None:
    riddles = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if RIDDLE.match(line.strip())
    ]
    assert riddles == []


def test_folders_can_be_overlooked() -> None:
    folders = {path.parent for path in (ROOT / "bpftop").rglob("*.py")}
    modules = {str(each.relative_to(ROOT)): len({*each.glob("*.py")} - {each / "__init__.py"}) for each in folders}
    assert {name: count for name, count in modules.items() if count > MODULES_MAX} == {}
