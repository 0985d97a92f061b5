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
    """Give all threads of this process the files of the calling thread's namespace, until the context ends.

    ``entered``: the process began in another namespace. Where its sysfs may not be mounted, the tree
    says why, and device facts are unavailable.
    """
    if is_home():
        yield Tree()
        return
    try:
        sysfs_fd = mount_sysfs()
    except BpftopError as error:
        # A process that entered no namespace is mostly in the machine's first one; Tree.device checks the ifindex.
        yield Tree(no_sysfs=str(error)) if entered else Tree()
        return
    try:
        yield Tree(sys=Path(f"/proc/self/fd/{sysfs_fd}"))
    finally:
        os.close(sysfs_fd)
