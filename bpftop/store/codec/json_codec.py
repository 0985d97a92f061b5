"""Dataclasses of the model <-> what JSON can hold, by their type hints: a new field needs no line here."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bpftop.errors import BpftopError

T = TypeVar("T")


class Mismatch(BpftopError):
    """A value that is not of the type it has to be, as a sentence that begins with its place."""


def plain(value: Any) -> Any:
    """What ``json.dumps`` takes; dataclasses become objects, sets sorted lists."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    return sorted(value) if isinstance(value, frozenset) else value


def typed(kind: type[T], value: Any, where: str) -> T:
    """The reverse of ``plain``. Every field has to be there, but those with a default; others are refused.

    Raises Mismatch; ``where`` is what the value is called in its sentence.
    """
    made: T = _typed(kind, value, where)
    return made


def _typed(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _object(kind, value, where)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _typed(next(one for one in arguments if one is not type(None)), value, where)
    if origin is Literal:
        if value not in arguments:
            raise Mismatch(f"{where} is {_shown(value)} and not one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return tuple(_typed(arguments[0], one, where) for one in _of(list, value, where))
    if origin is not None and issubclass(origin, Mapping):
        pairs = _of(dict, value, where).items()
        return {_key(arguments[0], key, where): _typed(arguments[1], one, f"{where}.{key}") for key, one in pairs}
    if kind is float and type(value) is int:
        return float(value)
    return _of(kind, value, where)


def _object(kind: Any, value: Any, where: str) -> Any:
    given = _of(dict, value, where)
    hints = _hints(kind)
    unknown = given.keys() - hints.keys()
    if unknown:
        raise Mismatch(f"{where} has a field {_shown(min(unknown))} that this version does not know")
    try:
        return kind(**{name: _typed(hints[name], one, f"{where}.{name}") for name, one in given.items()})
    except TypeError as error:
        raise Mismatch(f"{where} lacks a field: {error}") from error


def _key(kind: Any, key: str, where: str) -> Any:
    if kind is int:
        if not key.isdecimal():
            raise Mismatch(f"{where} has the key {_shown(key)}, which is no number")
        return int(key)
    return _typed(kind, key, where)


def _of(kind: Any, value: Any, where: str) -> Any:
    if type(value) is not kind:  # a bool is no int here
        raise Mismatch(f"{where} is {_shown(value)} and no {kind.__name__}")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
