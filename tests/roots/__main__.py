"""Try the Debian package in roots of the releases that it is for: `make deb-trial`.

For each release: a minimal root by debootstrap, from a mirror that this machine's apt names; `make deb` in it from a
clean export of HEAD; lintian; installed by apt into a second minimal root; version, manual pages, completions, the
demo on a pseudo-terminal and a snapshot of lo; purged, with no file left. The roots are kept in ~/.cache/bpftop-roots
for the next run. It needs root. Exit code 1: a step failed, or a release cannot be had here.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mirrors import Unobtainable
from tests.roots.releases import RELEASES, cache
from tests.roots.root import Failed
from tests.roots.trial import Trial


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.roots", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("releases", metavar="RELEASE", nargs="*", help=f"{', '.join(RELEASES)} (default: all)")
    names = parser.parse_args(arguments).releases
    for name in names:
        if name not in RELEASES:
            parser.error(f"the package is not for {name}; it is for {', '.join(RELEASES)}")
    if os.geteuid() != 0:
        print("roots: debootstrap, mounts and BPF programs need root; run it with sudo", file=sys.stderr)
        return 1
    begin_s = time.monotonic()
    try:
        with scratch() as folder:
            kept = [_keeps(name, folder) for name in names or RELEASES]
    except Unobtainable as error:
        print(f"roots: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{sum(kept)} of {len(kept)} releases keep what is promised, {time.monotonic() - begin_s:.0f} s")
    return 0 if all(kept) else 1


def _keeps(name: str, folder: Path) -> bool:
    """Run the steps of a release up to the first that fails, with a line for each. Return whether none failed."""
    for step, run in Trial(RELEASES[name], folder / name).steps():
        begin_s = time.monotonic()
        failure = None
        try:
            said = run()
        except (Failed, Unobtainable, AssertionError) as error:
            said, failure = f"FAILED: {error}", error
        print(f"{name:<9} {step:<12} {time.monotonic() - begin_s:6.1f} s  {said}", flush=True)
        if failure:
            return False
    return True


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder in the cache, which is removed afterwards; one process at a time has it.

    Raises:
        Unobtainable: another trial is running.
    """
    folder = cache() / "scratch"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unobtainable(f"another trial has the cache {cache()}; wait until it has ended") from None
        shutil.rmtree(folder, ignore_errors=True)  # of a trial that was killed
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
