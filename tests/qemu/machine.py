"""Boots a kernel under QEMU, without KVM, and runs a Python script in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.mirrors import Unobtainable
from tests.qemu.initrd import initrd
from tests.qemu.kernels import Kernel

QEMU = "qemu-system-x86_64"
CPUS, POSSIBLE_CPUS = 2, 4
"""The numbers differ because per-CPU maps have values of CPUs that are offline."""
MEMORY_MIB = 1024


class Stuck(Exception):
    """The guest did not come to the end of its script."""


@dataclass(frozen=True)
class Ran:
    """``status`` is the script's exit status, ``output`` what it wrote, ``console`` what the kernel said."""

    status: int
    output: str
    console: str


def boot(kernel: Kernel, script: str, *, timeout_s: float = 1500) -> Ran:
    """Run a Python script in a fresh guest. Raises Unobtainable (no QEMU, or no x86-64 here) and Stuck."""
    if os.uname().machine != "x86_64":
        raise Unobtainable("the guests run this machine's Python on x86-64 kernels, and this machine is another one")
    if shutil.which(QEMU) is None:
        raise Unobtainable(f"there is no {QEMU} here; contrib/system-packages test installs what the tests need")
    with tempfile.TemporaryDirectory(prefix="bpftop-qemu-") as name:
        folder = Path(name)
        (folder / "initrd").write_bytes(initrd(kernel, script))
        try:
            done = subprocess.run(_command(kernel, folder), capture_output=True, text=True, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise Stuck(f"{kernel.version} was not done after {timeout_s} s\n{_said(folder)}") from None
        status = _text(folder / "status").strip()
        if done.returncode or not status:
            raise Stuck(f"{kernel.version} ended before its script did\n{done.stderr}{_said(folder)}")
        return Ran(int(status), _text(folder / "output"), _text(folder / "console"))


def _command(kernel: Kernel, folder: Path) -> list[str]:
    words = "console=ttyS0 quiet panic=-1 mitigations=off 8250.nr_uarts=4"
    # One thread for all CPUs of the guest: with one each, Linux patching its own code now and then meets a stale
    # translation ("Oops: int3"; bpf_dispatcher_xdp_func of 6.12, when programs were attached and test-run at once).
    machine = f"-M q35 -accel tcg,thread=single -cpu max -smp {CPUS},maxcpus={POSSIBLE_CPUS} -m {MEMORY_MIB}"
    # Three serial ports: the kernel's messages, the script's output, its exit status.
    ports = [word for port in ("console", "output", "status") for word in ("-serial", f"file:{folder / port}")]
    return [
        *(QEMU, *machine.split(), "-nodefaults", "-no-reboot", "-display", "none", *ports),
        *("-kernel", str(kernel.image), "-initrd", str(folder / "initrd"), "-append", words),
    ]


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _said(folder: Path) -> str:
    return "\n".join(_text(folder / port)[-4000:] for port in ("console", "output"))
