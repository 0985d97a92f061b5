"""BTF, the description of types that the kernel keeps for BPF objects, parsed from its bytes to decode keys and values.

Format: Documentation/bpf/btf.rst of Linux 6.18. BTF comes from whoever loaded the object, so every offset, size and
depth is checked, and the number of values is bounded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from bpftop.fields import frozen

BtfValue = int | float | bool | str | list["BtfValue"] | dict[str, "BtfValue"]
"""A decoded value: structs and unions are dictionaries, arrays are lists, text of char arrays and names of enums are
strings."""

_MAGIC = 0xEB9F
_DEPTH_MAX = 32
_VALUES_MAX = 100_000
"""Most values that one decoded value can consist of."""
_MODIFIERS = frozenset({8, 9, 10, 11, 18})  # typedef, volatile, const, restrict, type tag
_EXTRA_BYTES = {1: 4, 3: 12, 14: 4, 17: 4}
"""Kind -> bytes behind the record: INT, ARRAY, VAR, DECL_TAG."""
_EXTRA_BYTES_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""Kind -> bytes behind the record for each member: STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64."""
_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _VAR, _DATASEC, _FLOAT, _ENUM64 = 1, 2, 3, 4, 5, 6, 14, 15, 16, 19
_SIGNED, _BOOL = 1, 4


class BadBtf(ValueError):
    """The BTF is damaged, or a value does not fit its type. The text is a phrase for a person."""


@frozen
class _Member:
    """A member of a struct or union, or a variable of a section, whose name is in its own type.

    ``bits`` is 0 unless the member is a bitfield.
    """

    name: str
    type_id: int
    bit_offset: int
    bits: int = 0


@frozen
class BtfType:
    """One type. ``size`` is in bytes for sized kinds; ``type_id`` the type that it refers to."""

    kind: int
    name: str
    size: int
    type_id: int
    members: tuple[_Member, ...] = ()
    names: Mapping[int, str] | None = None
    encoding: int = 0
    count: int = 0


