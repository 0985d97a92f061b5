"""``python -m bpftop.cli``: the same as the command ``bpftop``."""

import sys

from bpftop.cli.entry import main

sys.exit(main())
