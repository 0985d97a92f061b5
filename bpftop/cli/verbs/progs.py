"""``bpftop progs``: list the BPF programs of the machine with their cost, attachments and owners."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bpftop.cli.options import add_format, add_interval, add_output
from bpftop.cli.shutdown import Ended, interruptible
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpftop.render.bpf.loaded_programs import LoadedProgramLine

DEFAULT_INTERVAL_S = 1.0


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
    import time
    from contextlib import closing

    from bpftop.cli.output import document_output, table_width
    from bpftop.collect.inventory.reader import InventoryReader
    from bpftop.export.bpf.programs import ProgramList
    from bpftop.render.bpf.loaded_programs import LOADED_PROGRAM_COLUMNS, loaded_program_lines

    columns = {column.id: column for column in LOADED_PROGRAM_COLUMNS}
    if arguments.sort is not None and arguments.sort not in columns:
        raise UsageError(f"there is no column {arguments.sort!r}; the columns are {', '.join(columns)}")
    if arguments.disassemble:
        return _disassemble(arguments)
    interval_s = arguments.interval or DEFAULT_INTERVAL_S
    chosen = PROGRAMS[arguments.format]
    write = chosen.load()
    with document_output(arguments, chosen) as output, closing(InventoryReader()) as reader:
        before = reader.read()
        try:
            while True:
                with interruptible():
                    time.sleep(interval_s)
                now = reader.read()
                lines = _chosen(loaded_program_lines(before, now), arguments.programs)
                if arguments.sort is not None:
                    lines = sorted(lines, key=lambda line: _descending(columns[arguments.sort].value(line)))
                output.write(write(ProgramList(before, now, lines, table_width(), bool(arguments.programs))))
                if not arguments.watch:
                    return 0
                before = now
        except Ended:
            if arguments.watch:  # the normal end
                return 0
            raise


def _disassemble(arguments: argparse.Namespace) -> int:
    from contextlib import closing

    from bpftop.cli.output import opened
    from bpftop.collect.inventory.disassembly import read_disassembly
    from bpftop.collect.inventory.reader import InventoryReader
    from bpftop.render.bpf.disassembly import disassembly_lines
    from bpftop.render.bpf.loaded_programs import loaded_program_lines
    from bpftop.render.escaping import escaped_text

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


def _descending(value: float | str | None) -> tuple[bool, float, str]:
    """Return a key that sorts numbers from the largest, text by the alphabet, and the unknown last."""
    number = -value if isinstance(value, int | float) else 0.0
    return value is None, number, value if isinstance(value, str) else ""


def _chosen(lines: Sequence[LoadedProgramLine], names: Iterable[str]) -> Sequence[LoadedProgramLine]:
    """Return the lines of the programs with these ids or names; all of them without a name."""
    chosen: list[LoadedProgramLine] = []
    for name in names:
        matching = [line for line in lines if name in (str(line.prog_id), line.name)]
        if not matching:
            raise BpftopError(f"there is no BPF program {name!r}; `bpftop progs` lists the programs")
        chosen += matching
    return chosen or lines
