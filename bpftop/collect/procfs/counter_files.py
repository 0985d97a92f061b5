"""The files of named counters: /proc/net/snmp, snmp6, netstat and xfrm_stat (net/ipv4/proc.c, net/ipv6/proc.c).

Values are u64 (unsigned long on 64-bit kernels), summed over the CPUs by the kernel; the only signed counter, Tcp
MaxConn, is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from bpftop.collect.collector import CounterRows, Unavailable
from bpftop.collect.procfs.proc_file import ProcFileCollector
from bpftop.collect.procfs.tree import FileMissing, Tree
from bpftop.model import stack_counters
from bpftop.model.sample import DOES_NOT_APPLY, Key


class CounterFile(ProcFileCollector):
    """A collector of one family with a row per name in ``counters``. A counter that the kernel lacks is missing."""

    counters: Mapping[str, str]
    one_record = True

    path = ""

    def __init__(self, tree: Tree) -> None:
        self.path = self.path or f"net/{self.name}"
        super().__init__(tree)
        self._keys: list[Key] = [(counter,) for counter in self.counters]
        self.words: Mapping[str, str] = {}
        """Counter -> digits of the last reading, for collectors that look only after a counter has moved."""

    def parse_words(self, text: str) -> Mapping[str, str]:
        """Return counter -> digits for all counters in the file. Raises ValueError."""
        return parse_line_pairs(text)

    def parse(self, text: str) -> Mapping[str, CounterRows]:
        self.words = words = self.parse_words(text)
        cells = [None if word is None else int(word) for word in map(words.get, self.counters)]
        known = [cell for cell in cells if cell is not None]
        if not known:
            raise Unavailable(f"{self.subject}: /proc/{self.path} has none of the counters that bpftop reads")
        if min(known) < 0 or max(known) >= 1 << 64:
            raise ValueError("a number is out of range")
        return {self.name: dict(zip(self._keys, zip(cells, strict=True), strict=True))}


class Snmp(CounterFile):
    """/proc/net/snmp of the network namespace."""

    name = "snmp"
    subject = "IPv4, TCP and UDP counters"
    counters = stack_counters.SNMP


class Netstat(CounterFile):
    """/proc/net/netstat of the network namespace."""

    name = "netstat"
    subject = "extended TCP and IP counters"
    counters = stack_counters.NETSTAT


class LineCounterFile(CounterFile):
    """A collector of a file with a line per counter. A kernel without ``part`` has no such file."""

    part: str

    def read_rows(self) -> Mapping[str, CounterRows]:
        try:
            return super().read_rows()
        except FileMissing as error:
            raise Unavailable(f"{self.subject} {DOES_NOT_APPLY}: there is no {self.part} in this kernel") from error

    def parse_words(self, text: str) -> Mapping[str, str]:
        words = text.split()
        if len(words) % 2:
            raise ValueError("a counter has no value")
        return dict(zip(words[::2], words[1::2], strict=True))


class Snmp6(LineCounterFile):
    """A collector of /proc/net/snmp6, which is absent under ipv6.disable=1."""

    name = "snmp6"
    subject = "IPv6 counters"
    part = "IPv6"
    counters = stack_counters.SNMP6


class Xfrm(LineCounterFile):
    """A collector of /proc/net/xfrm_stat, which needs CONFIG_XFRM_STATISTICS."""

    name = "xfrm"
    path = "net/xfrm_stat"
    subject = "IPsec counters"
    part = "count of what IPsec drops"
    counters = stack_counters.XFRM


def parse_line_pairs(text: str) -> dict[str, str]:
    """Return counter -> digits of pairs of lines, names above values: ``TcpExt: A B``, ``TcpExt: 1 2``.

    The names are as in `nstat`: ``TcpExtA``. Raises ValueError.
    """
    lines = text.splitlines()
    if len(lines) % 2:
        raise ValueError(f"it has {len(lines)} lines, which are no pairs")
    words: dict[str, str] = {}
    for names_line, values_line in zip(lines[::2], lines[1::2], strict=True):
        group, names = _names_of(names_line)
        same_group, *values = values_line.split() or [""]
        if group != same_group or len(names) != len(values):
            raise ValueError(f"the line of names of {group!r} and the line below it do not fit together")
        words.update(zip(names, values, strict=True))
    return words


@lru_cache(maxsize=64)
def _names_of(line: str) -> tuple[str, tuple[str, ...]]:
    """Return the group of a line of names, and the names with the group before them: the same at every tick."""
    group, *names = line.split() or [""]
    prefix = group.rstrip(":")
    return group, tuple([prefix + name for name in names])


def parse_u64(word: str) -> int:
    """Return a number that fits a cell. Raises ValueError."""
    number = int(word)
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{word} is out of range")
    return number
