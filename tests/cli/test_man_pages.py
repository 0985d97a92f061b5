"""The manual pages are made from the tables of the command line, and manual page readers accept them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from bpftop.cli.verb_table import GROUPS, VERBS
from contrib.command_line import commands
from contrib.man_pages import FOLDER, texts

PAGES = sorted(FOLDER.glob("*.1"))


def test_pages_are_up_to_date() -> None:
    generated = dict(texts())
    assert set(PAGES) == set(generated)
    for path, text in generated.items():
        assert path.read_text() == text, "run `python -m contrib.man_pages`"


@pytest.mark.needs("mandoc")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_no_complaint(page: Path) -> None:
    done = subprocess.run(["mandoc", "-Tlint", page], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.needs("man", "col")
def test_man_shows_every_verb_and_option() -> None:
    shown = {page.stem: _shown(page) for page in PAGES}
    assert all(re.search(rf"^ {{7}}{verb}\s", shown["bpftop"], re.M) for verb in VERBS)
    parsed = commands()
    for group in GROUPS:
        text = shown[f"bpftop-{group.name}"]
        for verb in group.verbs:
            assert f"\nBPFTOP {verb.upper()}\n" in text
            assert all(f" {flag}" in text for option in parsed[verb].options for flag in option.flags)
            assert all(f"\n       {example}\n" in text for example in VERBS[verb].examples)


def _shown(page: Path) -> str:
    environment = {**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-c", "MANPAGER": "cat"}
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return subprocess.run(["col", "-b", "-x"], input=done.stdout, capture_output=True, text=True, check=True).stdout
