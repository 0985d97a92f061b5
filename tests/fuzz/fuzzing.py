"""One run of hypothesis over a target."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import Edit, edits, mutated
from tests.fuzz.targets import Target


def attempt(target: Target, content: bytes) -> None:
    """Parse an input in an empty folder. Raises any error but a refusal."""
    base = Path(tempfile.mkdtemp(prefix="bpftop-fuzz-"))
    folder = base / "bpftop"
    folder.mkdir()
    try:
        target.parse(content, folder)
    except target.refusals:
        pass
    finally:
        shutil.rmtree(base)


def fuzz(target: Target, examples: int, number: int) -> None:
    """Try mutated inputs, the same for the same ``number``. Raises an error that is no refusal, after shrinking."""
    corpus = target.corpus()

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(st.integers(0, len(corpus) - 1), edits)
    def run(position: int, changes: list[Edit]) -> None:
        content = mutated(corpus[position], changes)
        run.__dict__["content"] = content
        attempt(target, content)

    try:
        run()
    except Exception as error:
        error.args = (*error.args, getattr(run, "content", b""))
        raise
