"""Language of comments and of names of tests, and the size of folders."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIDDLE = re.compile(r"(?:What|Where|Those|Of|As|Not|The same|Which|That|How|When|Whose|Who|Why|Whether)\b")
EMPTY_PHRASE = re.compile(r"\b(?:those|that) of\b|\bwhat (?:is|was|are|were)\b", re.IGNORECASE)
C_COMMENT = re.compile(r"/\*(.*?)\*/|//(.*)", re.DOTALL)
MODULES_MAX = 26
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
TEST_NAME_MAX = 59


def python_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield each docstring and each comment with its line; comments below each other are one comment."""
    block: list[str] = []
    first, after = 0, tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if block and (token.start[0] != first + len(block) or token.line.lstrip()[0] != "#"):
                yield first, " ".join(block)
                block = []
            first = first if block else token.start[0]
            block.append(token.string.lstrip("# "))
        elif token.type == tokenize.STRING and after in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            yield token.start[0], token.string.strip('r"')
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            after = token.type
    if block:
        yield first, " ".join(block)


def c_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield each comment with its line."""
    for match in C_COMMENT.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, (match[1] or match[2]).strip()


@pytest.mark.parametrize("room", ["bpf_objects", "bpftop", "contrib", "tests"])
def test_comments_name_their_subject(room: str) -> None:
    riddles = [
        f"{path.relative_to(ROOT)}:{line}: {text[:100]}"
        for path in sorted((ROOT / room).rglob("*.*"))
        if path.suffix in (".py", ".c", ".h")
        for line, text in (python_comments if path.suffix == ".py" else c_comments)(path.read_text())
        if RIDDLE.match(text) or EMPTY_PHRASE.search(" ".join(text.split()))
    ]
    assert riddles == []


def test_folders_can_be_overlooked() -> None:
    folders = {path.parent for path in (ROOT / "bpftop").rglob("*.py")}
    modules = {str(each.relative_to(ROOT)): len({*each.glob("*.py")} - {each / "__init__.py"}) for each in folders}
    assert {name: count for name, count in modules.items() if count > MODULES_MAX} == {}


def test_names_of_tests_are_short() -> None:
    names = [name for path in (ROOT / "tests").rglob("test_*.py") for name in TEST.findall(path.read_text())]
    assert [name for name in names if len(name) > TEST_NAME_MAX] == []
