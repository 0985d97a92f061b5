"""A disassembly as lines of text: source lines, instructions, and the names of the maps that instructions refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bpftop.model.bpf_disassembly import Instruction


def disassembly_lines(
    instructions: Iterable[Instruction], source: Mapping[int, str], maps: Mapping[int, str]
) -> Iterator[str]:
    """Yield each source line behind a semicolon, then its instructions; ``maps``: id of a map -> its name."""
    for each in instructions:
        if each.offset in source:
            yield f"; {source[each.offset]}"
        name = maps.get(each.map_id, "")
        yield f"{each.offset:5}: {each.text}{f'    <- map {name}' if name else ''}"
