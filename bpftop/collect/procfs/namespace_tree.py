"""The files of this machine, as the network namespace of the calling thread shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bpftop.collect.procfs.tree import Tree
from bpftop.errors import BpftopError
from bpftop.kernel.net.sysfs import is_home, mount_sysfs


@contextmanager
def namespace_tree(*, entered: bool) -> Iterator[Tree]:
    """For all threads of this process, while it lasts. ``entered``: the namespace is another than the process began in.

    Where no sysfs of it may be mounted, the tree says why: what rests on it is then unavailable.
    """
    if is_home():
        yield Tree()
        return
    try:
        sysfs_fd = mount_sysfs()
    except BpftopError as error:
        # Who entered none is mostly at home, as everybody without privileges; Tree.device looks closer.
        yield Tree(no_sysfs=str(error)) if entered else Tree()
        return
    try:
        yield Tree(sys=Path(f"/proc/self/fd/{sysfs_fd}"))
    finally:
        os.close(sysfs_fd)