class Btf:
    """All types of one BTF, by id; id 0 is void."""

    def __init__(self, content: bytes) -> None:
        """Parse. Raises BadBtf."""
        try:
            magic, _, _, header_bytes, type_at, type_bytes, text_at, text_bytes = struct.unpack_from(
                "<HBBIIIII", content
            )
        except struct.error:
            raise BadBtf("the BTF is shorter than its header") from None
        if magic != _MAGIC:
            raise BadBtf("the BTF has no magic number of little endian BTF")
        self._texts = content[header_bytes + text_at :][:text_bytes]
        records = content[header_bytes + type_at :][:type_bytes]
        try:
            self.types = (BtfType(0, "void", 0, 0), *self._parse(records))
        except (struct.error, IndexError):
            raise BadBtf("the BTF ends in the middle of a type") from None

    def text(self, offset: int) -> str:
        """Return the text at an offset: a name, or a source line; empty where there is none."""
        end = self._texts.find(b"\0", offset)
        return self._texts[offset:end].decode(errors="replace") if end >= 0 else ""

    def _parse(self, records: bytes) -> Iterator[BtfType]:
        at = 0
        while at < len(records):
            name_at, info, size = struct.unpack_from("<III", records, at)
            kind, count, flag = info >> 24 & 0x1F, info & 0xFFFF, bool(info >> 31)
            at += 12
            more = _EXTRA_BYTES.get(kind, 0) + count * _EXTRA_BYTES_EACH.get(kind, 0)
            extra = records[at : at + more]
            if len(extra) < more:
                raise IndexError
            at += more
            yield self._type(kind, self.text(name_at), size, count, flag, extra)

    def _type(self, kind: int, name: str, size: int, count: int, flag: bool, extra: bytes) -> BtfType:
        if kind == _INT:
            word = struct.unpack("<I", extra)[0]
            return BtfType(kind, name, size, 0, encoding=word >> 24 & 0xF)
        if kind == _ARRAY:
            element, _, length = struct.unpack("<III", extra)
            return BtfType(kind, name, 0, element, count=length)
        if kind in (_STRUCT, _UNION):
            parts = [struct.unpack_from("<III", extra, 12 * each) for each in range(count)]
            return BtfType(kind, name, size, 0, tuple(self._member(*part, flag=flag) for part in parts))
        if kind == _DATASEC:
            parts = [struct.unpack_from("<III", extra, 12 * each) for each in range(count)]
            variables = (_Member("", variable, offset * 8) for variable, offset, _ in parts)
            return BtfType(kind, name, size, 0, tuple(variables))
        if kind == _ENUM:
            code = "<Ii" if flag else "<II"
            names = {value: self.text(name_at) for name_at, value in struct.iter_unpack(code, extra)}
            return BtfType(kind, name, size, 0, names=names, encoding=_SIGNED if flag else 0)
        if kind == _ENUM64:
            values = ((low | high << 32, name_at) for name_at, low, high in struct.iter_unpack("<III", extra))
            return BtfType(kind, name, size, 0, names={value: self.text(name_at) for value, name_at in values})
        if kind == _FLOAT:
            return BtfType(kind, name, size, 0)
        return BtfType(kind, name, 0, size)

    def _member(self, name_at: int, type_id: int, offset: int, *, flag: bool) -> _Member:
        if flag:  # the struct has bitfields: the upper byte of each offset is the number of bits
            return _Member(self.text(name_at), type_id, offset & 0xFFFFFF, offset >> 24)
        return _Member(self.text(name_at), type_id, offset)

    def resolved(self, type_id: int) -> BtfType:
        """Return the type behind typedefs and qualifiers. Raises BadBtf."""
        for _ in range(_DEPTH_MAX):
            if not 0 <= type_id < len(self.types):
                raise BadBtf(f"the BTF has no type {type_id}")
            found = self.types[type_id]
            if found.kind not in _MODIFIERS and found.kind != _VAR:
                return found
            type_id = found.type_id
        raise BadBtf("types of the BTF refer to each other in a circle")

    def size_bytes(self, type_id: int, depth: int = 0) -> int:
        """Return the size of a type. Raises BadBtf."""
        found = self.resolved(type_id)
        if depth > _DEPTH_MAX:
            raise BadBtf("types of the BTF are nested too deeply")
        if found.kind == _ARRAY:
            return found.count * self.size_bytes(found.type_id, depth + 1)
        return 8 if found.kind == _PTR else found.size

    def decode(self, type_id: int, content: bytes) -> BtfValue:
        """Decode a value. Raises BadBtf if the bytes are too few, or the types are damaged."""
        self._values_left = _VALUES_MAX
        return self._decode(type_id, content, 0)

    def _decode(self, type_id: int, content: bytes, depth: int) -> BtfValue:
        found = self.resolved(type_id)
        self._values_left -= 1
        if depth > _DEPTH_MAX or self._values_left < 0:
            raise BadBtf("types of the BTF are nested too deeply, or too large")
        if found.kind == _ARRAY:
            return self._array(found, content, depth)
        size = self.size_bytes(type_id)
        if len(content) < size:
            raise BadBtf(f"the value has {len(content)} bytes, its type {found.name or 'without a name'} has {size}")
        if found.kind in (_STRUCT, _UNION, _DATASEC):
            return self._struct(found, content, depth)
        if found.kind == _FLOAT and size in (4, 8):
            return float(struct.unpack("<f" if size == 4 else "<d", content[:size])[0])
        if found.kind == _PTR:
            return f"0x{int.from_bytes(content[:size], 'little'):x}"
        if found.kind in (_INT, _ENUM, _ENUM64):
            return _number(found, int.from_bytes(content[:size], "little"), 8 * size)
        return content[:size].hex()

    def _array(self, found: BtfType, content: bytes, depth: int) -> BtfValue:
        size = self.size_bytes(found.type_id)
        element = self.resolved(found.type_id)
        if found.count * size > len(content):
            raise BadBtf(f"the value has {len(content)} bytes, its array {found.count * size}")
        if element.kind == _INT and size == 1 and element.name == "char":
            text = content[: found.count].split(b"\0", 1)[0]
            if text.isascii() and (not text or text.decode().isprintable()):
                return text.decode()
        if found.count > self._values_left:
            raise BadBtf("types of the BTF are nested too deeply, or too large")
        parts = (content[at * size : (at + 1) * size] for at in range(found.count))
        return [self._decode(found.type_id, part, depth + 1) for part in parts]

    def _struct(self, found: BtfType, content: bytes, depth: int) -> dict[str, BtfValue]:
        value: dict[str, BtfValue] = {}
        for number, member in enumerate(found.members):
            name = self.types[member.type_id].name if found.kind == _DATASEC else member.name
            if member.bits:
                target = self.resolved(member.type_id)
                word = int.from_bytes(content, "little") >> member.bit_offset & (1 << member.bits) - 1
                value[name or f"#{number}"] = _number(target, word, member.bits)
                continue
            decoded = self._decode(member.type_id, content[member.bit_offset // 8 :], depth + 1)
            if not name and isinstance(decoded, dict):  # members of an unnamed struct are named like those around it
                value.update(decoded)
            else:
                value[name or f"#{number}"] = decoded
        return value


def _number(found: BtfType, word: int, bits: int) -> BtfValue:
    """Return an integer of ``bits`` bits as its type says: a bool, a number, or the name of an enum's value."""
    if found.encoding & _SIGNED and word >> bits - 1:
        word -= 1 << bits
    if found.names is not None:
        return found.names.get(word, word)
    return bool(word) if found.encoding & _BOOL else word
