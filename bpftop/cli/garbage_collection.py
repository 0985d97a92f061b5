"""The garbage collector and the threads during a start."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_S = 0.0005
_YOUNG_OBJECTS = 10_000
"""New objects from which on a collection looks for cycles among them (Python: 700). A tick makes 1 000 objects, and
70 000 on 300 interfaces; of those it leaves some 6 in cycles per interface."""


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Leave garbage alone during imports: nothing is garbage then, and looking for some takes 15 ms of a start.

    Another thread, which attaches meanwhile, gets Python's lock within 0.5 ms and not 5 ms after every system call.
    """
    gc.disable()
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
        gc.freeze()  # no later collection looks at the imported modules
    finally:
        sys.setswitchinterval(switch_s)
        gc.set_threshold(_YOUNG_OBJECTS)
        gc.enable()
