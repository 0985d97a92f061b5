"""A disassembly as lines of text: source lines, instructions, and the names of the maps that instructions refer to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from bpftop.model.bpf.disassembly import Instruction

HOT = "hot map"


def disassembly_lines(
    instructions: Iterable[Instruction], source: Mapping[int, str], maps: Mapping[int, str], hot: Collection[int] = ()
) -> Iterator[str]:
    """Yield each source line behind a semicolon, then its instructions; ``maps``: id of a map -> its name.

    Instructions that refer to a map in ``hot`` are marked. A source line with several parts, which the compiler lists
    one after another, is written once.
    """
    written = ""
    for each in instructions:
        line = source.get(each.offset, written)
        if line != written:
            yield f"; {line}"
            written = line
        name = maps.get(each.map_id, "")
        kind = HOT if each.map_id in hot and not each.is_variable else "map"
        yield f"{each.offset:5}: {each.text}{f'    <- {kind} {name}' if name else ''}"


def map_references(instructions: Iterable[Instruction]) -> Counter[int]:
    """Return id of a map -> number of instructions that name it for an operation, not for a global variable."""
    return Counter(each.map_id for each in instructions if each.map_id and not each.is_variable)


def hot_maps(references: Mapping[int, int]) -> set[int]:
    """Return the maps that most instructions name; none where all of several maps are named as often."""
    most = max(references.values(), default=0)
    hot = {map_id for map_id, count in references.items() if count == most}
    return hot if len(hot) == 1 or len(hot) < len(references) else set()
