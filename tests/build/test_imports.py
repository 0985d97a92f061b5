"""Which modules get loaded when: what the import contracts of pyproject.toml cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "bpftop"


def imported_names(source: Path) -> Iterator[str]:
    """The absolute dotted names that a module imports, wherever in it the import stands."""
    package = [PACKAGE.name, *source.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def loaded_after(program: str) -> set[str]:
    """The top-level modules in memory after ``program`` ran in a fresh Python."""
    script = f"{program}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return set(outcome.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(("room", "names"), [("kernel", {"cffi", "_libbpf"}), ("tui", {"rich", "textual"})])
def test_one_room_alone_sees_it(room: str, names: set[str]) -> None:
    """Imports inside functions too, and of the compiled module, which is not in import-linter's graph."""
    sources = [source for source in PACKAGE.rglob("*.py") if PACKAGE / room not in source.parents]
    assert len(sources) > 10
    found = [(source.name, name) for source in sources for name in imported_names(source) if names & {*name.split(".")}]
    assert not found


@pytest.mark.parametrize("source", sorted((PACKAGE / "model").rglob("*.py")), ids=lambda source: source.name)
def test_model_knows_the_standard_library_alone(source: Path) -> None:
    roots = {name.partition(".")[0] for name in imported_names(source)}
    assert roots <= sys.stdlib_module_names | {"bpftop"}


def test_the_command_line_starts_light() -> None:
    heavy = {"cffi", "psutil", "rich", "textual", "yaml"}
    assert not heavy & loaded_after("import bpftop.cli")


def test_a_headless_command_never_loads_textual() -> None:
    arguments = ["snapshot", "lo", "--attach", "none", "--interval", "0.1", "--format", "json"]
    program = f"import bpftop.cli; assert bpftop.cli.main({arguments}) == 0"
    assert not {"rich", "textual"} & loaded_after(program)


def test_a_public_class_name_exists_once() -> None:
    """Two classes of one name mean two things; a reader who searches for the name finds the wrong one."""
    places: dict[str, list[str]] = {}
    for source in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(source.relative_to(PACKAGE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
