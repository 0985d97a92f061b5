"""Failed actions and redirects of XDP.

bpf_objects/xdp_errors.bpf.c counts them in the kernel, at the tracepoints xdp_exception and xdp_redirect_err.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bpftop.collect.bpf.tracing import Late, RowsByLabel, Traced
from bpftop.collect.collector import ReadingBuilder
from bpftop.errors import errno_name
from bpftop.model.sample import Interface, Reading, reading_key

ACTIONS = ("XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT")
"""enum xdp_action of linux/bpf.h."""


def action_name(number: int) -> str:
    """Return the name of an action, such as ``XDP_ABORTED`` for 0; the number where it is no action."""
    return ACTIONS[number] if number < len(ACTIONS) else str(number)


class XdpErrors:
    """A collector of one family of errors: a reading per interface, rows by program and code."""

    def __init__(
        self, family: str, subject: str, program: str, code_name: Callable[[int], str], load_after_s: float = 0.0
    ) -> None:
        self.name = family
        self._program, self._code_name = program, code_name
        self._late: Late[Traced] = Late(subject, load_after_s=load_after_s)
        self._rows = ReadingBuilder(family)
        self._by_label = RowsByLabel()

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Return the readings. Raises Unavailable, also until the program is loaded."""
        indexes = [interface.ifindex for interface in interfaces]
        traced = self._late.get(partial(load, self._program, indexes))
        counted = traced.read(indexes)
        rows = self._by_label.rows(interfaces, counted, lambda label, row: (label, row[1], self._code_name(row[2])))
        readings: dict[str, Reading] = {}
        for label in dict.fromkeys(interface.label for interface in interfaces):
            cells = {key: cell for key, cell in rows.items() if key[0] == label}
            cost_ns = 0 if readings else counted.cost_ns  # one read for all: its cost is counted once
            readings[reading_key(self.name, label)] = self._rows.reading(cells, counted.read_ns, cost_ns, label=label)
        return traced.since_attach(readings)

    def close(self) -> None:
        self._late.close()


def load(program: str, indexes: Sequence[int]) -> Traced:
    """Load and attach ``count_exception`` or ``count_redirect_error``. Raises KernelError."""
    return Traced("xdp_errors", program, 3, indexes)


def exceptions(load_after_s: float = 0.0) -> XdpErrors:
    """Return the collector of actions that failed or do not exist, by the kernel's names."""
    return XdpErrors("xdp_exceptions", "XDP exceptions", "count_exception", action_name, load_after_s)


def redirect_errors(load_after_s: float = 0.0) -> XdpErrors:
    """Return the collector of failed redirects, by the name of the errno."""
    return XdpErrors("xdp_redirect_errors", "XDP redirect errors", "count_redirect_error", errno_name, load_after_s)
