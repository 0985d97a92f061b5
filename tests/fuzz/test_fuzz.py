"""A short run of every target, the same inputs each time; `make fuzz` goes on with others."""

from __future__ import annotations

import pytest

from tests.fuzz.fuzzing import attempt, fuzz
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_of_the_corpus(name: str) -> None:
    corpus = TARGETS[name].corpus()
    assert corpus
    for content in corpus:
        attempt(TARGETS[name], content)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_inputs(name: str) -> None:
    fuzz(TARGETS[name], 60, 2026)
