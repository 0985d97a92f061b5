"""Facts from the BTF of the running kernel. The BTF, some megabytes, is read at each call and freed at once."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import text
from bpftop.kernel.return_code import check

_REASONS_BYTES = 64 << 10  # the 124 reasons of Linux 6.18 take 4 kB
_FUNCTION_BYTES = 512  # KSYM_NAME_LEN

SUBSYSTEMS = (("openvswitch", "ovs_drop_reason"), ("mac80211", "mac80211_drop_reason"))
"""Modules that have their own drop reasons (drop_reasons_register_subsys), each with the enum of its reasons."""


@frozen
class DropReasons:
    """Drop reasons of the running kernel.

    ``names`` maps a number to the kernel's name: SKB_DROP_REASON_NO_SOCKET. ``arguments`` is the number of arguments of
    the tracepoint kfree_skb; the fourth, since Linux 6.11, is the receiving socket.
    """

    names: Mapping[int, str]
    arguments: int


def drop_reasons() -> DropReasons:
    """Read the drop reasons from the BTF of the kernel and of its loaded modules.

    Raises KernelError: ENOENT from kernels without drop reasons (before 5.17), or the error of reading the BTF.
    """
    words = [ffi.new("char[]", word.encode()) for pair in SUBSYSTEMS for word in pair]
    out = ffi.new("char[]", _REASONS_BYTES)
    lib.bpftop_messages_begin()
    used = check(
        lib.bpftop_drop_reasons(ffi.new("char *[]", words), len(words), out, _REASONS_BYTES),
        "read the drop reasons from the kernel's BTF",
    )
    (arguments, _), *rows = (line.split() for line in ffi.string(out, used).decode().splitlines())
    return DropReasons({int(number): name for number, name in rows}, int(arguments))


def entry_function(prog_fd: int) -> str:
    """Return the full name of a program's entry function. Raises KernelError: ENOENT for a program without BTF."""
    out = ffi.new("char[]", _FUNCTION_BYTES)
    lib.bpftop_messages_begin()
    check(lib.bpftop_entry_function(prog_fd, out, _FUNCTION_BYTES), "read the BTF of the BPF program")
    return text(out)


def trim_memory() -> None:
    """Return free memory of the heap to the system, after parsing BTF, or opening many objects, left much of it."""
    lib.bpftop_trim_memory()
