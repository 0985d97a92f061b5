"""Fuzz every target in turn for some minutes: ``python -m tests.fuzz [MINUTES]``. Findings are added to the inputs.

A fifth of the time is for the C of the extension, by libFuzzer, the rest for the parsers in Python.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz import c_targets
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.targets import CORPUS, TARGETS

_EXAMPLES = 300


def main(minutes: float) -> int:
    """Return 1 if there was a finding."""
    end_s = time.monotonic() + 60 * minutes
    findings = _fuzz_c(60 * minutes / 5)
    findings += _fuzz_python(end_s)
    print(findings, "findings")
    return bool(findings)


def _fuzz_c(seconds: float) -> int:
    findings, names = 0, c_targets.NAMES
    with tempfile.TemporaryDirectory(prefix="bpftop-fuzz-") as scratch:
        folder = Path(scratch)
        for name, program in c_targets.build(folder, c_targets.LIBFUZZER, names).items():
            try:
                print(f"{name}.c:", c_targets.fuzz(name, program, folder, seconds / len(names)), "inputs tried")
            except c_targets.Finding as finding:
                print(f"{finding}\n{name}.c: a finding, added to {name}.inputs", file=sys.stderr)
                findings += 1
    return findings


def _fuzz_python(end_s: float) -> int:
    number, findings = time.time_ns() % 1_000_000, 0
    tried = dict.fromkeys(TARGETS, 0)
    failed: set[str] = set()
    while time.monotonic() < end_s and len(failed) < len(TARGETS):
        for name in TARGETS.keys() - failed:
            number += 1
            try:
                fuzz(TARGETS[name], _EXAMPLES, number)
            except Exception as error:  # noqa: BLE001 a finding
                traceback.print_exc()
                content = error.args[-1] if error.args and isinstance(error.args[-1], bytes) else b""
                path = CORPUS / f"{name}.{hashlib.sha256(content).hexdigest()[:12]}"
                path.write_bytes(content)
                print(f"{name}: {type(error).__name__}, input written to {path}")
                failed.add(name)
                findings += 1
            tried[name] += _EXAMPLES
            if time.monotonic() > end_s:
                break
    print(", ".join(f"{name} {count}" for name, count in sorted(tried.items())), "inputs tried")
    return findings


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5))
