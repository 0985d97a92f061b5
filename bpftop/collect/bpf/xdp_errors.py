"""What XDP programs on the watched interfaces could not do: the tracepoints xdp_exception and xdp_redirect_err, counted
in the kernel (bpf_objects/xdp_errors.bpf.c)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bpftop.collect.bpf.tracing import Late, Traced
from bpftop.collect.collector import ReadingBuilder
from bpftop.kernel.check import errno_name
from bpftop.model.sample import Interface, Key, Reading, reading_key

ACTIONS = ("XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT")
"""enum xdp_action of linux/bpf.h."""


def action_name(number: int) -> str:
    """``XDP_ABORTED`` for 0; the number where it is no action."""
    return ACTIONS[number] if number < len(ACTIONS) else str(number)


class XdpErrors:
    """One family of errors, a reading per interface; rows by program and code. See ``exceptions`` and
    ``redirect_errors``."""

    def __init__(self, family: str, what: str, program: str, code_name: Callable[[int], str]) -> None:
        self.name = family
        self._program, self._code_name = program, code_name
        self._late: Late[Traced] = Late(what)
        self._rows: dict[str, ReadingBuilder] = {}
        self._labels: dict[int, str] = {}  # never forgotten, see Drops
        self._begun = False

    def read(self, interfaces: Sequence[Interface]) -> Mapping[str, Reading]:
        """Raises Unavailable, also until the program is loaded. The first readings have the moment of the attach, when
        nothing was counted yet, as their ``previous``."""
        indexes = [interface.ifindex for interface in interfaces]
        self._labels.update((interface.ifindex, interface.label) for interface in interfaces)
        traced = self._late.get(partial(load, self._program, indexes))
        found = traced.read(indexes)
        rows: dict[str, dict[Key, list[int]]] = {interface.label: {} for interface in interfaces}
        for (ifindex, prog_id, code), cpus in sorted(found.rows.items()):
            label = self._labels[ifindex]
            if label in rows:
                rows[label].setdefault((label, prog_id, self._code_name(code)), [0])[0] += sum(cpus)
        readings: dict[str, Reading] = {}
        for label, cells in rows.items():
            kept = self._rows.setdefault(label, ReadingBuilder(self.name))
            reading = kept.reading(cells, found.read_ns, found.cost_ns if not readings else 0)
            if not self._begun:
                reading = replace(reading, previous=ReadingBuilder(self.name).reading({}, traced.attached_ns, 0))
            readings[reading_key(self.name, label)] = reading
        self._begun = True
        return readings

    def close(self) -> None:
        self._late.close()


def load(program: str, indexes: Sequence[int]) -> Traced:
    """``count_exception`` or ``count_redirect_error``, attached. Raises KernelError."""
    return Traced("xdp_errors", program, 3, indexes)


def exceptions() -> XdpErrors:
    """Family xdp_exceptions: actions that failed or are none, by the kernel's names."""
    return XdpErrors("xdp_exceptions", "XDP exceptions", "count_exception", action_name)


def redirect_errors() -> XdpErrors:
    """Family xdp_redirect_errors: by the name of the errno."""
    return XdpErrors("xdp_redirect_errors", "XDP redirect errors", "count_redirect_error", errno_name)
