"""Values of the model from JSON values, by their type hints: a new field needs no line here."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bpftop.errors import BpftopError
from bpftop.fields import field_names

T = TypeVar("T")


class Mismatch(BpftopError):
    """A value of the wrong type. The text is a sentence that begins with the value's place."""


def from_json(kind: type[T], value: Any, where: str) -> T:
    """Return the value of a type from a JSON value, the reverse of ``json_value``.

    A field may be absent if it has a default; an unknown field is refused. Raises Mismatch, whose text calls the value
    ``where``.
    """
    result: T = _from_json(kind, value, where)
    return result


def _from_json(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if field_names(kind):
        return _object(kind, value, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _from_json(next(a for a in arguments if a is not type(None)), value, where)
    if origin is Literal:
        if value not in arguments:
            raise Mismatch(f"{where} is {_short(value)} and not one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return tuple([_from_json(arguments[0], item, where) for item in _of(list, value, where)])
    if origin is not None and issubclass(origin, Mapping):
        pairs = _of(dict, value, where).items()
        return {_key(arguments[0], key, where): _from_json(arguments[1], v, f"{where}.{key}") for key, v in pairs}
    if kind is float and type(value) is int:
        return float(value)
    return _of(kind, value, where)


def _object(kind: Any, value: Any, where: str) -> Any:
    given = _of(dict, value, where)
    hints = _hints(kind)
    unknown = given.keys() - hints.keys()
    if unknown:
        raise Mismatch(f"{where} has a field {_short(min(unknown))} that this version does not know")
    try:
        return kind(**{name: _from_json(hints[name], v, f"{where}.{name}") for name, v in given.items()})
    except TypeError as error:
        raise Mismatch(f"{where} lacks a field: {error}") from error


def _key(kind: Any, key: str, where: str) -> Any:
    if kind is int:
        if not key.isdecimal():
            raise Mismatch(f"{where} has the key {_short(key)}, which is no number")
        return int(key)
    return _from_json(kind, key, where)


def _of(kind: Any, value: Any, where: str) -> Any:
    if type(value) is not kind:  # a bool is no int here
        raise Mismatch(f"{where} is {_short(value)} and no {kind.__name__}")
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
