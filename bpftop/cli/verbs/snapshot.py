"""``bpftop snapshot``: write one document with the rates of one interval."""

from __future__ import annotations

import argparse

from bpftop.cli.garbage_collection import SOON_S, garbage_kept
from bpftop.cli.options import add_format, add_live, add_output, settings_of
from bpftop.errors import BpftopError
from bpftop.export.formats import SNAPSHOT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_live(parser)
    add_format(parser, SNAPSHOT, "json")
    add_output(parser, "when the document is complete")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.live_source import live_samples, print_notices
    from bpftop.cli.output import document_output

    settings = settings_of(arguments)
    chosen = SNAPSHOT[arguments.format]
    with (
        document_output(arguments, chosen) as output,
        live_samples(arguments, settings, count=2) as (samples, _),
    ):
        with garbage_kept(SOON_S):  # these imports take their time while the source attaches and counts
            from bpftop.history.analyzer import Analyzer

            analyzer, write = Analyzer(settings.rules()), chosen.load()
        before = next(samples, None)
        if before is not None:
            analyzer.push(before)
        after = next(samples, None)
        if after is None:
            raise BpftopError("the source ended before there were two samples; try again")
        output.write(write(analyzer.push(after)))
        print_notices(after)
    return 0
