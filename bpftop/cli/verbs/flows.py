"""``bpftop flows``: the busiest flows, or groups of them, with their processes, as one document."""

from __future__ import annotations

import argparse

from bpftop.cli.garbage_collection import garbage_kept
from bpftop.cli.options import FROM_1, add_format, add_live, add_output, settings_of
from bpftop.cli.verbs.watch import duration_s
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import FLOWS
from bpftop.render.flows.flow_pairs import PAIR_GROUPS

ROWS, DURATION_S = 20, 5.0
ABOUT = """\
Flows are counted for --duration; the rates are over the last interval. A row
has both directions of a flow; the share is of all bits per second of the interface,
and with the row of all others the shares add up to 100 %. Where the table of flows
gets full, or takes over 100 ms to read, packets are sampled."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{ABOUT}"
    add_live(parser)
    parser.add_argument("--top", metavar="N", type=FROM_1, default=ROWS, help=f"rows to show (default: {ROWS})")
    parser.add_argument(
        "--by",
        metavar="WHAT",
        choices=PAIR_GROUPS,
        default="flow",
        help=f"what a row is: {', '.join(PAIR_GROUPS)} (default: flow); address is that of the other side, port that "
        "of the service, container a container or else a systemd unit",
    )
    parser.add_argument(
        "--duration", metavar="SECONDS", type=duration_s, default=DURATION_S,
        help=f"count for so long, at least three intervals (default: {DURATION_S:g})",
    )  # fmt: skip
    parser.add_argument(
        "--inner",
        action="store_true",
        help="of packets of VXLAN, Geneve, GRE and IP in IP count the flow inside; counts at TCX",
    )
    add_format(parser, FLOWS, "table")
    add_output(parser, "when the document is complete")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.flow_watch import watched_flows
    from bpftop.cli.output import document_output

    settings = settings_of(arguments)
    if arguments.inner:
        if arguments.xdp or arguments.attach not in (None, "auto", "tc", "tcx", "clsact"):
            raise UsageError("--inner needs a program at tc; leave --attach and --xdp out")
        arguments.attach = arguments.attach if arguments.attach in ("tcx", "clsact") else "tc"
    chosen = FLOWS[arguments.format]
    with document_output(arguments, chosen) as output:
        with garbage_kept():
            write = chosen.load()
        snapshot = watched_flows(arguments, settings)
        if not any(name.startswith("flow_table/") for name in snapshot.readings):
            reasons = [why for part, why in snapshot.unavailable.items() if part.startswith("flows/")]
            why = reasons[0] if reasons else "no program of bpftop counts there (see `bpftop doctor`)"
            where = ", ".join(each.label for each in snapshot.interfaces)
            raise BpftopError(f"flows cannot be counted on {where}: {why}")
        output.write(write(snapshot, arguments.by, arguments.top))
    return 0
