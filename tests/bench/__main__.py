"""Cost of bpftop on this machine, against the limits that bpftop promises.

``python -m tests.bench`` measures everything, in about five minutes; names of suites choose some. It needs root. Limits
are for ratios of two figures of the same run and for counts, so that they hold on any processor and on a busy machine;
nanoseconds and other lines without a limit are for information. Exit code 1: a figure is beyond its limit, or something
could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib import import_module

from bpftop.errors import BpftopError
from bpftop.export.measure.programs_text import machine_text
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.measure.machine import conditions, machine
from tests.bench.figures import Figure, summary, table

SUITES = {
    "instructions": "BPF instructions that the counting programs execute for a frame",
    "packets": "what counting adds to a packet, in the kernel",
    "loading": "verified instructions and load time of the programs",
    "flows": "what counting flows adds to a packet, and what reading the table takes",
    "polling": "one tick's reading of the maps; the fold over many CPUs",
    "drops": "what counting drops adds to a dropped packet, to the start and to a tick",
    "signals": "one tick's reading of everything else: /proc, rtnetlink, ethtool; on machines of many CPUs",
    "system_calls": "system calls of a tick, headless and on the live screen",
    "screen": "first rates, CPU, memory and terminal bytes of the live screen, beside bare Textual and glances",
    "slow_line": "bytes of the live screen on slow lines: --low-bandwidth, and until a pane shows its first rows",
    "many_interfaces": "the start of the live screen on 301 interfaces",
    "capture": "what a running capture adds to a packet",
    "names": "naming the processes behind 50 flows, on a machine of 2 000 sockets and 500 processes",
    "profile": "what the profile's loop adds to an operation, against the same calls with nothing around them",
    "cancel": "how soon a measurement ends once it is cancelled",
    "jitter": "how evenly the screen ticks while a profile runs, and while the bench does",
    "recording": "the size of a day's recording, and what writing and reading a tick takes",
    "headless": "a snapshot, and how long --version takes",
    "scrape": "one scrape of the Prometheus endpoint on a machine of 128 CPUs",
    "throughput": "what watching takes from traffic over a veth pair, and how soon bpftop makes way",
    "fleet": "50 hosts on one screen, at one sample a second",
    "inventory": "a refresh of 1 000 BPF programs and 1 000 maps",
    "demo": "start of the demo, and what its generator costs",
}
"""Suite -> what it measures; each is a module of this package with ``measure(say)``, which yields figures."""


def main(arguments: list[str] | None = None) -> int:
    listed = "\n".join(f"  {name:<16} {what}" for name, what in SUITES.items())
    parser = argparse.ArgumentParser(
        "python -m tests.bench",
        description=__doc__,
        epilog=f"suites:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", metavar="NAME", nargs="*", help="suites to run (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE too (-: instead of the table)")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.suites if name not in SUITES]
    if unknown:
        parser.error(f"no suite is called {unknown[0]}; there are {', '.join(SUITES)}")
    if os.geteuid() != 0:
        print("bench: loading BPF programs needs root; run it with sudo", file=sys.stderr)
        return 1
    try:
        return _run(chosen.suites or list(SUITES), chosen.json)
    except KeyboardInterrupt:
        return 130


def _run(suites: list[str], json_path: str | None) -> int:
    figures: list[Figure] = []
    failures: list[str] = []
    begin = time.monotonic()
    for name in suites:
        try:
            for figure in import_module(f"tests.bench.{name}").measure(_say):
                figures.append(figure)
        except BpftopError as error:  # the other suites do not depend on it
            failures.append(f"{name} is not complete: {error}")
    if json_path is not None:
        _write_json(figures, failures, json_path)
    if json_path != "-":
        print(f"{_machine_words()}; took {time.monotonic() - begin:.0f} s\n")
        print(table(figures))
        print(f"\n{summary(figures)}")
    for failure in failures:
        _say(failure)
    return int(bool(failures) or any(figure.over for figure in figures))


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def _machine_words() -> str:
    """Describe what the figures depend on: processor, mitigations, clock source, and the load of the machine."""
    about = machine_text(machine(possible_cpus()), conditions(), time.time_ns())
    python, load = platform.python_version(), os.getloadavg()[0]
    return f"{about}{os.cpu_count()} CPUs online, Python {python}, load {load:.1f}"


def _write_json(figures: list[Figure], failures: list[str], path: str) -> None:
    document = {
        "machine": _machine_words(),
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "figures": [figure.as_json() for figure in figures],
        "failures": failures,
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
