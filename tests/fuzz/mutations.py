"""Edits of an input, as a hypothesis strategy: a failing input shrinks to few edits."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

WORDS = (
    b"", b"\0", b"\xff", b"-1", b"0", b"18446744073709551616", b"9" * 5000, b"1e999", b"NaN", b"null", b"[]", b"{}",
    b'"', b"\n", b"[" * 300, b"true", b"\xed\xb3\xbf", b"\\ud800", b": ", b"- ", b"*a", b"!!x ", b"2026-99-99",
    b"\x00\x00\x00\x00", b"\x04\x00", b"\xff\xff\xff\xff",
)  # fmt: skip

Edit = tuple[str, float, float, bytes]

edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.sampled_from(("replace", "insert", "delete", "copy", "cut", "flip")),
        st.floats(0, 1),
        st.floats(0, 1),
        st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)),
    ),
    max_size=6,
)


def mutated(seed: bytes, changes: Sequence[Edit]) -> bytes:
    """Return the input with the edits applied in order. Positions are shares of its length."""
    content = bytearray(seed)
    for kind, where, length, word in changes:
        at = int(where * len(content))
        end = min(len(content), at + 1 + int(length**8 * len(content)))  # mostly short
        if kind == "replace":
            content[at:end] = word
        elif kind == "insert":
            content[at:at] = word
        elif kind == "delete":
            del content[at:end]
        elif kind == "copy":
            content[at:at] = content[at:end]
        elif kind == "cut":
            del content[at:]
        elif at < len(content):
            content[at] ^= 1 << int(length * 7)
    return bytes(content)
