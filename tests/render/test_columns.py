"""The tables of columns: every column says its unit and where its values come from."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import bpftop.render
from bpftop.render.columns import Column
from bpftop.render.flows.flow_columns import group_columns


def tables() -> Iterator[tuple[str, Column[Any]]]:
    """Yield each column of each table of the room, with the name of the table."""
    for module in pkgutil.iter_modules(bpftop.render.__path__):
        for name, value in vars(importlib.import_module(f"bpftop.render.{module.name}")).items():
            columns = [value] if isinstance(value, Column) else value if isinstance(value, tuple) else ()
            yield from ((f"{module.name}.{name}", column) for column in columns if isinstance(column, Column))
    yield from (("group_columns", column) for column in group_columns("address"))


COLUMNS = list(tables())


def test_the_tables_are_found() -> None:
    assert len({name for name, _ in COLUMNS}) >= 10


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column.id}" for table, column in COLUMNS])
def test_a_column_has_help_unit_and_source(table: str, column: Column[Any]) -> None:
    assert column.help.strip()
    assert column.source.strip()
    assert column.unit or column.left, "numbers are right-aligned and have a unit; text is left-aligned"
    assert column.explanation.count("Source: ") == 1
    assert ".." not in column.explanation
