"""``bpftop maps``: list the BPF maps of the machine, or print the contents of one map."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_interval, add_output, from_1_to
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import MAP_CONTENTS, MAPS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bpftop.cli.output import Output
    from bpftop.collect.inventory.map_contents import ReadContent
    from bpftop.collect.inventory.reader import InventoryReader
    from bpftop.model.bpf.inventory import BpfInventory, Entries, KnownMap
    from bpftop.model.bpf.map_contents import EntryRow
    from bpftop.render.bpf.loaded_maps import LoadedMapLine
    from bpftop.render.columns import Column

LIMIT = 1000
"""Most entries of a map without --limit."""
SEARCHED_MAX, SEARCHED_BYTES_MAX = 100_000, 64 << 20
"""Most entries, and bytes of them, that --search and --sort look at, whatever --limit is."""
READ_LIMIT_S = 5.0
"""Most seconds of one reading: 200 000 entries take 1.9 s here, and there are maps of millions."""

FIELDS_NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("map", metavar="MAP", nargs="?", help="id, name or pinned path of a map, to print its entries")
    add_interval(parser, "seconds between two readings, for rates (default: none for entries, 1 for the list)")
    parser.add_argument("--watch", action="store_true", help="read and print again and again, until Ctrl-C")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=from_1_to(1_000_000),
        help=f"most maps, or entries of a map, to print (default: {LIMIT} entries)",
    )
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="only maps with this text in id, type, name, programs or owners; of a map, only entries with this text in "
        f"key or value, of the first {SEARCHED_MAX}",
    )
    parser.add_argument(
        "--sort",
        metavar="COLUMN|FIELD",
        help="sort the list by a column, or the entries of a map by a field of the value, the largest first",
    )
    parser.add_argument("--per-cpu", action="store_true", help="as a table: also the value of each CPU")
    add_format(parser, MAPS, "table")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from contextlib import closing

    from bpftop.cli.output import document_output
    from bpftop.collect.inventory.reader import InventoryReader

    formats = MAPS if arguments.map is None else MAP_CONTENTS
    if arguments.format not in formats:
        raise UsageError(f"the entries of a map are written as {', '.join(formats)}, not as {arguments.format}")
    if arguments.per_cpu and arguments.map is None:
        raise UsageError("--per-cpu is for the entries of a map: name the map")
    column = _sort_column(arguments)
    chosen = formats[arguments.format]
    with document_output(arguments, chosen) as output, closing(InventoryReader(statistics=False)) as reader:
        if arguments.map is None:
            _write_list(arguments, reader, column, output)
        else:
            _write_contents(arguments, reader, output)
    return 0


def _sort_column(arguments: argparse.Namespace) -> Column[LoadedMapLine] | None:
    """Return the column that the list is sorted by. Raises UsageError for one that does not exist."""
    from bpftop.cli.repeated_list import sort_column
    from bpftop.render.bpf.loaded_maps import LOADED_MAP_COLUMNS

    if arguments.map is not None or arguments.sort is None:
        return None
    return sort_column(LOADED_MAP_COLUMNS, arguments.sort)


def _write_list(
    arguments: argparse.Namespace, reader: InventoryReader, column: Column[LoadedMapLine] | None, output: Output
) -> None:
    from contextlib import closing

    from bpftop.cli.output import table_width
    from bpftop.cli.repeated_list import DEFAULT_INTERVAL_S, sorted_lines, write_repeatedly
    from bpftop.collect.inventory.entry_counter import EntryCounter
    from bpftop.export.bpf.maps import MapList
    from bpftop.fields import replace
    from bpftop.render.bpf.loaded_maps import loaded_map_lines

    counter = EntryCounter()

    def counted() -> BpfInventory:
        inventory = reader.read()
        return replace(inventory, entries=counter.count(inventory.maps.values()))

    def write(before: BpfInventory, now: BpfInventory) -> None:
        lines = sorted_lines(loaded_map_lines(before, now), column)
        if arguments.search is not None:
            lines = [line for line in lines if arguments.search.lower() in line.searched]
        lines = lines[: arguments.limit]
        output.write(MAPS[arguments.format].load()(MapList(before, now, lines, table_width())))

    with closing(counter):
        write_repeatedly(counted, write, arguments.interval or DEFAULT_INTERVAL_S, watch=arguments.watch)


def _write_contents(arguments: argparse.Namespace, reader: InventoryReader, output: Output) -> None:
    from contextlib import closing

    from bpftop.cli.repeated_list import DEFAULT_INTERVAL_S, write_repeatedly
    from bpftop.collect.inventory.entry_counter import EntryCounter
    from bpftop.collect.inventory.map_contents import content_bytes, read_content
    from bpftop.model.bpf.map_contents import with_rates

    which = _named_map(arguments.map, reader.read().maps.values())
    most: int = arguments.limit or LIMIT
    if _looks_at_all(arguments):
        most = max(most, min(SEARCHED_MAX, SEARCHED_BYTES_MAX // max(1, content_bytes(which))))
    counter = EntryCounter()

    def read() -> ReadContent:
        return read_content(which, most, READ_LIMIT_S)

    def written(read: ReadContent, rows: list[EntryRow]) -> None:
        output.write(_content_text(arguments, read, rows, counter.count([which]).get(which.map_id)))

    def write(before: ReadContent, now: ReadContent) -> None:
        written(now, with_rates(before.decoded(), now.decoded(), now.read_ns - before.read_ns))

    with closing(counter):
        if arguments.interval is None and not arguments.watch:
            content = read()
            written(content, content.decoded())
        else:
            write_repeatedly(read, write, arguments.interval or DEFAULT_INTERVAL_S, watch=arguments.watch)


def _looks_at_all(arguments: argparse.Namespace) -> bool:
    """Return True if more entries than are written must be read: to find some, or the largest ones."""
    return arguments.search is not None or arguments.sort is not None


def _content_text(
    arguments: argparse.Namespace, read: ReadContent, rows: list[EntryRow], entries: Entries | None
) -> str:
    """Return the entries of a map as a document, searched and sorted."""
    import time

    from bpftop.export.bpf.maps import MapContents
    from bpftop.model.bpf.map_contents import matching, sorted_by
    from bpftop.render.bpf.loaded_maps import loaded_map_line

    which, content, looked_at, limit = read.bpf_map, read.content, len(rows), arguments.limit or LIMIT
    if arguments.search is not None:
        rows = matching(rows, arguments.search)
    if arguments.sort is not None:
        _check_field(arguments.sort, rows)
        rows = sorted_by(rows, arguments.sort)
    document = MapContents(
        which,
        loaded_map_line(which, entries),
        time.time_ns(),
        rows[:limit],
        content.complete and len(rows) <= limit,
        content.unreadable,
        arguments.per_cpu,
        looked_at if _looks_at_all(arguments) and not content.complete else None,
    )
    return str(MAP_CONTENTS[arguments.format].load()(document))


def _check_field(field: str, rows: Sequence[EntryRow]) -> None:
    """Raise BpftopError where entries are to be sorted by a number that none of them has."""
    from bpftop.model.bpf.map_contents import numbers

    fields = dict.fromkeys(name for row in rows for name in numbers(row.value))
    if rows and field not in fields:
        names = ", ".join([*fields][:FIELDS_NAMED]) + (", ..." if len(fields) > FIELDS_NAMED else "")
        has = f"the numbers are {names}" if fields else "without BTF the values are bytes and no numbers"
        raise BpftopError(f"cannot sort by {field!r}: {has}")


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
