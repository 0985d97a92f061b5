"""``bpftop progs``: list the BPF programs of the machine with their cost, attachments and owners."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_interval, add_output
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpftop.model.bpf.inventory import BpfInventory
    from bpftop.render.bpf.loaded_programs import LoadedProgramLine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("programs", metavar="PROGRAM", nargs="*", help="id or name of a program, for all its facts")
    add_interval(parser)
    parser.add_argument("--watch", action="store_true", help="measure and print again and again, until Ctrl-C")
    parser.add_argument("--sort", metavar="COLUMN", help="column to sort by, the largest first (default: cpu)")
    parser.add_argument(
        "--disassemble",
        action="store_true",
        help="print the translated instructions of the named programs, with their source lines where BTF has them",
    )
    add_format(parser, PROGRAMS, "table")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from contextlib import closing

    from bpftop.cli.output import document_output, table_width
    from bpftop.cli.repeated_list import DEFAULT_INTERVAL_S, sort_column, sorted_lines, write_repeatedly
    from bpftop.collect.inventory.reader import InventoryReader
    from bpftop.export.bpf.programs import ProgramList
    from bpftop.render.bpf.loaded_programs import LOADED_PROGRAM_COLUMNS, loaded_program_lines

    column = None if arguments.sort is None else sort_column(LOADED_PROGRAM_COLUMNS, arguments.sort)
    if arguments.disassemble:
        return _disassemble(arguments)
    chosen = PROGRAMS[arguments.format]
    write = chosen.load()
    with document_output(arguments, chosen) as output, closing(InventoryReader()) as reader:

        def write_list(before: BpfInventory, now: BpfInventory) -> None:
            lines = sorted_lines(_chosen(loaded_program_lines(before, now), arguments.programs), column)
            output.write(write(ProgramList(before, now, lines, table_width(), bool(arguments.programs))))

        interval_s = arguments.interval or DEFAULT_INTERVAL_S
        write_repeatedly(reader.read, write_list, interval_s, watch=arguments.watch)
    return 0


def _disassemble(arguments: argparse.Namespace) -> int:
    from contextlib import closing

    from bpftop.cli.output import opened
    from bpftop.collect.inventory.disassembly import read_disassembly
    from bpftop.collect.inventory.reader import InventoryReader
    from bpftop.model.escaping import escaped_text
    from bpftop.render.bpf.disassembly import disassembly_lines
    from bpftop.render.bpf.loaded_programs import loaded_program_lines

    if not arguments.programs:
        raise UsageError("--disassemble needs the name or the id of a program")
    with opened(arguments.output) as output, closing(InventoryReader(statistics=False)) as reader:
        now = reader.read()
        names = {each.map_id: each.name or str(each.map_id) for each in now.maps.values()}
        for line in _chosen(loaded_program_lines(None, now), arguments.programs):
            code = read_disassembly(now.programs[line.prog_id])
            output.write(f"{escaped_text(line.name)} (id {line.prog_id}), {line.type}\n")
            texts = disassembly_lines(code.instructions, code.source, names)
            output.write("".join(f"{escaped_text(text)}\n" for text in texts))
    return 0


def _chosen(lines: Sequence[LoadedProgramLine], names: Iterable[str]) -> Sequence[LoadedProgramLine]:
    """Return the lines of the programs with these ids or names; all of them without a name."""
    chosen: list[LoadedProgramLine] = []
    for name in names:
        matching = [line for line in lines if name in (str(line.prog_id), line.name)]
        if not matching:
            raise BpftopError(f"there is no BPF program {name!r}; `bpftop progs` lists the programs")
        chosen += matching
    return chosen or lines
