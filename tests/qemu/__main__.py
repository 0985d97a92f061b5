"""``python -m tests.qemu KERNEL [SCRIPT]``: boot one kernel by hand, and run a Python script or all proofs in it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.mirrors import Unobtainable
from tests.qemu.guests import PROOFS
from tests.qemu.kernels import RELEASES, kernel
from tests.qemu.machine import Stuck, boot


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.qemu", description=__doc__)
    parser.add_argument("kernel", choices=RELEASES)
    parser.add_argument("script", nargs="?", type=Path, help="instead of the check; bpftop can be imported in it")
    arguments = parser.parse_args()
    try:
        ran = boot(kernel(arguments.kernel), arguments.script.read_text() if arguments.script else PROOFS)
    except (Unobtainable, Stuck) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stderr.write(ran.console)
    sys.stdout.write(ran.output)
    return ran.status


if __name__ == "__main__":
    sys.exit(main())
