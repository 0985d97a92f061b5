"""The one builder of samples: readings written as rows, and samples of them at a time in seconds."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bpftop.model.families import FAMILIES
from bpftop.model.sample import Direction, Hook, Interface, Key, Reading, Sample, reading_key

SECOND_NS = 10**9
HOOKS: Mapping[Direction, Hook] = {"rx": Hook("xdp", "native"), "tx": Hook("tcx")}


def interface(label: str = "eth0", ifindex: int = 2, **fields: Any) -> Interface:
    """Build an Interface that has its label as name; ``fields`` are other fields of Interface."""
    return Interface(**{"label": label, "name": label, "ifindex": ifindex, **fields})


ETH0 = interface()


def reading(family: str, rows: Mapping[Any, Sequence[int | None]], second: float = 0.0, **fields: Any) -> Reading:
    """Build a Reading.

    Args:
        rows: key -> cells of the row, in the order of ``Reading.values``; None is a cell that could not be read.
        second: CLOCK_MONOTONIC when the family was read.
        fields: other fields of Reading, such as ``epoch`` or ``previous``.
    """
    row_cells = [cell for row in rows.values() for cell in row]
    missing = frozenset(index for index, cell in enumerate(row_cells) if cell is None)
    return packed(family, tuple(rows), (cell or 0 for cell in row_cells), second, missing=missing, **fields)


def packed(family: str, keys: tuple[Key, ...], flat: Iterable[int], second: float = 0.0, **fields: Any) -> Reading:
    """Build a Reading from its keys and the flat cells of all rows."""
    values = flat if isinstance(flat, array) else array("Q", flat)
    defaults = {"read_ns": round(second * SECOND_NS), "cost_ns": 0, "epoch": 0}
    return Reading(family=family, keys=keys, values=values, **{**defaults, **fields})


def links(second: float, label: str = "eth0", epoch: int = 0, **columns: int | None) -> Reading:
    """Build rtnetlink's counters of an interface; columns that are not named are zero."""
    row = [columns.get(column, 0) for column in FAMILIES["links"].columns]
    return reading("links", {(label,): row}, second, epoch=epoch)


def stack(family: str, second: float, **counters: int | None) -> Reading:
    """Build counters of the network stack from their nstat names."""
    return reading(family, {(name,): [count] for name, count in counters.items()}, second)


def softnet(second: float, dropped: Mapping[int, int], epoch: int = 0) -> Reading:
    """Build softnet's counters: CPU -> packets that its backlog dropped."""
    rows = {(cpu,): [0, count, 0, 0, 0] for cpu, count in dropped.items()}
    return reading("softnet", rows, second, epoch=epoch)


def protocols(
    second: float, packets: Mapping[int, Sequence[int]], label: str = "eth0", size: int = 100, **fields: Any
) -> Reading:
    """Build RX protocols: number -> packets of each CPU, in frames of ``size`` bytes."""
    rows = {(label, "rx", number): [*counts, *(size * count for count in counts)] for number, counts in packets.items()}
    return reading("protocols", rows, second, **fields)


def named(readings: Iterable[Reading]) -> dict[str, Reading]:
    """Return the readings by the names that they have in a Sample, which come from the first row of each."""
    return {_name(each): each for each in readings}


def _name(each: Reading) -> str:
    labels = FAMILIES[each.family].labels
    if labels[:1] != ("interface",) or each.family == "drops":
        return each.family
    where = 2 if labels[1:2] == ("direction",) else 1
    return reading_key(each.family, *map(str, each.keys[0][:where]))


def sample(
    second: float,
    *readings: Reading,
    interfaces: Iterable[Interface] = (ETH0,),
    cpus: int = 4,
    unavailable: Mapping[str, str] | None = None,
    **fields: Any,
) -> Sample:
    """Build a Sample.

    Args:
        second: CLOCK_MONOTONIC, and the wall clock, when the sample was taken.
        readings: readings with rows; others are passed by name in the field ``readings``.
        cpus: possible CPUs, all of them online.
        fields: other fields of Sample, such as ``seq``, or fields that are to differ from the above.
    """
    at_ns = round(second * SECOND_NS)
    defaults = {
        "seq": 0,
        "boot_id": "boot",
        "host": "host",
        "wall_ns": at_ns,
        "mono_ns": at_ns,
        "possible_cpus": cpus,
        "online_cpus": tuple(range(cpus)),
        "interfaces": tuple(interfaces),
        "unavailable": unavailable or {},
    }
    return Sample(**{**defaults, **fields, "readings": {**named(readings), **fields.get("readings", {})}})
