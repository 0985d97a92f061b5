"""Entry point of ``python -m bpftop.cli``, which is the command ``bpftop``."""

import sys

from bpftop.cli.entry import main

sys.exit(main())
