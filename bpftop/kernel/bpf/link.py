"""Attachments: unpinned links, which the kernel removes with the process, and clsact filters, which it does not."""

from __future__ import annotations

import errno
import os
from typing import Any, Literal

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import new_opts
from bpftop.kernel.check import KernelError, check

# enum bpf_attach_type of linux/bpf.h, by number, because the build's headers may be older than TCX (6.6)
_XDP, _TCX_INGRESS, _TCX_EGRESS = 37, 46, 47
# A later start recognises its own filters by this handle ("bpft") and this unusual priority.
_CLSACT_HANDLE, _CLSACT_PRIORITY = 0x62706674, 0xB9F7


class Link:
    """A bpf_link. The kernel detaches it when it is closed or when this process ends, also after SIGKILL."""

    def __init__(self, prog_fd: int, ifindex: int, attach_type: int, flags: int, verb: str) -> None:
        opts = new_opts("bpf_link_create_opts", flags=flags)
        self._fd: int | None = check(lib.bpf_link_create(prog_fd, ifindex, attach_type, opts), verb)

    @classmethod
    def xdp(cls, prog_fd: int, ifindex: int, generic: bool = False) -> Link:
        """Attach by XDP, in native mode only or in generic mode only.

        Raises KernelError: EBUSY, EEXIST if the device has an XDP program; EOPNOTSUPP, EINVAL, ERANGE, ENOMEM if the
        device cannot do this mode.
        """
        mode, flags = ("generic", lib.XDP_FLAGS_SKB_MODE) if generic else ("native", lib.XDP_FLAGS_DRV_MODE)
        return cls(prog_fd, ifindex, _XDP, flags, f"attach by {mode} XDP")

    @classmethod
    def tcx(cls, prog_fd: int, ifindex: int, direction: Literal["rx", "tx"]) -> Link:
        """Attach by TCX, behind the programs that are attached already. Raises KernelError: EINVAL before Linux 6.6."""
        attach_type = _TCX_INGRESS if direction == "rx" else _TCX_EGRESS
        return cls(prog_fd, ifindex, attach_type, 0, "attach by TCX")

    def ifindex(self) -> int:
        """Return the ifindex of the link's device, in the namespace of the device; 0 once the device is gone.

        Needs no capability.
        """
        if self._fd is None:
            return 0
        return check(lib.bpftop_link_ifindex(self._fd), "ask the kernel about a link")

    def update(self, prog_fd: int) -> None:
        """Replace the attached program by another program of the same type, atomically.

        Raises KernelError: ENOLINK once the device is gone.
        """
        if self._fd is not None:
            check(lib.bpf_link_update(self._fd, prog_fd, ffi.NULL), "exchange the attached program")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class TracingLink:
    """The attachment of a tracing program (tp_btf, fexit) to its target. It ends as every link does."""

    def __init__(self, prog_fd: int) -> None:
        """Attach the program. Raises KernelError."""
        self._fd: int | None = check(lib.bpf_raw_tracepoint_open(ffi.NULL, prog_fd), "attach a tracing program")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Clsact:
    """A filter on the clsact qdisc. The filter outlives a killed process; ``remove_leftovers`` removes it then."""

    def __init__(self, prog_fd: int, ifindex: int, direction: Literal["rx", "tx"]) -> None:
        """Attach the program, and create the clsact qdisc if the device has none. Raises KernelError."""
        self._hook = _hook(ifindex, direction)
        created = lib.bpf_tc_hook_create(self._hook)
        if created < 0 and created != -errno.EEXIST:  # EEXIST: the device has a clsact qdisc already
            check(created, "create a clsact qdisc")
        check(lib.bpf_tc_attach(self._hook, _opts(prog_fd=prog_fd)), "attach by clsact")
        self._attached = True

    def update(self, prog_fd: int) -> None:
        """Replace the program of the filter, atomically. Raises KernelError."""
        opts = _opts(prog_fd=prog_fd, flags=lib.BPF_TC_F_REPLACE)
        check(lib.bpf_tc_attach(self._hook, opts), "exchange our clsact filter")

    def close(self) -> None:
        """Detach the filter. The qdisc stays, because another program may use it."""
        if self._attached:
            self._attached = False
            _detach(self._hook)


def remove_leftovers(ifindex: int) -> int:
    """Detach the filters that a killed bpftop left on the device. Return their number."""
    removed = 0
    for direction in ("rx", "tx"):
        hook = _hook(ifindex, direction)
        if lib.bpf_tc_query(hook, _opts()) == 0:
            _detach(hook)
            removed += 1
    return removed


def _detach(hook: Any) -> None:
    rc = lib.bpf_tc_detach(hook, _opts())
    if rc not in (0, -errno.ENOENT, -errno.ENODEV, -errno.EINVAL):  # the filter is gone already; EINVAL: its qdisc too
        check(rc, "detach our clsact filter")


def _hook(ifindex: int, direction: str) -> Any:
    attach_point = lib.BPF_TC_INGRESS if direction == "rx" else lib.BPF_TC_EGRESS
    return new_opts("bpf_tc_hook", ifindex=ifindex, attach_point=attach_point)


def _opts(**fields: int) -> Any:
    return new_opts("bpf_tc_opts", handle=_CLSACT_HANDLE, priority=_CLSACT_PRIORITY, **fields)


__all__ = ["Clsact", "KernelError", "Link", "TracingLink", "remove_leftovers"]
