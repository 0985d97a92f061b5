"""A test that the machine cannot run is skipped with one sentence, and fails where CI requires everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = """
import pytest

@pytest.mark.needs("sh", "bpftop-no-such-program")
def test_lacks_a_program(): pass

@pytest.fixture
def refused(): pytest.skip("the kernel refuses")

def test_lacks_a_fixture(refused): pass

@pytest.mark.needs("sh")
def test_lacks_nothing(): pass
"""


@pytest.mark.parametrize("required", [False, True])
def test_a_missing_requirement_skips_or_fails(required: bool, tmp_path: Path) -> None:
    cases = tmp_path / "test_cases.py"
    cases.write_text(CASES)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml"),
            *(f"--rootdir={tmp_path}", "-rsf", cases),
        ],
        env={**os.environ, "BPFTOP_REQUIRE_BPF": str(int(required)), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert f"1 passed, 2 {'errors' if required else 'skipped'} in" in done.stdout, done.stdout
    begin = "BPFTOP_REQUIRE_BPF=1, but the test was skipped: " if required else ""
    assert f"{begin}there is no bpftop-no-such-program here; contrib/system-packages test installs" in done.stdout
    assert f"{begin}the kernel refuses" in done.stdout
