"""The C of the extension on the inputs that were found so far, and on changes of them, under sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import c_targets
from tests.fuzz.c_targets import NAMES, SANITIZED, Finding, build, inputs, run_inputs

OVERFLOW = """
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	volatile uint8_t *copy = malloc(size);
	copy[size] = bytes[0];
	free((void *)copy);
	return 0;
}
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("c"), SANITIZED, NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_and_changes_of_them(name: str, programs: dict[str, Path], tmp_path: Path) -> None:
    assert run_inputs(name, programs[name], tmp_path, 50) == 51 * len(inputs(name))


def test_a_write_behind_the_end_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "overflow.c").write_text(OVERFLOW)
    (tmp_path / "overflow.inputs").write_text("00\n")
    for name in ("run_inputs.c", "fake_kernel.c", "fake_kernel.h", "input.h"):
        (tmp_path / name).symlink_to(c_targets.FOLDER / name)
    monkeypatch.setattr(c_targets, "FOLDER", tmp_path)
    (tmp_path / "built").mkdir()
    program = build(tmp_path / "built", SANITIZED, ["overflow"])["overflow"]
    with pytest.raises(Finding, match="heap-buffer-overflow"):
        run_inputs("overflow", program, tmp_path, 0)
