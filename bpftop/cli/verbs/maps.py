"""``bpftop maps``: list the BPF maps of the machine, or print the contents of one map."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_interval, add_output
from bpftop.cli.shutdown import interruptible
from bpftop.errors import BpftopError
from bpftop.export.formats import MAP_CONTENTS, MAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bpftop.collect.inventory.contents import ReadContent
    from bpftop.collect.inventory.reader import InventoryReader
    from bpftop.model.bpf_inventory import BpfInventory, KnownMap
    from bpftop.model.map_contents import EntryRow

LIMIT = 1000
"""Most entries of a map without --limit."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("map", metavar="MAP", nargs="?", help="id, name or pinned path of a map, to print its entries")
    add_interval(parser, "seconds between two readings, for rates (default: none for entries, 1 for the list)")
    parser.add_argument("--limit", metavar="N", type=_limit, default=LIMIT, help=f"most entries (default: {LIMIT})")
    parser.add_argument("--search", metavar="TEXT", help="only entries with this text in key or value")
    parser.add_argument("--sort", metavar="FIELD", help="sort entries by a field of the value, the largest first")
    parser.add_argument("--per-cpu", action="store_true", help="as a table: also the value of each CPU")
    add_format(parser, MAPS, "table")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    import time
    from contextlib import closing

    from bpftop.cli.output import document_output
    from bpftop.collect.inventory.reader import InventoryReader

    def wait(seconds: float) -> None:
        with interruptible():
            time.sleep(seconds)

    chosen = MAPS[arguments.format]  # the contents of a map are written in the same formats
    with document_output(arguments, chosen) as output, closing(InventoryReader(statistics=False)) as reader:
        if arguments.map is None:
            output.write(_list(arguments, reader, wait))
        else:
            output.write(_contents(arguments, reader, wait))
    return 0


def _list(arguments: argparse.Namespace, reader: InventoryReader, wait: Callable[[float], None]) -> str:
    from bpftop.cli.output import table_width
    from bpftop.collect.inventory.contents import count_all
    from bpftop.export.bpf.maps import MapList
    from bpftop.fields import replace
    from bpftop.render.bpf.loaded_maps import loaded_map_lines

    def counted() -> BpfInventory:
        inventory = reader.read()
        return replace(inventory, entries=count_all(inventory.maps.values()))

    before = counted()
    wait(arguments.interval or 1.0)
    now = counted()
    return str(MAPS[arguments.format].load()(MapList(before, now, loaded_map_lines(before, now), table_width())))


def _contents(arguments: argparse.Namespace, reader: InventoryReader, wait: Callable[[float], None]) -> str:
    from bpftop.collect.inventory.contents import count_all, read_content
    from bpftop.export.bpf.maps import MapContents
    from bpftop.fields import replace
    from bpftop.model.map_contents import matching, sorted_by, with_rates
    from bpftop.render.bpf.loaded_maps import loaded_map_lines

    inventory = reader.read()
    which = _named_map(arguments.map, inventory.maps.values())
    content = read_content(which, arguments.limit)
    rows = _decoded(content)
    if arguments.interval is not None:
        wait(arguments.interval)
        later = read_content(which, arguments.limit)
        rows = with_rates(rows, _decoded(later), later.read_ns - content.read_ns)
        content = later
    if arguments.search is not None:
        rows = matching(rows, arguments.search)
    if arguments.sort is not None:
        rows = sorted_by(rows, arguments.sort)
    inventory = replace(inventory, maps={which.map_id: which}, entries=count_all([which]))
    (line,) = loaded_map_lines(None, inventory)
    table = MapContents(
        which, line, inventory.wall_ns, rows, content.content.complete, content.content.unreadable, arguments.per_cpu
    )
    return str(MAP_CONTENTS[arguments.format].load()(table))


def _decoded(content: ReadContent) -> list[EntryRow]:
    from bpftop.model.map_contents import decode_entry

    which = content.bpf_map
    return [
        decode_entry(entry.key, entry.values, content.btf, which.key_type_id, which.value_type_id)
        for entry in content.content.entries
    ]


def _named_map(name: str, maps: Collection[KnownMap]) -> KnownMap:
    """Return the map with this id, pinned path or name. Raises BpftopError without one, or with several of a name."""
    exact = [each for each in maps if name == str(each.map_id) or os.path.abspath(name) in each.pinned]
    named = exact or [each for each in maps if each.name == name[:15]]
    if not named:
        raise BpftopError(f"there is no BPF map {name!r}; `bpftop maps` lists the maps")
    if len(named) > 1:
        ids = ", ".join(str(each.map_id) for each in named)
        raise BpftopError(f"{len(named)} BPF maps are called {name!r}; name one by its id: {ids}")
    return named[0]


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000000")
    return int(text)
