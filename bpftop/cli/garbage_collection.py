"""The garbage collector during a start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Leave garbage alone during imports: nothing is garbage then, and looking for some takes 15 ms of a start."""
    gc.disable()
    try:
        yield
        gc.freeze()  # no later collection looks at what was imported
    finally:
        gc.enable()
