"""The command line: a module per verb, and nothing but wiring: choose a source, choose a presenter, run."""

from bpftop.cli.entry import main as main
