"""BTF: values decoded by types that clang wrote, and damaged BTF that ends in a sentence."""

from __future__ import annotations

import struct
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.model.bpf.btf import BadBtf, Btf

SOURCE = """
typedef unsigned long long u64;
enum color { RED, GREEN = 7 };
enum sign { MINUS = -3, PLUS = 3 };
struct inner { int a; unsigned short b[2]; };
union either { unsigned int word; unsigned char bytes[4]; };
struct row {
    u64 packets; const volatile signed int balance; char name[8]; enum color color; enum sign sign;
    struct inner inner[2];
    union either either; unsigned int low : 3; unsigned int high : 5; int small : 4; _Bool flag;
    double ratio; void *pointer;
    struct { int x; int y; };
};
struct row row_of_this = {0};
"""


@pytest.fixture(scope="module")
def btf(tmp_path_factory: pytest.TempPathFactory) -> Btf:
    """Return the types of SOURCE, as clang writes them for BPF."""
    folder = tmp_path_factory.mktemp("btf")
    (folder / "t.c").write_text(SOURCE)
    subprocess.run(["clang", "-target", "bpfel", "-g", "-O2", "-c", "t.c", "-o", "t.o"], cwd=folder, check=True)
    subprocess.run(["llvm-objcopy", "--dump-section", ".BTF=t.btf", "t.o"], cwd=folder, check=True)
    return Btf((folder / "t.btf").read_bytes())


def id_of(btf: Btf, name: str) -> int:
    return next(number for number, found in enumerate(btf.types) if found.name == name and found.kind in (4, 15))


def test_every_kind_of_member_is_decoded(btf: Btf) -> None:
    bits = 5 | 9 << 3 | (-2 & 0xF) << 8
    content = b"".join((
        struct.pack("<Qi8sii", 1 << 40, -5, b"eth0\0xyz", 7, -3),
        struct.pack("<iHHiHH", 1, 2, 3, -4, 5, 6),
        struct.pack("<IHB5x", 0x04030201, bits, 1),
        struct.pack("<dQii", 1.5, 0xFFFF0000, 10, -20),
    ))  # fmt: skip
    row = id_of(btf, "row")
    assert btf.size_bytes(row) == len(content)
    assert btf.decode(row, content) == {
        "packets": 1 << 40, "balance": -5, "name": "eth0", "color": "GREEN", "sign": "MINUS",
        "inner": [{"a": 1, "b": [2, 3]}, {"a": -4, "b": [5, 6]}],
        "either": {"word": 0x04030201, "bytes": [1, 2, 3, 4]}, "low": 5, "high": 9, "small": -2, "flag": True,
        "ratio": 1.5, "pointer": "0xffff0000", "x": 10, "y": -20,
    }  # fmt: skip


def test_unknown_values_of_an_enum_stay_numbers(btf: Btf) -> None:
    color = next(number for number, found in enumerate(btf.types) if found.name == "color")
    assert [btf.decode(color, struct.pack("<I", value)) for value in (0, 7, 8)] == ["RED", "GREEN", 8]


def test_a_value_that_is_too_short_is_a_sentence(btf: Btf) -> None:
    with pytest.raises(BadBtf, match="the value has 3 bytes, its type row has "):
        btf.decode(id_of(btf, "row"), b"abc")
    with pytest.raises(BadBtf, match="the BTF has no type 999999"):
        btf.decode(999_999, b"")


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"", "the BTF is shorter than its header"),
        (struct.pack("<HBBIIIII", 1, 1, 0, 24, 0, 0, 0, 0), "no magic number"),
        (struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 8, 8, 0) + bytes(8), "ends in the middle of a type"),
        (
            struct.pack("<HBBIIIIIIII", 0xEB9F, 1, 0, 24, 0, 12, 12, 0, 0, 4 << 24 | 9, 4),
            "ends in the middle of a type",
        ),
    ],
)
def test_damaged_btf_is_a_sentence(content: bytes, phrase: str) -> None:
    with pytest.raises(BadBtf, match=phrase):
        Btf(content)


def test_types_in_a_circle_are_a_sentence() -> None:
    types = struct.pack("<IIIIII", 0, 8 << 24, 2, 0, 8 << 24, 1)  # two typedefs of each other
    circle = Btf(struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), 0) + types)
    with pytest.raises(BadBtf, match="in a circle"):
        circle.decode(1, b"")
    array = struct.pack("<IIIIII", 0, 3 << 24, 0, 1, 1, 1)  # an array of itself
    nested = Btf(struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(array), len(array), 0) + array)
    with pytest.raises(BadBtf, match="nested too deeply"):
        nested.decode(1, bytes(64))


@given(st.data())
def test_mutated_btf_decodes_or_is_a_sentence(btf: Btf, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.binary(min_size=24, max_size=400)))
    content[:24] = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(content) - 24, 0, len(content) - 24)
    parsed = None
    with suppress(BadBtf):
        parsed = Btf(bytes(content))
    for type_id in range(0 if parsed is None else len(parsed.types)):
        assert parsed is not None
        with suppress(BadBtf):
            assert isinstance(parsed.decode(type_id, bytes(256)), int | float | str | list | dict)
