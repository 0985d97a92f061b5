"""Attachments: unpinned links, which the kernel takes away with the process, and clsact filters, which it does not."""

from __future__ import annotations

import errno
import os
from typing import Any, Literal

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import KernelError, check

# By number, because the headers we build with may be older than the kernel: enum bpf_attach_type of linux/bpf.h, XDP
# flags of linux/if_link.h
_XDP, _TCX_INGRESS, _TCX_EGRESS = 37, 46, 47
_XDP_FLAGS_SKB_MODE, _XDP_FLAGS_DRV_MODE = 1 << 1, 1 << 2
_TC_INGRESS, _TC_EGRESS = 1, 2
_BPF_TC_F_REPLACE = 1 << 0  # libbpf.h
# Ours, so that a later start knows its own leftovers: "bpft" and a priority that nobody is likely to use
_CLSACT_HANDLE, _CLSACT_PRIORITY = 0x62706674, 0xB9F7


class Link:
    """One bpf_link. It detaches when it is closed or when this process dies, SIGKILL too."""

    def __init__(self, prog_fd: int, ifindex: int, attach_type: int, flags: int, verb: str) -> None:
        opts = ffi.new("struct bpf_link_create_opts *")
        opts.sz, opts.flags = ffi.sizeof("struct bpf_link_create_opts"), flags
        self._fd: int | None = check(lib.bpf_link_create(prog_fd, ifindex, attach_type, opts), verb)

    @classmethod
    def xdp(cls, prog_fd: int, ifindex: int, generic: bool = False) -> Link:
        """Attach in one mode and no other.

        Raises KernelError: EBUSY, EEXIST occupied; EOPNOTSUPP, EINVAL, ERANGE, ENOMEM not in this mode here.
        """
        mode, flags = ("generic", _XDP_FLAGS_SKB_MODE) if generic else ("native", _XDP_FLAGS_DRV_MODE)
        return cls(prog_fd, ifindex, _XDP, flags, f"attach by {mode} XDP")

    @classmethod
    def tcx(cls, prog_fd: int, ifindex: int, direction: Literal["rx", "tx"]) -> Link:
        """Attach behind what is there. Raises KernelError: EINVAL on kernels before 6.6."""
        attach_type = _TCX_INGRESS if direction == "rx" else _TCX_EGRESS
        return cls(prog_fd, ifindex, attach_type, 0, "attach by TCX")

    def ifindex(self) -> int:
        """The device the link sits on, in that device's namespace; 0 once it is gone. Needs no capability."""
        if self._fd is None:
            return 0
        return check(lib.bpftop_link_ifindex(self._fd), "ask the kernel about a link")

    def update(self, prog_fd: int) -> None:
        """Put another program of the same type in the place of the attached one, at once: no packet meets none.

        Raises KernelError: ENOLINK (67) once the device is gone.
        """
        if self._fd is not None:
            check(lib.bpf_link_update(self._fd, prog_fd, ffi.NULL), "exchange the attached program")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class TracingLink:
    """A tracing program (tp_btf, fexit) on what it was loaded for. It ends like every link."""

    def __init__(self, prog_fd: int) -> None:
        """Raises KernelError."""
        self._fd: int | None = check(lib.bpf_raw_tracepoint_open(ffi.NULL, prog_fd), "attach a tracing program")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Clsact:
    """A filter on the clsact qdisc. It outlives this process when that is killed; ``remove_leftovers`` is for then."""

    def __init__(self, prog_fd: int, ifindex: int, direction: Literal["rx", "tx"]) -> None:
        self._hook = _hook(ifindex, direction)
        created = lib.bpf_tc_hook_create(self._hook)
        if created < 0 and created != -errno.EEXIST:  # somebody's clsact is there already, which is fine
            check(created, "create a clsact qdisc")
        opts = _opts()
        opts.prog_fd = prog_fd
        check(lib.bpf_tc_attach(self._hook, opts), "attach by clsact")
        self._attached = True

    def update(self, prog_fd: int) -> None:
        """Put another program in the place of ours, at once. Raises KernelError."""
        opts = _opts()
        opts.prog_fd, opts.flags = prog_fd, _BPF_TC_F_REPLACE
        check(lib.bpf_tc_attach(self._hook, opts), "exchange our clsact filter")

    def close(self) -> None:
        """Detach our own filter; the qdisc stays, for it may be somebody else's by now."""
        if self._attached:
            self._attached = False
            _detach(self._hook)


def remove_leftovers(ifindex: int) -> int:
    """Detach our own filters that a killed bpftop left on the device. Returns how many there were."""
    found = 0
    for direction in ("rx", "tx"):
        hook = _hook(ifindex, direction)
        if lib.bpf_tc_query(hook, _opts()) == 0:
            _detach(hook)
            found += 1
    return found


def _detach(hook: Any) -> None:
    rc = lib.bpf_tc_detach(hook, _opts())
    if rc not in (0, -errno.ENOENT, -errno.ENODEV, -errno.EINVAL):  # gone already; EINVAL: with the whole qdisc
        check(rc, "detach our clsact filter")


def _hook(ifindex: int, direction: str) -> Any:
    hook = ffi.new("struct bpf_tc_hook *")
    hook.sz, hook.ifindex = ffi.sizeof("struct bpf_tc_hook"), ifindex
    hook.attach_point = _TC_INGRESS if direction == "rx" else _TC_EGRESS
    return hook


def _opts() -> Any:
    opts = ffi.new("struct bpf_tc_opts *")
    opts.sz, opts.handle, opts.priority = ffi.sizeof("struct bpf_tc_opts"), _CLSACT_HANDLE, _CLSACT_PRIORITY
    return opts


__all__ = ["Clsact", "KernelError", "Link", "TracingLink", "remove_leftovers"]
