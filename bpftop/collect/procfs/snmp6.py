"""IPv6, ICMPv6 and UDP counters of the network namespace: /proc/net/snmp6 (net/ipv6/proc.c).

A line per counter, whose name is whole. The file is absent where the kernel has no IPv6 (ipv6.disable=1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bpftop.collect.collector import Unavailable
from bpftop.collect.procfs.counter_files import CounterFile
from bpftop.model import stack_counters
from bpftop.model.sample import Interface, Reading


class Snmp6(CounterFile):
    """Family snmp6."""

    name = "snmp6"
    what = "IPv6 counters"
    counters = stack_counters.SNMP6

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        try:
            return super().read(interfaces)
        except Unavailable as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise Unavailable("IPv6 counters: there is no IPv6 in this kernel, so nothing to count") from error
            raise

    def parse(self, text: str) -> Mapping[str, str]:
        words = text.split()
        if len(words) % 2:
            raise ValueError("a counter has no value")
        return dict(zip(words[::2], words[1::2], strict=True))
