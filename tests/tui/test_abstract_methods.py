"""The metaclass of Textual's classes knows no abstract methods: here no class leaves one open."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType

import bpftop.tui


def classes_of_the_screen() -> Iterator[type]:
    for module in pkgutil.walk_packages(bpftop.tui.__path__, "bpftop.tui."):
        loaded = import_module(module.name)
        yield from (each for each in vars(loaded).values() if inspect.isclass(each) and each.__module__ == module.name)


def is_abstract(method: object) -> bool:
    """Return True if a method does nothing but raise NotImplementedError."""
    return isinstance(method, FunctionType) and method.__code__.co_names == ("NotImplementedError",)


def test_every_class_has_the_methods_that_its_bases_leave_open() -> None:
    abstract: set[str] = set()
    lacking: list[str] = []
    for each in set(classes_of_the_screen()):
        names = [name for base in each.__mro__ for name, method in vars(base).items() if is_abstract(method)]
        abstract.update(names)
        if not each.__subclasses__():
            lacking += [f"{each.__name__}.{name}" for name in names if is_abstract(getattr(each, name))]
    assert {"draw", "columns", "rows", "compose_list", "show"} <= abstract
    assert lacking == []
