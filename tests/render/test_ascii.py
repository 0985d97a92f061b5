"""ASCII in place of block characters, marks and arrows: each character of the screen has a likeness of one cell."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bpftop
from bpftop.model.units import bar, spark
from bpftop.render.ascii import ascii_text

SOURCES = sorted(Path(bpftop.__file__).parent.rglob("*.py"))
NOT_SHOWN = {Path(bpftop.__file__).parent / "render" / "ascii.py"}


def shown_characters(source: Path) -> Iterator[str]:
    """Yield the characters outside ASCII of all strings that are values, not docstrings."""
    tree = ast.parse(source.read_text())
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield from (c for c in node.value if not c.isascii() and c.isprintable())


def test_every_character_of_the_program_has_a_likeness() -> None:
    found = {c for source in SOURCES if source not in NOT_SHOWN for c in shown_characters(source)}
    assert {"█", "▲", "…"} <= found
    assert {c for c in found if ascii_text(c) == "?"} == set()
    assert {c for c in found if len(ascii_text(c)) != 1} == set()


def test_a_trend_and_a_bar_keep_their_order() -> None:
    trend = ascii_text(spark([0, 1, 2, 3, 4, 5, 6], 7))
    assert trend == "_.:-=+*"
    assert [ascii_text(bar(share, 2)) for share in (0, 0.2, 0.5, 0.7, 1)] == ["  ", ": ", "# ", "#:", "##"]


@pytest.mark.parametrize(("name", "plain"), [("eth0", "eth0"), ("Kür", "K?r"), ("網", "??"), ("e\u0301", "e")])
def test_names_keep_their_cells(name: str, plain: str) -> None:
    assert ascii_text(name) == plain


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ({"LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}, False),
        ({"LC_ALL": "C.UTF-8", "TERM": "vte-256color"}, False),
        ({"LC_ALL": "C.UTF-8", "TERM": "tmux-256color"}, False),
        ({"LC_ALL": "C.UTF-8", "TERM": "linux"}, True),
        ({"LC_ALL": "C.UTF-8", "TERM": "vt100"}, True),
        ({"LC_ALL": "C", "TERM": "xterm-256color"}, True),
    ],
)
def test_locale_and_terminal_decide(environment: dict[str, str], needed: bool) -> None:
    """A process of its own, because Python reads the locale at its start."""
    program = "import os; from bpftop.render.ascii import ascii_needed; print(ascii_needed(os.environ))"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    done = subprocess.run([sys.executable, "-c", program], env=plain | environment, capture_output=True, text=True)
    assert done.stdout == f"{needed}\n", done.stderr
