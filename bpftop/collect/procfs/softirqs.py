"""Network softirqs of each CPU: /proc/softirqs. Machine-wide, a column per possible CPU, unsigned int each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bpftop.collect.collector import CounterRows
from bpftop.collect.procfs.proc_file import ProcFileCollector
from bpftop.model.cpu_lists import parse_cpu_header


class Softirqs(ProcFileCollector):
    """The lines NET_RX and NET_TX of /proc/softirqs."""

    name = "softirqs"
    subject = "network softirqs"
    path = "softirqs"

    def parse(self, text: str) -> Mapping[str, CounterRows]:
        header, *lines = text.splitlines() or [""]
        cpus = parse_cpu_header(header)
        received, sent = (_counts(lines, name, len(cpus)) for name in ("NET_RX", "NET_TX"))
        return {"softirqs": {(cpu,): counts for cpu, *counts in zip(cpus, received, sent, strict=True)}}


def _counts(lines: Sequence[str], name: str, cpus: int) -> list[int]:
    """Return the counts of one softirq, a number per CPU. Raises ValueError."""
    for line in lines:
        word, _, text = line.partition(":")
        if word.strip() == name:
            counts = [int(count) for count in text.split()]
            if len(counts) != cpus:
                raise ValueError(f"{name} has {len(counts)} counts for {cpus} CPUs")
            return counts
    raise ValueError(f"it has no row {name}")
