"""What the running kernel says of itself by BTF. It is read, some megabytes of it, and let go at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import check

_ROOM_BYTES = 64 << 10  # 124 reasons of Linux 6.18 take 4 kB
_FUNCTION_BYTES = 512  # KSYM_NAME_LEN

SUBSYSTEMS = (("openvswitch", "ovs_drop_reason"), ("mac80211", "mac80211_drop_reason"))
"""Modules with drop reasons of their own, and the enum that has them (drop_reasons_register_subsys)."""


@dataclass(frozen=True)
class DropReasons:
    """``names`` has the kernel's own words, number -> SKB_DROP_REASON_NO_SOCKET. ``arguments``: how many the tracepoint
    kfree_skb has; the fourth, since Linux 6.11, is the receiving socket."""

    names: Mapping[int, str]
    arguments: int


def drop_reasons() -> DropReasons:
    """Ask the kernel's BTF and that of the modules which are loaded. Raises KernelError: ENOENT from kernels without
    drop reasons (before 5.17), or whatever keeps the BTF from being read."""
    words = [ffi.new("char[]", word.encode()) for pair in SUBSYSTEMS for word in pair]
    out = ffi.new("char[]", _ROOM_BYTES)
    lib.bpftop_messages_begin()
    used = check(
        lib.bpftop_drop_reasons(ffi.new("char *[]", words), len(words), out, _ROOM_BYTES),
        "read the drop reasons from the kernel's BTF",
    )
    (arguments, _), *rows = (line.split() for line in ffi.string(out, used).decode().splitlines())
    return DropReasons({int(number): name for number, name in rows}, int(arguments))


def entry_function(prog_fd: int) -> str:
    """The whole name of the function that a program begins with. Raises KernelError: ENOENT for one without BTF."""
    out = ffi.new("char[]", _FUNCTION_BYTES)
    lib.bpftop_messages_begin()
    check(lib.bpftop_entry_function(prog_fd, out, _FUNCTION_BYTES), "read the BTF of the BPF program")
    return str(ffi.string(out).decode(errors="replace"))


def give_back_memory() -> None:
    """Return what parsing BTF took to the system, after a program was loaded that is found by BTF."""
    lib.bpftop_give_back_memory()
