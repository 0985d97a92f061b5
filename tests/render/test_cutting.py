"""Texts that are cut or broken keep their words and numbers whole, and each number beside its unit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.render.columns import clipped
from bpftop.render.cutting import cut, words_to_wrap

NUMBERS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0, 999).map(lambda value: f"{value:.3g}").filter(lambda text: "e" not in text),
)
UNITS = st.sampled_from(["B", "ns", "%", "b/s", "packets", "SYN/s", "/s", "ms", "µs"])
QUANTITIES = st.builds(
    lambda number, prefix, unit: f"{number} {prefix}{unit}", NUMBERS, st.sampled_from(["", "k", "M", "G", "k "]), UNITS
)
WORDS = st.one_of(
    QUANTITIES, NUMBERS, st.text("abcdefghij", min_size=1, max_size=9), st.sampled_from(["·", "of", "in"])
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=9).flatmap(
    lambda words: st.lists(st.sampled_from([" ", " ", "   "]), min_size=len(words), max_size=len(words)).map(
        lambda gaps: "".join(word + gap for word, gap in zip(words, gaps, strict=True)).rstrip()
    )
)


@given(SENTENCES, st.integers(0, 40))
def test_a_cut_text_ends_with_a_whole_word_or_quantity(sentence: str, width: int) -> None:
    if len(sentence) > width:
        end, ellipsis = cut(sentence, width)
        kept, rest = sentence[:end], sentence[end:]
        assert end + len(ellipsis) <= max(1, width)
        assert kept == kept.rstrip()
        assert not re.search(r"\d( [kMGTP])?$", kept) or ellipsis == " …"
        first = sentence.split()[0]
        if len(first) <= width - 2 or first[0].isdigit():
            assert not kept or rest[0] == " "
        if re.search(r"(^|\s)\d+(\.\d+)?( [kMGTP])?$", kept):
            assert not re.match(r" (?:[kMGTP] ?)?(?:B|ns|%|b/s|packets|SYN/s|/s|ms|µs)", rest)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("SYN flood: 912 k SYN/s, 3 % accepted", 17, "SYN flood:…"),
        ("SYN flood: 912 k SYN/s, 3 % accepted", 25, "SYN flood: 912 k SYN/s,…"),
        ("28 of 30 checks active", 7, "28 of…"),
        ("lost 31 k in 5 min", 17, "lost 31 k in…"),
        ("9 ns a packet", 6, "9 ns…"),
        ("1234567 packets", 5, "…"),
        ("unbreakable", 5, "unbr…"),
        ("backlog 12, then nothing", 12, "backlog 12,…"),
        ("now      12  eth0", 13, "now      12 …"),
        ("now      12  eth0", 12, "now…"),
    ],
)
def test_where_a_text_is_cut(text: str, width: int, shown: str) -> None:
    assert clipped(text, width) == shown


@given(SENTENCES)
def test_a_sentence_is_broken_between_its_words(sentence: str) -> None:
    assert " ".join(words_to_wrap(sentence)) == " ".join(sentence.split())


@given(SENTENCES, st.integers(1, 40))
def test_a_clipped_cell_fits(sentence: str, width: int) -> None:
    cell = clipped(sentence, width)
    assert len(cell) <= width
    assert cell == sentence or cell.endswith("…")
