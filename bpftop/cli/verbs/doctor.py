"""``bpftop doctor``: run probes and report which parts of bpftop work on this machine, and why not."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bpftop.cli.options import add_attach, add_config, add_netns, attach_request, netns_name
from bpftop.model.escaping import escaped_text
from bpftop.render.ascii import ascii_needed

if TYPE_CHECKING:
    from bpftop.doctor.answers import Answer, ProbeResult, Verdict

WORDS = {"yes": ("ok", "32"), "no": ("no", "31"), "unknown": ("?", "33"), "n/a": ("-", "2")}
"""Answer -> word and colour (SGR, ECMA-48)."""

ABOUT = """\
The first line says what matters. Then follow the problems (no, or ? if a probe
could not tell) with the errno and, once each, the remedy or the consequence;
then the probes that worked, by name alone on a terminal, and what does not
apply here (-). Nothing is attached to an interface of this machine: such probes
use a veth pair in a private network namespace, which is removed afterwards.
(The kernel may load its modules veth, sch_ingress and cls_bpf for that, as for
any container.) With --timing the tracepoints of a live session are attached for
the measurement. The exit code is 0 if all probes ran, whatever their results."""


SHOWS_PROBLEMS = True
"""The configuration is one of the probes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{ABOUT}"
    parser.add_argument(
        "interface",
        metavar="IFACE",
        nargs="?",
        help="interface to examine: its features, and the hook that bpftop would use",
    )
    add_config(parser)
    parser.add_argument(
        "--all", action="store_true", help="also on a terminal: what each probe found that worked, a line each"
    )
    parser.add_argument(
        "--timing",
        action="store_true",
        help="also measure the time of each collector, and of a whole tick against the budget",
    )
    add_attach(parser)
    add_netns(parser)


def run(arguments: argparse.Namespace) -> int:
    from bpftop.cli.output import is_terminal, opened
    from bpftop.cli.shutdown import interruptible_sleep
    from bpftop.config.folders import config_folder
    from bpftop.doctor.examination import Examination
    from bpftop.kernel.netns import inside

    named_file = None if arguments.config is None else Path(arguments.config)
    loaded = arguments.loaded
    request = attach_request(arguments, loaded.settings)
    config = named_file or config_folder() / "config.yaml"
    with (
        opened(None, ascii_only=ascii_needed(os.environ, to_terminal=is_terminal(sys.stdout))) as output,
        inside(arguments.netns),
        closing(
            Examination(
                arguments.interface,
                request,
                config=config,
                loaded=loaded,
                timing=arguments.timing,
                netns=netns_name(arguments.netns),
                sleep=interruptible_sleep,
            )
        ) as examination,
    ):
        width = max(len(escaped_text(name)) for name in examination.names)
        layout = Layout.of(output.descriptor, width, os.environ, brief=not (arguments.all or arguments.timing))
        results = []
        for result in examination.results():
            interruptible_sleep(0)  # between two probes, where nothing is half done
            results.append(result)
        output.write(layout.report(results, arguments.interface))
    return 0


class Layout:
    """Three columns: coloured and wrapped on a terminal; elsewhere one line per result, for grep.

    ``brief``: the probes of the machine that worked are named in one paragraph, so that the report fits a screen.
    """

    def __init__(self, name_width: int, columns: int | None, colours: bool, brief: bool = False) -> None:
        self._name_width, self._columns, self._colours, self._brief = name_width, columns, colours, brief

    @classmethod
    def of(cls, descriptor: int, name_width: int, environment: Mapping[str, str], *, brief: bool) -> Layout:
        """Return the layout for a descriptor; brief on a terminal alone."""
        if not os.isatty(descriptor):
            return cls(name_width, None, False)
        plain = environment.get("NO_COLOR") or environment.get("TERM") in (None, "", "dumb")
        return cls(name_width, os.get_terminal_size(descriptor).columns, not plain, brief)

    def report(self, results: Sequence[ProbeResult], interface: str | None = None) -> str:
        """Return the whole text: the bottom line, the problems by remedy, what works, what does not apply.

        ``interface``: the interface that the person named; its results have a line each in a brief report, too.
        """
        from bpftop.doctor.summary import bottom_line, problems

        paragraphs = [self._wrapped(bottom_line(results), "")]
        for remedy, group in problems(results).items():
            lines = [self.line(result.name, result.verdict.answer, result.verdict.evidence) for result in group]
            paragraphs.append("".join(lines) + (self._wrapped(f"-> {remedy}", "    ") if remedy else ""))
        if self._brief:
            paragraphs.append(self._named(results, interface))
            results = [each for each in results if each.verdict.answer != "yes" or _is_about(each, interface)]
        for answer in ("yes", "n/a"):
            details = ((result.name, result.verdict) for result in results if result.verdict.answer == answer)
            paragraphs.append("".join(self.line(name, answer, _detail(verdict)) for name, verdict in details))
        return "\n".join(filter(None, paragraphs))

    def _named(self, results: Iterable[ProbeResult], interface: str | None) -> str:
        """Return the names of the probes of the machine that worked."""
        names = [each.name for each in results if each.verdict.answer == "yes" and not _is_about(each, interface)]
        if not names:
            return ""
        text = self._wrapped(f"{', '.join(names)}: `bpftop doctor --all` has what each found", " " * 4)[4:]
        word, colour = WORDS["yes"]
        return f"\x1b[{colour}m{word:<2}\x1b[0m  {text}" if self._colours else f"{word:<2}  {text}"

    def line(self, name: str, answer: Answer, detail: str) -> str:
        """Return the text of a result, with a newline at the end."""
        word, colour = WORDS[answer]
        head = f"{word:<2}  {escaped_text(name):<{self._name_width}}  "
        text = self._wrapped(detail, " " * len(head))[len(head) :]
        return f"\x1b[{colour}m{word:<2}\x1b[0m{head[2:]}{text}" if self._colours else f"{head}{text}"

    def _wrapped(self, text: str, indent: str) -> str:
        """Wrap the text at words if there is room for some, all lines indented; with a newline at the end."""
        escaped, room = escaped_text(text), (self._columns or 0) - len(indent)
        lines = textwrap.wrap(escaped, room, break_on_hyphens=False) if room >= 20 else [escaped]
        return "".join(f"{indent}{line}\n" for line in lines or [""])


def _is_about(result: ProbeResult, interface: str | None) -> bool:
    return interface is not None and result.name.startswith(f"{interface} ")


def _detail(verdict: Verdict) -> str:
    return "; ".join(filter(None, (verdict.evidence, verdict.remedy)))
