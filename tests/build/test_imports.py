"""Imports that the contracts of pyproject.toml cannot check: at run time, and of compiled modules."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "bpftop"


def imported_names(source: Path) -> Iterator[str]:
    """Return the absolute dotted names that a module imports, also inside functions."""
    package = [PACKAGE.name, *source.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def loaded_after(program: str) -> set[str]:
    """Return the top-level modules in memory after ``program`` ran in a new interpreter."""
    script = f"{program}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return set(outcome.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(("room", "names"), [("kernel", {"cffi", "_libbpf"}), ("tui", {"rich", "textual"})])
def test_only_one_room_imports_it(room: str, names: set[str]) -> None:
    """Includes imports inside functions, and of the compiled module, which import-linter does not know."""
    sources = [source for source in PACKAGE.rglob("*.py") if PACKAGE / room not in source.parents]
    assert len(sources) > 10
    imports = [
        (source.name, name) for source in sources for name in imported_names(source) if names & {*name.split(".")}
    ]
    assert not imports


@pytest.mark.parametrize("source", sorted((PACKAGE / "model").rglob("*.py")), ids=lambda source: source.name)
def test_model_imports_only_the_standard_library(source: Path) -> None:
    roots = {name.partition(".")[0] for name in imported_names(source)}
    assert roots <= sys.stdlib_module_names | {"bpftop"}


def test_the_command_line_starts_light() -> None:
    heavy = {"cffi", "psutil", "rich", "textual", "yaml"}
    assert not heavy & loaded_after("import bpftop.cli")


def test_headless_commands_load_no_textual_and_no_dataclasses() -> None:
    """A third of the start would go to dataclasses: see bpftop/fields.py."""
    arguments = ["snapshot", "lo", "--attach", "none", "--interval", "0.1", "--format", "json"]
    program = f"import bpftop.cli; assert bpftop.cli.main({arguments}) == 0"
    assert not {"rich", "textual", "dataclasses"} & loaded_after(program)


def test_a_public_class_name_exists_once() -> None:
    """Two types of one name mean two things; a reader who searches for the name finds the wrong one."""
    places: dict[str, list[str]] = {}
    for source in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(source.read_text())
        classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        for name in [*classes, *_names_of_types(tree)]:
            if not name.startswith("_"):
                places.setdefault(name, []).append(str(source.relative_to(PACKAGE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def _names_of_types(tree: ast.Module) -> list[str]:
    """Return the names that a module gives to types, such as ``Scope = Literal[...]``; no type variables."""
    return [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper()
    ]
