"""Sample lines from a file descriptor: good lines are samples, bad lines are counted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpftop.errors import BpftopError
from bpftop.store import line_source
from bpftop.store.encoding.sample_lines import sample_line
from bpftop.store.line_source import LineSource
from tests.store.made_up_machine import Machine
from tests.waiting import LIMIT_S

SAMPLES = list(Machine(cpus=1, protocols=2).samples(3))
LINES = [sample_line(sample).encode() for sample in SAMPLES]


def fed(chunks: Iterable[bytes]) -> LineSource:
    reader, writer = os.pipe()

    def feed() -> None:
        for chunk in chunks:
            os.write(writer, chunk)
        os.close(writer)

    threading.Thread(target=feed, daemon=True).start()
    return LineSource(reader)


def test_whole_lines_are_samples() -> None:
    source = fed(LINES)
    assert list(source.samples()) == SAMPLES
    assert source.skipped == 0


@given(st.lists(st.integers(1, 20_000), max_size=6))
def test_lines_may_come_in_any_chunks(sizes: list[int]) -> None:
    whole, chunks = b"".join(LINES), []
    for size in sizes:
        chunks.append(whole[:size])
        whole = whole[size:]
    assert list(fed([*chunks, whole]).samples()) == SAMPLES


def test_garbled_and_cut_lines_are_counted() -> None:
    source = fed([LINES[0][50:], LINES[0], b"\xff\x00 what?\n", b"\n", LINES[1], LINES[2][:-9]])
    assert list(source.samples()) == SAMPLES[:2]
    assert source.skipped == 3
    assert "it is no JSON" in source.why


def test_last_line_needs_no_newline() -> None:
    assert list(fed([LINES[0], LINES[1].rstrip()]).samples()) == SAMPLES[:2]


def test_too_long_line_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_source, "LINE_MAX_BYTES", 100_000)
    source = fed([LINES[0], b"x" * 60_000, b"x" * 60_000, b"x" * 60_000, b"\n", LINES[1], b"x" * 120_000])
    assert list(source.samples()) == SAMPLES[:2]
    assert source.skipped == 2
    assert "it is longer than" in source.why


@pytest.mark.parametrize("garbage", [b"y\n" * 2000, b"\0" * 200_000], ids=["yes", "zeros"])
def test_endless_input_without_samples_ends(monkeypatch: pytest.MonkeyPatch, garbage: bytes) -> None:
    monkeypatch.setattr(line_source, "LINE_MAX_BYTES", 100_000)
    reader, writer = os.pipe()
    threading.Thread(target=os.write, args=(writer, garbage), daemon=True).start()
    with pytest.raises(BpftopError, match="standard input held no sample"):
        list(LineSource(reader).samples())  # though the input has not ended
    os.close(reader)
    os.close(writer)


def test_input_without_samples_is_an_error() -> None:
    with pytest.raises(
        BpftopError, match=r"held no sample: of its 2 lines .* pipe `bpftop watch IFACE --format samples`"
    ):
        list(fed([b"hello\nworld\n"]).samples())


def test_close_ends_a_wait_for_input() -> None:
    reader, writer = os.pipe()
    source = LineSource(reader)
    ended = threading.Event()

    def take() -> None:
        list(source.samples())
        ended.set()

    threading.Thread(target=take, daemon=True).start()
    source.close()
    assert ended.wait(LIMIT_S)
    os.close(writer)
