"""Attachments by unpinned links, which the kernel removes with the process."""

from __future__ import annotations

from typing import Literal

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import new_opts
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.return_code import check

# enum bpf_attach_type of linux/bpf.h, by number, because the build's headers may be older than TCX (6.6)
_XDP, _TCX_INGRESS, _TCX_EGRESS = 37, 46, 47


class Link(OwnedFd):
    """A bpf_link. The kernel detaches it when it is closed or when this process ends, also after SIGKILL."""

    def __init__(self, prog_fd: int, ifindex: int, attach_type: int, flags: int, verb: str) -> None:
        opts = new_opts("bpf_link_create_opts", flags=flags)
        super().__init__(check(lib.bpf_link_create(prog_fd, ifindex, attach_type, opts), verb))

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
        return check(lib.bpftop_link_ifindex(self.fd), "ask the kernel about a link")

    def update(self, prog_fd: int) -> None:
        """Replace the attached program by another program of the same type, atomically.

        Raises KernelError: ENOLINK once the device is gone.
        """
        check(lib.bpf_link_update(self.fd, prog_fd, ffi.NULL), "exchange the attached program")


def attach_tracing(prog_fd: int) -> OwnedFd:
    """Attach a tracing program (tp_btf, fexit) to its target, and return the link. Raises KernelError."""
    return OwnedFd(check(lib.bpf_raw_tracepoint_open(ffi.NULL, prog_fd), "attach a tracing program"))
