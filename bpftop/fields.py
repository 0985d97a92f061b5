"""Classes of named fields, as dataclasses make them, but cheap to define.

A dataclass compiles up to six methods, 0.4 ms of CPU time, and the module dataclasses imports inspect, ast and dis:
together more than a third of what the imports of ``bpftop snapshot`` took (Python 3.11, Zen 3). Here all classes share
their methods. ``replace``, ``fields`` and ``is_dataclass`` of the standard library work on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import field as field
    from dataclasses import replace as replace

    from typing_extensions import dataclass_transform

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def frozen(cls: type[T]) -> type[T]: ...

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def frozen_often(cls: type[T]) -> type[T]: ...

    @dataclass_transform(field_specifiers=(field,))
    def mutable(cls: type[T]) -> type[T]: ...

else:

    def frozen(cls):
        """Give a class of fields, which nobody can assign, the methods of a dataclass."""
        return _with_methods(cls, _FROZEN_METHODS)

    def frozen_often(cls):
        """Give a class, of which a tick makes hundreds, the methods of ``frozen`` and a constructor of its own.

        It takes 0.1 ms to compile, and each instance a third of the time. It sets field by field: an instance of four
        fields without a dictionary of its own takes 105 bytes and not 240 (Python 3.11).
        """
        _with_methods(cls, _FROZEN_METHODS)
        cls.__init__ = _compiled_init(cls.__fields__)
        return cls

    def mutable(cls):
        """Give a class of fields the methods of a dataclass."""
        return _with_methods(cls, _METHODS)

    def field(*, default_factory=None, repr=True):
        """Mark a field in a class body: with a default that is made anew, or left out of the text of repr()."""
        return _Field(default_factory, repr)

    def replace(instance, **changes):
        """Return a copy with other values in some fields."""
        kept = {name: getattr(instance, name) for name in instance.__fields__.names if name not in changes}
        return type(instance)(**kept, **changes)


class computed_once(Generic[T]):
    """A property that is computed at its first access, and kept in the instance, without a dictionary of its own.

    If the class has a slot ``_NAME`` for the property, it is kept there. functools.cached_property makes a dictionary,
    340 bytes for a reading, and takes a lock (Python 3.11).
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.has_slot = isinstance(getattr(owner, f"_{name}", None), MemberDescriptorType)
        self._name = f"_{name}" if self.has_slot else name

    @overload
    def __get__(self, instance: None, owner: type) -> computed_once[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> computed_once[T] | T:
        if instance is None:
            return self
        if self.has_slot:
            try:
                return cast("T", getattr(instance, self._name))
            except AttributeError:  # first access
                pass
        value = self._compute(instance)
        _set(instance, self._name, value)  # without a slot, it is found before this object from now on
        return value


class _Field:
    def __init__(self, default_factory: Callable[[], Any] | None, shown: bool) -> None:
        self.default_factory, self.shown = default_factory, shown


class _Fields:
    """The fields of a class: names in order, defaults, functions that make a default, and names that repr() shows."""

    def __init__(self, cls: type) -> None:
        base: _Fields | None = getattr(cls, "__fields__", None)
        self.names: tuple[str, ...] = tuple(dict.fromkeys((*(base.names if base else ()), *cls.__annotations__)))
        self.defaults: dict[str, Any] = dict(base.defaults) if base else {}
        self.factories: dict[str, Callable[[], Any]] = dict(base.factories) if base else {}
        shown: dict[str, None] = dict.fromkeys(base.shown if base else ())
        for name in cls.__annotations__:
            default = cls.__dict__.get(name, _NO_DEFAULT)
            if isinstance(default, _Field):
                delattr(cls, name)
                if default.default_factory is not None:
                    self.factories[name] = default.default_factory
            elif default is not _NO_DEFAULT:
                self.defaults[name] = default
            if not isinstance(default, _Field) or default.shown:
                shown[name] = None
        self.shown: tuple[str, ...] = tuple(shown)
        self.all = frozenset(self.names)
        self.values = attrgetter(*self.names)

    def completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with the defaults of absent fields. Raises TypeError for too few fields and for others."""
        values = {**self.defaults, **values}
        for name, make in self.factories.items():
            if name not in values:
                values[name] = make()
        if values.keys() != self.all:
            missing = [name for name in self.names if name not in values]
            unknown = [name for name in values if name not in self.all]
            raise TypeError(f"missing fields: {missing}, unknown fields: {unknown}")
        return values


class _StandardFields:
    """The attribute by which the standard library knows a dataclass. It is made at its first use."""

    def __get__(self, _: object, cls: Any) -> Mapping[str, Any]:
        import dataclasses

        fields: _Fields = cls.__fields__
        body: dict[str, Any] = {"__annotations__": dict.fromkeys(fields.names, Any), **fields.defaults}
        for name, make in fields.factories.items():
            body[name] = dataclasses.field(default_factory=make)
        like: Any = dataclasses.dataclass(init=False, repr=False, eq=False)(type(cls.__name__, (), body))
        made: Mapping[str, Any] = like.__dataclass_fields__
        cls.__dataclass_fields__ = made
        return made


_NO_DEFAULT = object()
_set = object.__setattr__


def field_names(value: object) -> tuple[str, ...]:
    """Return the names of the fields of an instance or a class, also of a dataclass; none where there are no fields."""
    fields: _Fields | None = getattr(value, "__fields__", None)
    return tuple(getattr(value, "__dataclass_fields__", ())) if fields is None else fields.names


def _with_methods(cls: Any, methods: Mapping[str, Callable[..., Any] | None]) -> Any:
    """Set the methods that the class does not define itself."""
    own = set(cls.__dict__)
    cls.__fields__ = _Fields(cls)
    cls.__dataclass_fields__ = _STANDARD_FIELDS
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    _share_names(cls)
    return cls


def _share_names(cls: Any) -> None:
    """Enter the names of the properties that are computed once into the table of names that all instances share.

    Python fills that table with the first instances and closes it. An instance whose property has no place in it gets a
    dictionary of its own at the first access: 480 bytes for a reading (Python 3.11).
    """
    computed = [name for name, value in cls.__dict__.items() if isinstance(value, computed_once) and not value.has_slot]
    if computed:
        first = object.__new__(cls)
        for name in (*cls.__fields__.names, *computed):
            _set(first, name, None)


def _init(self: Any, *args: Any, **values: Any) -> None:
    fields: _Fields = self.__fields__
    if args:
        if len(args) == len(fields.names) and not values:  # the commonest call, in half of the time
            _set(self, "__dict__", dict(zip(fields.names, args)))  # noqa: B905 a keyword takes as long as the rest
            return
        given = len(args) + len(values)
        values.update(zip(fields.names, args, strict=False))
        if given != len(values):
            raise TypeError(f"{type(self).__name__} has the fields {fields.names}; one was given twice, or too many")
    if values.keys() != fields.all:
        values = fields.completed(values)
    _set(self, "__dict__", values)  # one call for all fields, which nobody can set singly


def _compiled_init(fields: _Fields) -> Callable[..., None]:
    """Compile a constructor with a parameter for each field."""
    names: dict[str, Any] = {"_set": _set, "_absent": _NO_DEFAULT}
    parameters, values = [], []
    for name in fields.names:
        parameter, value = name, name
        if name in fields.factories:
            names[f"_make_{name}"] = fields.factories[name]
            parameter, value = f"{name}=_absent", f"_make_{name}() if {name} is _absent else {name}"
        elif name in fields.defaults:
            names[f"_default_{name}"] = fields.defaults[name]
            parameter = f"{name}=_default_{name}"
        parameters.append(parameter)
        values.append(f"    _set(self, {name!r}, {value})\n")
    source = f"def __init__(self, {', '.join(parameters)}):\n{''.join(values)}"
    exec(source, names)  # nothing but names of fields is in it
    compiled: Callable[..., None] = names["__init__"]
    return compiled


def _repr(self: Any) -> str:
    text = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__fields__.shown)
    return f"{type(self).__qualname__}({text})"


def _eq(self: Any, other: Any) -> Any:
    values = self.__fields__.values
    return values(self) == values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__fields__.values(self))


def _setattr(self: Any, name: str, _: Any) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")


def _delattr(self: Any, name: str) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")


_METHODS: Mapping[str, Callable[..., Any] | None] = {
    "__init__": _init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": None,
}
_FROZEN_METHODS = {**_METHODS, "__hash__": _hash, "__setattr__": _setattr, "__delattr__": _delattr}
_STANDARD_FIELDS = _StandardFields()
