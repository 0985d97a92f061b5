"""The garbage collector and the threads during a start."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SWITCH_S = 0.0005
SOON_S = 0.0001
"""For imports that nothing waits for: a thread makes 15 system calls between the attachments of TX and RX."""
_YOUNG_OBJECTS, _YOUNG_OBJECTS_PER_INTERFACE = 5_000, 33
"""New objects after which Python looks for cycles among them; its own limit of 700 is less than what a tick makes.

A look goes through all that the checks keep of the last seconds, and finds nothing: a tick leaves no cycles.
"""


@contextmanager
def garbage_kept(switch_s: float = _SWITCH_S) -> Iterator[None]:
    """Leave garbage alone during a start: next to nothing is garbage then, and looking for some takes 15 ms.

    A thread that attaches meanwhile gets Python's lock within ``switch_s`` after every system call, instead of 5 ms.
    """
    gc.disable()
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(switch_s)
    try:
        yield
        gc.freeze()  # no later collection looks at the imported modules
    finally:
        sys.setswitchinterval(before_s)
        gc.enable()


def look_for_cycles_by(interfaces: int) -> None:
    """Let Python look for cycles less often than once a tick, which makes the more objects the more interfaces."""
    _, *older = gc.get_threshold()
    gc.set_threshold(max(_YOUNG_OBJECTS, _YOUNG_OBJECTS_PER_INTERFACE * interfaces), *older)
