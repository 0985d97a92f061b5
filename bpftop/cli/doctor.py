"""``bpftop doctor``: run probes and report which parts of bpftop work on this machine, and why not."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from bpftop.cli.options import add_attach, add_netns, attach_request, netns_name
from bpftop.render.escaping import escaped_text

if TYPE_CHECKING:
    from bpftop.doctor.answers import ProbeResult

WORDS = {"yes": ("ok", "32"), "no": ("no", "31"), "unknown": ("?", "33")}
"""Answer -> word and colour (SGR, ECMA-48)."""

ABOUT = """\
Each line is the result of a probe: ok, no, or ? if the probe could not tell,
with the errno and a remedy, or the consequence for bpftop. Nothing is attached
to an interface of this machine: such probes use a veth pair in a private
network namespace, which is removed afterwards. (The kernel may load its modules
veth, sch_ingress and cls_bpf for that, as for any container.) With --timing the
tracepoints of a live session are attached for the measurement. The exit code is
0 if all probes ran, whatever their results."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{ABOUT}"
    parser.add_argument(
        "interface",
        metavar="IFACE",
        nargs="?",
        help="interface to examine: its features, and the hook that bpftop would use",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: ~/.config/bpftop/config.yaml)")
    parser.add_argument(
        "--timing",
        action="store_true",
        help="also measure the time of each collector, and of a whole tick against the budget",
    )
    add_attach(parser)
    add_netns(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import opened
    from bpftop.config.folders import config_folder
    from bpftop.config.settings_file import load
    from bpftop.doctor.examination import Examination
    from bpftop.kernel.netns import inside

    named_file = None if arguments.config is None else Path(arguments.config)
    loaded = load(named_file)
    request = attach_request(arguments, loaded.settings)
    config = named_file or config_folder() / "config.yaml"
    with (
        opened(None) as output,
        inside(arguments.netns) if arguments.netns else nullcontext(),
        closing(
            Examination(
                arguments.interface,
                request,
                config=config,
                loaded=loaded,
                timing=arguments.timing,
                netns=netns_name(arguments.netns),
            )
        ) as examination,
    ):
        width = max(len(escaped_text(name)) for name in examination.names)
        layout = Layout.of(output.descriptor, width, os.environ)
        answers: Counter[str] = Counter()
        for result in examination.results():
            answers[result.verdict.answer] += 1
            output.write(layout.line(result))
        output.write(f"{answers['yes']} ok, {answers['no']} no, {answers['unknown']} unknown.\n")
    return 0


class Layout:
    """Three columns: coloured and wrapped on a terminal; elsewhere one line per result, for grep."""

    def __init__(self, name_width: int, columns: int | None, colours: bool) -> None:
        self._name_width, self._columns, self._colours = name_width, columns, colours

    @classmethod
    def of(cls, descriptor: int, name_width: int, environment: Mapping[str, str]) -> Layout:
        if not os.isatty(descriptor):
            return cls(name_width, None, False)
        plain = environment.get("NO_COLOR") or environment.get("TERM") in (None, "", "dumb")
        return cls(name_width, os.get_terminal_size(descriptor).columns, not plain)

    def line(self, result: ProbeResult) -> str:
        """Return the text of a result, with a newline at the end."""
        word, colour = WORDS[result.verdict.answer]
        head = f"{word:<2}  {escaped_text(result.name):<{self._name_width}}  "
        detail = escaped_text("; ".join(filter(None, (result.verdict.evidence, result.verdict.remedy))))
        room = (self._columns or 0) - len(head)
        wrapped = textwrap.wrap(detail, room, break_on_hyphens=False) if room >= 20 else [detail]
        text = f"\n{' ' * len(head)}".join(wrapped)
        return f"\x1b[{colour}m{word:<2}\x1b[0m{head[2:]}{text}\n" if self._colours else f"{head}{text}\n"
