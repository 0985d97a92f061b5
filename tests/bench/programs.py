"""Commands and environment of the compared programs, and patterns of a screen with rates."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

CHARACTERS = re.compile(r"(?:\S\s*){80}")
"""Something is on the screen: 80 characters."""

_RATE = r"(?:[1-9][\d.]*|0\.\d*[1-9]\d*)"
RATES = re.compile(rf"\bRX +{_RATE} ?[kMG]?pps +{_RATE} ?[kMG]?b/s.*^(?:TCP|UDP) +{_RATE} ", re.MULTILINE | re.DOTALL)
"""Real rates are on the screen: packets and bits of the RX line, and a protocol's packets."""


def python(*words: str) -> list[str]:
    return [sys.executable, *words]


def bpftop(*words: str) -> list[str]:
    """Return the command as it was installed beside this Python; without one, the package of this checkout."""
    installed = Path(sys.executable).with_name("bpftop")
    return [str(installed), *words] if installed.exists() else python("-m", "bpftop.cli", *words)


def environment(scratch: str) -> dict[str, str]:
    """Return an environment: a terminal with all colours, no configuration of anybody's, and byte code in ``scratch``.

    make runs the bench through sudo without writing byte code; a program that is compiled anew at every start would be
    measured slower than what people have.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG_", "NO_COLOR"))}
    return {
        **kept,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "PYTHONPYCACHEPREFIX": scratch,
        "XDG_CONFIG_HOME": scratch,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
