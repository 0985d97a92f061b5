"""Real faults and healthy traffic in namespaces, and what bpftop says of them: `make faults`.

Everything takes about 70 minutes: the faults 23 (each of them after some quiet, from its middle, and until it has
cleared), the healthy traffic 47 (each kind after 20 s of idleness, 60 s, and 60 s from its middle). It needs root and a
machine that does little else: some rules look at the whole host. Times come from the samples. Exit code 1: a fault
was not found in 5 s or not cleared in 15 s, or something was found that is not there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.healthy import HEALTHY
from tests.faults.scenarios import FAULTS
from tests.faults.suite.calm import Calm, stay_calm
from tests.faults.suite.measured import calm_table, fault_table, machine_words, write
from tests.faults.suite.trial import Outcome, provoke

PARTS = {"faults": [kind.id for kind in FAULTS], "healthy": [kind.id for kind in HEALTHY]}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.faults",
        description=__doc__,
        epilog="\n".join(f"{part}: {', '.join(names)}" for part, names in PARTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="faults, healthy, or some of them by id (default: all)"
    )
    parser.add_argument("--write", metavar="FILE", type=Path, help="put the figures into this JSON file, too")
    chosen = parser.parse_args(arguments)
    known = {*PARTS, *PARTS["faults"], *PARTS["healthy"]}
    for name in chosen.names:
        if name not in known:
            parser.error(f"nothing is called {name}; there are faults, healthy, and what --help lists")
    if os.geteuid() != 0:
        print("faults: namespaces and BPF programs need root; run it with sudo", file=sys.stderr)
        return 1
    names = {one for name in chosen.names or PARTS for one in PARTS.get(name, [name])}
    try:
        return _run(names, chosen.write)
    except KeyboardInterrupt:
        return 130


def _run(names: set[str], path: Path | None) -> int:
    begin_s = time.monotonic()
    faults: list[Outcome] = []
    healthy: list[Calm] = []
    complaints: list[str] = []
    for kind in FAULTS:
        if kind.id in names:
            faults.append(outcome := provoke(kind))
            complaints += _told(kind.id, outcome.complaints, outcome.said)
    for calm_kind in HEALTHY:
        if calm_kind.id in names:
            healthy.append(calm := stay_calm(calm_kind))
            complaints += _told(calm_kind.id, calm.complaints, "; ".join(calm.remarks) or "nothing said")
    if path is not None:
        write(path, faults, healthy)
    print(f"{machine_words()}; took {time.monotonic() - begin_s:.0f} s")
    if faults:
        print("", fault_table(faults, whole=len(faults) == len(FAULTS)), sep="\n")
    if healthy:
        print("", calm_table(healthy), sep="\n")
    print("\nall as promised" if not complaints else "\nNOT as promised:\n" + "\n".join(complaints))
    return int(bool(complaints))


def _told(name: str, complaints: Sequence[str], said: str) -> list[str]:
    """Say at once how it went, and hand the complaints back with their name."""
    named = [f"{name}: {complaint}" for complaint in complaints]
    for line in named or [f"{name}: ok ({said})"]:
        print(f"faults: {line}", file=sys.stderr, flush=True)
    return named


if __name__ == "__main__":
    sys.exit(main())
