"""``bpftop profile``: measure what map operations cost on this machine, on temporary maps."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from bpftop.cli.options import add_format, add_output
from bpftop.cli.output import complain, document_output
from bpftop.cli.shutdown import acknowledge
from bpftop.errors import BpftopError, UsageError
from bpftop.export.formats import PROFILE

if TYPE_CHECKING:
    from bpftop.measure.maps.plan import MeasureRequest
    from bpftop.measure.maps.profile import MapProfile

T = TypeVar("T")

# Copies of the names in measure.maps.plan, whose import takes longer than printing the help; a test compares them.
TYPES = "array, percpu_array, hash, hash_no_prealloc, percpu_hash, lru_hash, lru_percpu_hash, lpm_trie"
OPERATIONS = (
    "lookup, update_existing, update_new, delete, get_next_key, lookup_batch, update_batch, delete_batch, "
    "lookup_and_delete_batch"
)
ACCESSES = "sequential, uniform, zipf"

_COPIED_FROM_MAP = ("type", "entries", "key_size", "value_size", "fill")

ABOUT = (
    "All combinations of the values are measured. Each operation is timed call by call from user space, and as a loop "
    "in a BPF program under BPF_PROG_TEST_RUN, which is attached nowhere. Every value that is read is compared with "
    "the written value; a wrong value ends the run with exit code 1.\n\n"
    "A batch lookup walks the map in the order of the map and ignores the keys of the caller; so does get_next_key. "
    "MAP is only read: its geometry is copied, its entries are counted, and up to 4096 of its keys are used in the "
    "temporary map. The figures are stored, and the next run shows the change."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{parser.description}\n\n{ABOUT}"
    parser.add_argument("map", metavar="MAP", nargs="?", help="existing map to copy, by id, name or pinned path")
    axes = parser.add_argument_group("what to measure (LIST: values separated by commas)")
    _add_list(axes, "--type", str, f"map types (default: all: {TYPES})")
    _add_list(axes, "--operation", str, f"operations (default: all: {OPERATIONS})")
    _add_list(axes, "--entries", int, "max_entries of the map (default: 10000)")
    _add_list(axes, "--key-size", int, "bytes per key (default: 4 for arrays, else 8)")
    _add_list(axes, "--value-size", int, "bytes per value (default: 16)")
    _add_list(axes, "--fill", float, "percent of the entries in use (default: 75)")
    _add_list(axes, "--access", str, f"order of the keys: {ACCESSES} (default: uniform)")
    _add_list(axes, "--batch", int, "keys per batch (default: 1, 4, 16 .. 4096)")
    _add_list(axes, "--threads", int, "threads on the same map, each pinned to a CPU (default: 1)")
    how = parser.add_argument_group("how to measure")
    how.add_argument("--runs", metavar="N", type=int, help="runs per combination, at least 5 (default: 5)")
    how.add_argument("--run-ms", metavar="MS", type=int, help="milliseconds per run from user space (default: 8)")
    how.add_argument("--seed", metavar="N", type=int, help="seed of keys, values and random order (default: 1)")
    how.add_argument("--memory-limit", metavar="MIB", type=int, help="memory limit of a temporary map (default: 256)")
    add_format(parser, PROFILE, "table")
    add_output(parser, "at the end")


def run(arguments: argparse.Namespace) -> int:
    from bpftop.measure.api import Stop
    from bpftop.measure.maps.engine import MapEngine
    from bpftop.measure.maps.live_map import read_live_map

    request, stop = _request(arguments), Stop()
    live = None if arguments.map is None else read_live_map(arguments.map, stop)
    profile = MapEngine().profile(request, stop, live)
    chosen = PROFILE[arguments.format]
    with document_output(arguments, chosen) as output:
        ending = _measure(profile)
        acknowledge()
        output.write(chosen.load()(profile.report()))
        try:
            profile.store()
        except BpftopError as error:  # the results are good all the same
            complain(str(error))
    if ending is not None:
        raise ending
    return 0


def _measure(profile: MapProfile) -> BaseException | None:
    """Measure, and return the signal or the error that ended the profile early; results until then are good.

    Raises WrongValue, after which all results are worthless.
    """
    from bpftop.cli.measuring import ProgressLine, follow
    from bpftop.kernel.return_code import KernelError

    line, plan = ProgressLine(), profile.plan
    line.write(f"about {plan.expected_s:.0f} s for {len(plan.cells)} cells; Ctrl-C ends early and shows the results")
    try:
        return follow(profile, line.show)
    except KernelError as error:
        return error
    finally:
        line.clear()


def _request(arguments: argparse.Namespace) -> MeasureRequest:
    from bpftop.measure.maps.plan import MeasureRequest

    given = {
        "kinds": arguments.type,
        "operations": arguments.operation,
        "entries": arguments.entries,
        "key_bytes": arguments.key_size,
        "value_bytes": arguments.value_size,
        "fills_pct": arguments.fill,
        "accesses": arguments.access,
        "batches": arguments.batch,
        "threads": arguments.threads,
        "runs": arguments.runs,
        "run_ms": arguments.run_ms,
        "seed": arguments.seed,
        "memory_limit_bytes": None if arguments.memory_limit is None else arguments.memory_limit << 20,
    }
    if arguments.map is not None:
        for name in _COPIED_FROM_MAP:
            if getattr(arguments, name) is not None:
                option = name.replace("_", "-")
                raise UsageError(
                    f"--{option} and a map: the copy has the type, sizes and fill of the map; leave out one of them"
                )
    return MeasureRequest(**{name: value for name, value in given.items() if value is not None})


def _add_list(group: argparse._ArgumentGroup, name: str, kind: Callable[[str], T], help_text: str) -> None:
    def values(text: str) -> tuple[T, ...]:
        words = [word.strip() for word in text.split(",")]
        try:
            return tuple(dict.fromkeys(kind(word) for word in words))
        except ValueError:
            numbers = "whole numbers" if kind is int else "numbers"
            raise argparse.ArgumentTypeError(f"{text!r} is no list of {numbers}, as in 1,16,256") from None

    group.add_argument(name, metavar="LIST", type=values, help=help_text.replace("%", "%%"))
