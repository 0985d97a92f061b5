"""The list of interfaces: rows and columns."""

from __future__ import annotations

from collections.abc import Callable

from bpftop.fields import frozen
from bpftop.model.snapshot import Counts, InterfaceSnapshot, Snapshot
from bpftop.model.units import si
from bpftop.render.columns import Column, Look, clipped
from bpftop.render.traffic_columns import COUNTED

_STATES = {"down": "down", "gone": "gone", "moved": "moved to another namespace"}


@frozen
class InterfaceLine:
    """A row: an interface, or the total of all; ``note`` says why its numbers are special, or how it is counted."""

    name: str
    interface: InterfaceSnapshot
    note: str
    is_trouble: bool


def interface_line(snapshot: Snapshot, interface: InterfaceSnapshot) -> InterfaceLine:
    """Return the row of an interface of the snapshot, or of its total."""
    label, state, left_out = interface.label, interface.interface.state, snapshot.left_out
    if interface is snapshot.total:
        note = f"without {', '.join(left_out)}, which others count too" if left_out else ""
        return InterfaceLine(interface.interface.name, interface, note, False)
    if state != "up":
        return InterfaceLine(label, interface, _STATES[state], True)
    if label in left_out:
        return InterfaceLine(label, interface, f"not in the total: {left_out[label]}", False)
    return InterfaceLine(label, interface, f"{interface.rx.hook}, {interface.tx.hook}", False)


def _number(
    counts: Callable[[InterfaceSnapshot], Counts], bits: bool
) -> tuple[Callable[[InterfaceLine], float | None], Callable[[InterfaceLine, int], str]]:
    def value(row: InterfaceLine) -> float | None:
        totals = counts(row.interface)
        return totals.bits_per_sec if bits else totals.packets_per_sec

    return value, lambda row, _: si(value(row), "b/s" if bits else "")


def _note_look(row: InterfaceLine) -> Look:
    return "notice" if row.is_trouble else "muted"


INTERFACE_COLUMNS: tuple[Column[InterfaceLine], ...] = (
    Column("interface", "Interface", "", 16, "The interface, by the name that you gave.",
          lambda r: r.name, lambda r, width: clipped(f"  {r.name}", width), gap=0, left=True, stretch=8, look="name",
          source="the command line"),
    Column("rx_packets_per_sec", "RX pps", "packets/s", 9, "Packets received per second.",
          *_number(lambda i: i.rx.totals, False), source=COUNTED),
    Column("rx_bits_per_sec", "RX bit/s", "bits/s", 11, "Bits received per second.",
          *_number(lambda i: i.rx.totals, True), source=COUNTED),
    Column("tx_packets_per_sec", "TX pps", "packets/s", 9, "Packets sent per second.",
          *_number(lambda i: i.tx.totals, False), source=COUNTED),
    Column("tx_bits_per_sec", "TX bit/s", "bits/s", 11, "Bits sent per second.",
          *_number(lambda i: i.tx.totals, True), source=COUNTED),
    Column("note", "", "", 20, "How the interface is counted, or what is the matter with it.",
          lambda r: None, lambda r, width: clipped(r.note, width), rank=1, gap=2, left=True, stretch=60,
          look=_note_look, sortable=False, source="the hooks, and the state of the device by rtnetlink"),
)  # fmt: skip
