"""The machine and this process, as samples describe them."""

from __future__ import annotations

import os
import socket
import time
from array import array
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bpftop.collect.procfs.open_file import HeldFile
from bpftop.fields import frozen
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import KernelError
from bpftop.model.cpu_lists import parse_cpu_list
from bpftop.model.sample import Reading, reading_key

if TYPE_CHECKING:
    import psutil

ROOT = Path("/")
MEMORY_EVERY_NS = 5_000_000_000


@frozen
class Host:
    """The facts that do not change while the machine is up."""

    name: str
    boot_id: str
    possible_cpus: int
    kernel: str


def host(root: Path = ROOT) -> Host:
    """Read the facts of this machine. The boot id is empty where the machine hides it."""
    try:
        boot_id = (root / "proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = ""
    try:
        cpus = possible_cpus()
    except KernelError:
        cpus = os.sysconf("SC_NPROCESSORS_CONF")  # no /sys: no program will load either, but totals can be shown
    return Host(socket.gethostname(), boot_id, cpus, os.uname().release)


class OnlineCpus:
    """The CPUs that run, out of ``possible`` CPUs."""

    def __init__(self, possible: int) -> None:
        self._possible = possible
        self._file = HeldFile(ROOT / "sys/devices/system/cpu/online")

    def read(self) -> tuple[int, ...]:
        """Return the CPUs that run now, or every possible CPU where the kernel does not say."""
        try:
            return parse_cpu_list(self._file.text())
        except (OSError, ValueError):
            return tuple(range(self._possible))

    def close(self) -> None:
        self._file.close()


class OwnCostCollector:
    """A collector of this process's CPU time, time in map reads, and resident memory.

    Memory is read every MEMORY_EVERY_NS, because psutil makes nine system calls for it. The first ``without_memory``
    readings leave memory out: they do not wait for the import of psutil (16 ms).
    """

    def __init__(self, without_memory: int = 1) -> None:
        self._poll_ns = 0
        self._process: psutil.Process | None = None
        self._without_memory = without_memory
        self._memory: Reading | None = None

    def readings(self, polled_ns: int) -> dict[str, Reading]:
        """Return self and self_memory; ``polled_ns`` is the time that this tick's map reads took."""
        self._poll_ns += polled_ns
        now_ns = time.monotonic_ns()
        # psutil is not used: its CPU times come in ticks of 10 ms, which is 1 % of a second.
        values = array("Q", (time.process_time_ns(), self._poll_ns))
        readings = {reading_key("self"): Reading("self", now_ns, 0, 0, ((),), values)}
        if self._without_memory > 0:
            self._without_memory -= 1
            return readings
        if self._memory is None or now_ns - self._memory.read_ns >= MEMORY_EVERY_NS:
            self._memory = self._read_memory(now_ns)
        return readings if self._memory is None else {**readings, reading_key("self_memory"): self._memory}

    def _read_memory(self, now_ns: int) -> Reading | None:
        # The statement `import` returns half a module where the import of another thread fails meanwhile.
        psutil = import_module("psutil")
        try:
            self._process = self._process or psutil.Process()
            resident = array("Q", (self._process.memory_info().rss,))
        except (psutil.Error, OSError):  # no /proc
            return None
        return Reading("self_memory", now_ns, 0, 0, ((),), resident)
