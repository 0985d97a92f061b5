"""The jobs of a booted root for the units of the package: ``count`` and ``purge``. Needs the standard library alone."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

from tests.waiting import until

UNITS = ("bpftop-export@lo", "bpftop-record@lo")
RECORDING = Path("/var/lib/bpftop/lo.bpftop")
COUNTED = re.compile(r'^bpftop_protocol_packets_total\{direction="rx",interface="lo",.*\} ([1-9]\d*)', re.MULTILINE)


def counted() -> list[str]:
    """Return the packets of each protocol on lo: the scrapes themselves are TCP."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9435/metrics", timeout=5) as answer:
            return COUNTED.findall(answer.read().decode())
    except OSError:
        return []


def ticks() -> int:
    """Return the number of ticks in the recording that are complete."""
    try:
        with closing(sqlite3.connect(f"file:{RECORDING}?mode=ro", uri=True)) as connection:
            count: int = connection.execute("SELECT count(*) FROM ticks").fetchone()[0]
    except sqlite3.OperationalError:  # the file or its tables are still being made
        return 0
    return count


def states() -> str:
    """Return the state of each unit, and the last lines of their journals."""
    state = subprocess.run(["systemctl", "is-active", *UNITS], capture_output=True, text=True).stdout
    journal = ["journalctl", "--no-pager", "--lines=12", "--output=cat", *(f"--unit={unit}" for unit in UNITS)]
    return f"{state.split()} {subprocess.run(journal, capture_output=True, text=True).stdout}"


def count() -> str:
    """Enable and start both units, and wait until each counts packets on lo."""
    subprocess.run(["systemctl", "enable", "--quiet", "--now", *UNITS], check=True)
    until(counted, states)
    until(lambda: ticks() >= 2, states)
    subprocess.run(["systemctl", "is-active", *UNITS], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["bpftop", "replay", RECORDING, "--format", "json"], check=True, stdout=subprocess.DEVNULL)
    return f"{' and '.join(UNITS)} count"


def purge() -> str:
    """Purge the package while both units run: they end."""
    subprocess.run(["systemctl", "start", *UNITS], check=True)
    subprocess.run(["apt-get", "purge", "-y", "bpftop"], check=True, stdout=subprocess.DEVNULL)
    state = subprocess.run(["systemctl", "is-active", *UNITS], capture_output=True, text=True).stdout.split()
    assert state == ["inactive"] * len(UNITS), states()
    return "the units ended"


def main() -> None:
    print({"count": count, "purge": purge}[sys.argv[1]]())


if __name__ == "__main__":
    main()
