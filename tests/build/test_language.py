"""Language of docstrings and of names of tests, and the size of folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIDDLE = re.compile(r'"""(?:What|Where|Those|Of|As|Not|The same|Which|That|How|When|Whose|Who|Why)\b')
MODULES_MAX = 26
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
TEST_NAME_MAX = 59


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


def test_names_of_tests_are_short() -> None:
    names = [name for path in (ROOT / "tests").rglob("test_*.py") for name in TEST.findall(path.read_text())]
    assert [name for name in names if len(name) > TEST_NAME_MAX] == []
