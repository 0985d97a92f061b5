"""The garbage collector and the threads during a start."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_S = 0.0005
_YOUNG_OBJECTS_PER_INTERFACE = 33
"""An interface makes 230 objects a tick, and leaves some 6 of them in cycles."""


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
        gc.enable()


def look_for_cycles_by(interfaces: int) -> None:
    """Let Python look for cycles less often than after 700 new objects where each tick makes many of them.

    Not on a few interfaces: there it saves nothing, and memory takes longer to settle.
    """
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, _YOUNG_OBJECTS_PER_INTERFACE * interfaces), *older)
