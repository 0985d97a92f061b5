"""The garbage collector and the threads during a start."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_S = 0.0001
_YOUNG_OBJECTS, _YOUNG_OBJECTS_PER_INTERFACE = 5_000, 33
"""New objects after which Python looks for cycles among them; its own limit of 700 is less than what a tick makes.

A look goes through all that the checks keep of the last seconds, and finds nothing: a tick leaves no cycles.
"""


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Leave garbage alone during imports: nothing is garbage then, and looking for some takes 15 ms of a start.

    Another thread, which attaches meanwhile, gets Python's lock within 0.1 ms and not 5 ms after every system call: it
    makes 15 of them between both of its attachments.
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
    """Let Python look for cycles less often than once a tick, which makes the more objects the more interfaces."""
    _, *older = gc.get_threshold()
    gc.set_threshold(max(_YOUNG_OBJECTS, _YOUNG_OBJECTS_PER_INTERFACE * interfaces), *older)
