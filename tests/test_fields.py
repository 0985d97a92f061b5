"""Classes of fields behave like dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
from collections.abc import Mapping
from functools import cached_property
from typing import Generic, TypeVar

import pytest

from bpftop.fields import computed_once, field, field_names, frozen, frozen_often, mutable, replace

T = TypeVar("T")


@frozen
class Point(Generic[T]):
    """A class with everything that a field can be."""

    x: int
    y: T
    name: str = "here"
    tags: Mapping[str, int] = field(default_factory=dict, repr=False)

    @cached_property
    def double(self) -> int:
        return 2 * self.x


@frozen_often
class Often(Generic[T]):
    """Fields of the same kinds, in a class with its own constructor."""

    x: int
    y: T
    name: str = "here"
    tags: Mapping[str, int] = field(default_factory=dict, repr=False)


@frozen
class Named(Point[int]):
    title: str = ""


@mutable
class Count:
    count: int = 0
    seen: list[int] = field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Standard(Generic[T]):
    x: int
    y: T
    name: str = "here"
    tags: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)


def test_fields_are_given_by_position_and_by_name() -> None:
    point = Point(1, y=2)
    assert (point.x, point.y, point.name, point.tags) == (1, 2, "here", {})
    assert Point(1, 2, "there", {"a": 1}).tags == {"a": 1}


def test_a_constructor_of_its_own_makes_the_same() -> None:
    for made in (Often(1, y=2), Often(x=1, y=2, name="here", tags={}), replace(Often(3, 2), x=1)):
        assert vars(made) == vars(Point(1, 2))
        assert repr(made) == repr(Point(1, 2)).replace("Point", "Often")
        assert made == pickle.loads(pickle.dumps(made)) == dataclasses.replace(made)
    assert Often(1, 2).tags is not Often(1, 2).tags
    assert vars(Often(1, 2, "there", {"a": 1})) == vars(Point(1, 2, "there", {"a": 1}))
    with pytest.raises(AttributeError, match="Often is frozen: x cannot be set"):
        Often(1, 2).x = 2  # type: ignore[misc]


def test_a_default_is_made_anew_for_each_instance() -> None:
    one, other = Count(), Count()
    one.seen.append(1)
    one.count += 1
    assert (one.seen, other.seen, one.count, other.count) == ([1], [], 1, 0)


@pytest.mark.parametrize(
    ("positional", "named"),
    [((), {}), ((1,), {}), ((1, 2, "", {}, 5), {}), ((1, 2), {"x": 3}), ((1, 2), {"z": 3}), ((1,), {"z": 3})],
)
def test_arguments_that_a_dataclass_refuses_are_refused(
    positional: tuple[object, ...], named: dict[str, object]
) -> None:
    for made in (Point, Often, Standard):
        with pytest.raises(TypeError):
            made(*positional, **named)  # type: ignore[arg-type]


def test_repr_equality_and_hash_are_those_of_a_dataclass() -> None:
    assert repr(Point(1, 2.5, tags={"a": 1})) == repr(Standard(1, 2.5, tags={"a": 1})).replace("Standard", "Point")
    assert Point(1, 2) == Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != object()
    assert Point(1, 2) != Named(1, 2)
    assert hash(Named(1, 2, tags=None)) == hash(Named(1, 2, tags=None))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1, 2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Count())


class Squared:
    """A class with a property that is computed once."""

    def __init__(self, x: int) -> None:
        self.x, self.computed = x, 0

    @computed_once
    def square(self) -> int:
        """Return x * x."""
        self.computed += 1
        return self.x * self.x


def test_a_property_is_computed_once_for_each_instance() -> None:
    one, other = Squared(3), Squared(4)
    assert (one.square, one.square, one.computed) == (9, 9, 1)
    assert (other.square, other.computed) == (16, 1)
    assert Squared.square.__doc__ == "Return x * x."


def test_a_cached_property_is_no_field() -> None:
    point, same = Point(1, 2), Point(1, 2)
    assert point.double == 2
    assert point == same
    assert "double" not in repr(point)
    assert replace(point, x=4).double == 8


def test_nobody_assigns_or_deletes_a_field_of_a_frozen_class() -> None:
    point = Point(1, 2)
    with pytest.raises(AttributeError, match="Point is frozen: x cannot be set"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Point is frozen: x cannot be deleted"):
        del point.x
    assert point.x == 1


def test_a_class_inherits_fields() -> None:
    assert repr(Named(1, 2, "a", title="b")) == "Named(x=1, y=2, name='a', title='b')"


def test_names_of_fields() -> None:
    assert field_names(Named) == field_names(Named(1, 2)) == ("x", "y", "name", "tags", "title")
    assert field_names(Standard) == ("x", "y", "name", "tags")
    assert field_names(5) == ()


def test_copies_and_pickles_are_equal() -> None:
    point = Point(1, 2, tags={"a": 1})
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == point


def test_a_class_keeps_its_own_methods() -> None:
    @frozen
    class Text:
        text: str

        def __repr__(self) -> str:
            return self.text

    assert repr(Text("a")) == "a"


def test_the_standard_library_takes_it_for_a_dataclass() -> None:
    assert [each.name for each in dataclasses.fields(Named)] == ["x", "y", "name", "tags", "title"]
    assert dataclasses.replace(Named(1, 2), title="c") == Named(1, 2, title="c")
    assert dataclasses.asdict(Point(1, 2, tags={"a": 1})) == dataclasses.asdict(Standard(1, 2, tags={"a": 1}))
    assert dataclasses.is_dataclass(Point)


@frozen_often
class _Often:
    number: int

    @computed_once
    def double(self) -> int:
        return 2 * self.number

    @computed_once
    def half(self) -> int:
        return self.number // 2


def test_a_computed_property_needs_no_dictionary_of_its_own() -> None:
    """Also of an instance that is made when Python has closed the table of names: it takes some 30 instances."""
    instances = [_Often(number) for number in range(100)]
    assert [each.double for each in instances] == [2 * number for number in range(100)]
    last = _Often(6)
    assert (last.half, last.double) == (3, 12)
    assert [type(held) for held in gc.get_referents(last)].count(dict) == 0
