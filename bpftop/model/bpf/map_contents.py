"""Entries of a BPF map in words: decoded by BTF or as hexadecimal bytes, summed over CPUs, filtered and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bpftop.fields import frozen
from bpftop.model.bpf.btf import BadBtf, Btf, BtfValue


@frozen
class EntryRow:
    """An entry. ``value`` is the map's value, or the sum over the CPUs; ``per_cpu`` has a value per possible CPU.

    Numbers are added up; text and names of enums come from the first CPU. ``per_sec`` has the change of each number
    since an earlier reading, by its path: ``cells.0.packets``.
    """

    key: BtfValue
    value: BtfValue
    per_cpu: tuple[BtfValue, ...] = ()
    per_sec: tuple[tuple[str, float], ...] = ()


REFERENCES = {"hash_of_maps": "map_id", "array_of_maps": "map_id", "prog_array": "prog_id"}
"""Type of a map whose values are ids of other objects -> what the ids are called."""


def decode_entry(
    key: bytes, values: Sequence[bytes], btf: Btf | None, key_type: int, value_type: int, reference: str = ""
) -> EntryRow:
    """Decode an entry; bytes that no type describes become hexadecimal text.

    ``reference`` is the name of the id that each value is, from REFERENCES; empty: the values are no ids.
    """
    if reference:
        return EntryRow(_decode(key, btf, key_type), {reference: int.from_bytes(values[0], "little")})
    decoded = tuple(_decode(value, btf, value_type) for value in values)
    total = decoded[0] if len(decoded) == 1 else add_values(decoded)
    return EntryRow(_decode(key, btf, key_type), total, decoded if len(decoded) > 1 else ())


def _decode(content: bytes, btf: Btf | None, type_id: int) -> BtfValue:
    if btf is not None and type_id:
        try:
            return btf.decode(type_id, content)
        except BadBtf:
            pass
    return content.hex(" ")


def add_values(values: Sequence[BtfValue]) -> BtfValue:
    """Add up values of one shape, number by number."""
    first = values[0]
    if isinstance(first, bool | str):
        return first
    if isinstance(first, dict):
        return {name: add_values([v[name] for v in values if isinstance(v, dict)]) for name in first}
    if isinstance(first, list):
        columns = zip(*(v for v in values if isinstance(v, list)), strict=True)
        return [add_values(column) for column in columns]
    return sum(v for v in values if isinstance(v, int | float))


def leaves(value: BtfValue, path: str = "") -> Iterator[tuple[str, float | str]]:
    """Yield the numbers and texts in a value with their paths: ``cells.0.packets``; a bare one is called ``value``."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from leaves(part, f"{path}.{index}" if path else str(index))
    else:
        yield path or "value", str(value) if isinstance(value, bool) else value


def numbers(value: BtfValue) -> dict[str, float]:
    """Return the numbers in a value by their paths."""
    return {path: leaf for path, leaf in leaves(value) if not isinstance(leaf, str)}


def with_rates(before: Iterable[EntryRow], after: Iterable[EntryRow], elapsed_ns: int) -> list[EntryRow]:
    """Return the rows with the change per second of each number, for the keys that both readings have."""
    earlier = {repr(row.key): numbers(row.value) for row in before}
    rows = []
    for row in after:
        then = earlier.get(repr(row.key), {})
        rates = [
            (path, (now - then[path]) / elapsed_ns * 1e9) for path, now in numbers(row.value).items() if path in then
        ]
        rows.append(EntryRow(row.key, row.value, row.per_cpu, tuple(rates)))
    return rows


def text_of(value: BtfValue) -> str:
    """Write a value in one line: ``packets=12 bytes=3456``; lists in brackets, text as it is."""
    if isinstance(value, dict):
        parts = (f"{name}={_nested(part)}" for name, part in value.items())
        return " ".join(parts)
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    return str(value)


def _nested(value: BtfValue) -> str:
    return f"{{{text_of(value)}}}" if isinstance(value, dict) else text_of(value)


def matching(rows: Iterable[EntryRow], text: str) -> list[EntryRow]:
    """Return the rows whose key or value contains the text, without regard to case."""
    wanted = text.casefold()
    return [row for row in rows if wanted in f"{text_of(row.key)} {text_of(row.value)}".casefold()]


def sorted_by(rows: Iterable[EntryRow], field: str) -> list[EntryRow]:
    """Sort by a number of the value, the largest first; rows without that number come last."""
    return sorted(rows, key=lambda row: -numbers(row.value).get(field, float("-inf")))
