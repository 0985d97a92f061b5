"""TcpExt and IpExt counters of the network namespace: /proc/net/netstat (net/ipv4/proc.c)."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.collect.procfs.counter_files import CounterFile, two_lines
from bpftop.model import stack_counters


class Netstat(CounterFile):
    """Family netstat."""

    name = "netstat"
    what = "extended TCP and IP counters"
    counters = stack_counters.NETSTAT

    def parse(self, text: str) -> Mapping[str, str]:
        return two_lines(text)
