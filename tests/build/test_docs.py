"""Files and folders that the documents name exist."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "bpf_objects", "bpftop", "contrib", "docs", "tests", "themes")
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
PATH = re.compile(r"[\w.{},*-]*[a-z][\w.{},*-]*(?:/[\w.{},*-]+)*/?")
SOURCE = (".py", ".c", ".h", ".md", ".yaml")
ELSEWHERE = re.compile(
    r"\.venv/.*"  # made by make
    r"|BSD/GPL"
    r"|bpftop\.\w+/1"  # names of documents
    r"|(themes/)?(NAME|config)\.yaml"  # the person's own
    r"|.*(NAME|VERB)\.py"  # to be written
    r"|tests/fuzz/c/\*\.inputs"  # written by a run of the fuzzer
)


def paths() -> list[str]:
    """Return the files and folders of the checkout, from its root on; no environment and no build."""
    within = [path for folder in FOLDERS for path in [ROOT / folder, *(ROOT / folder).rglob("*")]]
    return [f"/{path.relative_to(ROOT)}" for path in [*within, *ROOT.iterdir()]]


def alternatives(path: str) -> list[str]:
    """Return a{b,c} as ab and ac."""
    match = re.search(r"\{([^}]*)\}", path)
    return [path.replace(match[0], each) for each in match[1].split(",")] if match else [path]


def test_paths_in_the_documents_exist() -> None:
    known = paths()
    missing = [
        f"{document.relative_to(ROOT)}: {word}"
        for document in DOCUMENTS
        for quoted in QUOTED.findall(document.read_text())
        for word in (each.strip(",;:") for each in quoted.split())
        if PATH.fullmatch(word) and ("/" in word or word.endswith(SOURCE)) and not ELSEWHERE.fullmatch(word)
        for path in alternatives(word.rstrip("/"))
        if not any(fnmatch(each, f"*/{path}") for each in known)
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: str(each.relative_to(ROOT)))
def test_links_in_the_documents_lead_somewhere(document: Path) -> None:
    broken = []
    for path, anchor in LINK.findall(document.read_text()):
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
