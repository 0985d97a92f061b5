"""IPv4, ICMP, TCP and UDP counters of the network namespace: /proc/net/snmp (net/ipv4/proc.c)."""

from __future__ import annotations

from collections.abc import Mapping

from bpftop.collect.procfs.counter_files import CounterFile, two_lines
from bpftop.model import stack_counters


class Snmp(CounterFile):
    """Family snmp."""

    name = "snmp"
    what = "IPv4, TCP and UDP counters"
    counters = stack_counters.SNMP

    def parse(self, text: str) -> Mapping[str, str]:
        return two_lines(text)
